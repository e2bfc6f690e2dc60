#include "common/tensor/safetensors.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/testing/mutate.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

using ::testing::HasSubstr;

// Bytes of a file with this header and `data_bytes` zeros behind it.
std::string FileBytes(const std::string& header, int64_t data_bytes) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data_bytes, '\0');
}

std::string Written(const std::string& bytes) {
  const std::string path = TemporaryFolder() + "/x.safetensors";
  EXPECT_EQ(WriteFileAtomically(path, bytes), absl::OkStatus());
  return path;
}

// The error of opening such a file, without the path.
std::string ErrorOf(const std::string& bytes) {
  const std::string path = Written(bytes);
  const auto opened = Safetensors::Open(path);
  if (opened.ok()) return "none";
  const std::string message(opened.status().message());
  EXPECT_EQ(message.substr(0, path.size() + 2), path + ": ");
  EXPECT_EQ(message.find('\n'), message.npos);
  return message.substr(path.size() + 2);
}

std::string HeaderError(const std::string& header, int64_t data_bytes) {
  return ErrorOf(FileBytes(header, data_bytes));
}

bool SameBytes(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

TEST(SafetensorsTest, EveryDtypeComesBackAsItWas) {
  const std::string path = TemporaryFolder() + "/all.safetensors";
  std::vector<NamedTensor> tensors;
  for (const auto dtype :
       {at::kBFloat16, at::kHalf, at::kFloat, at::kDouble, at::kChar, at::kShort, at::kInt, at::kLong,
        at::kByte, at::kUInt16, at::kUInt32, at::kUInt64, at::kBool, at::kFloat8_e4m3fn, at::kFloat8_e5m2}) {
    const at::Tensor values = at::arange(-3, 4, at::kFloat);
    tensors.push_back({toString(dtype), dtype == at::kBool ? values.gt(0) : values.abs().to(dtype)});
    if (at::isSignedType(dtype) && dtype != at::kBool) tensors.back().tensor = values.to(dtype);
  }
  PLUMB_ASSERT_OK(WriteSafetensors(path, tensors, {{"format", "pt"}, {"made by", "Plümb"}}));
  const auto opened = Safetensors::Open(path);
  PLUMB_ASSERT_OK(opened);
  EXPECT_EQ(opened->entries().size(), tensors.size());
  EXPECT_EQ(opened->metadata(), (SafetensorsMetadata{{"format", "pt"}, {"made by", "Plümb"}}));
  for (const auto& [name, tensor] : tensors) {
    const auto got = opened->Get(name);
    PLUMB_ASSERT_OK(got);
    EXPECT_TRUE(SameBytes(*got, tensor)) << name;
  }
}

TEST(SafetensorsTest, EveryShapeAndLayoutComesBack) {
  const std::string path = TemporaryFolder() + "/shapes.safetensors";
  const at::Tensor base = at::arange(24, at::kFloat);
  const std::vector<NamedTensor> tensors = {
      {"scalar", at::ones({})},
      {"empty", at::zeros({3, 0, 2})},
      {"transposed", base.view({4, 6}).t()},
      {"strided", base.view({4, 6}).slice(1, 0, 6, 2)},
      {"expanded", at::ones({1, 3}).expand({5, 3})},
      {"with gradient", base.view({2, 3, 4}).clone().requires_grad_(true)},
      {"odd bytes", at::ones({3}, at::kByte)},
      {"after odd bytes", at::ones({3}, at::kDouble)},
  };
  PLUMB_ASSERT_OK(WriteSafetensors(path, tensors));
  const auto opened = Safetensors::Open(path);
  PLUMB_ASSERT_OK(opened);
  for (const auto& [name, tensor] : tensors) {
    const auto got = opened->Get(name);
    PLUMB_ASSERT_OK(got);
    EXPECT_TRUE(got->is_contiguous());
    EXPECT_TRUE(at::equal(*got, tensor)) << name;
  }
  // The order given, but for what alignment asks.
  std::vector<std::string> names;
  for (const auto& entry : opened->entries()) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"after odd bytes", "scalar", "empty", "transposed", "strided",
                                             "expanded", "with gradient", "odd bytes"}));
  EXPECT_EQ(opened->Get("none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(opened->Get("none").status().message(), path + ": there is no tensor \"none\"");
  EXPECT_TRUE(opened->Contains("scalar"));
  EXPECT_FALSE(opened->Contains("none"));
}

TEST(SafetensorsTest, AViewOutlivesTheReaderAndWritesReachNobody) {
  const std::string path = TemporaryFolder() + "/view.safetensors";
  PLUMB_ASSERT_OK(WriteSafetensors(path, {{"x", at::ones({5000})}}));
  at::Tensor view = Safetensors::Open(path)->Get("x").value();
  at::Tensor again = Safetensors::Open(path)->Get("x").value();
  view.zero_();
  EXPECT_EQ(view.sum().item<float>(), 0);
  EXPECT_EQ(again.sum().item<float>(), 5000);
  EXPECT_EQ(Safetensors::Open(path)->Get("x")->sum().item<float>(), 5000);
  // Replacing the file leaves the mapping what it was.
  PLUMB_ASSERT_OK(WriteSafetensors(path, {{"x", at::zeros({5})}}));
  EXPECT_EQ(again.sum().item<float>(), 5000);
  EXPECT_EQ(Safetensors::Open(path)->Get("x")->numel(), 5);
}

TEST(SafetensorsTest, NothingIsCopiedUnlessMisaligned) {
  // The header is of odd length, as the format allows.
  const std::string header = R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} )";
  for (const std::string& padding : {std::string(), std::string(" ")}) {
    const auto opened = Safetensors::Open(Written(FileBytes(header + padding, 8)));
    PLUMB_ASSERT_OK(opened);
    const bool aligned = (header + padding).size() % 4 == 0;
    const at::Tensor one = *opened->Get("x"), two = *opened->Get("x");
    EXPECT_EQ(one.const_data_ptr() == two.const_data_ptr(), aligned);
    EXPECT_EQ(one.sum().item<float>(), 0);
  }
}

// Resident memory of the process, in MiB.
int64_t ResidentMib() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0;
  file >> pages >> pages;
  return pages * sysconf(_SC_PAGESIZE) >> 20;
}

TEST(SafetensorsTest, AnotherDtypeTakesNoMemoryOfTheFile) {
  const std::string path = TemporaryFolder() + "/converted.safetensors";
  std::vector<NamedTensor> tensors;
  for (int i = 0; i < 8; ++i) tensors.push_back({absl::StrCat(i), at::rand({1 << 21})});  // of 8 MiB
  PLUMB_ASSERT_OK(WriteSafetensors(path, tensors));
  const Safetensors file = Safetensors::Open(path).value();
  const int64_t before = ResidentMib();
  std::vector<at::Tensor> converted;
  for (const NamedTensor& named : tensors) {
    converted.push_back(file.GetAs(named.name, at::kBFloat16).value());
  }
  EXPECT_LT(ResidentMib() - before, 32 + 40);  // 64 more with the file
  for (size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_TRUE(converted[i].equal(tensors[i].tensor.to(at::kBFloat16)));
  }
  // Read again, and in its own dtype a view.
  EXPECT_TRUE(file.GetAs("3", at::kFloat).value().equal(tensors[3].tensor));
  EXPECT_EQ(file.GetAs("3", at::kFloat).value().data_ptr(), file.Get("3").value().data_ptr());
}

TEST(SafetensorsTest, AnEmptyFileOfNoTensors) {
  const std::string path = TemporaryFolder() + "/none.safetensors";
  PLUMB_ASSERT_OK(WriteSafetensors(path, {}, {}));
  EXPECT_EQ(ReadFile(path).value(), FileBytes("{}      ", 0));
  const auto opened = Safetensors::Open(path);
  PLUMB_ASSERT_OK(opened);
  EXPECT_TRUE(opened->entries().empty());
}

// Made by the Python package: tools/goldens/make_safetensors.py.
TEST(SafetensorsTest, ReadsWhatThePythonPackageWrites) {
  const auto opened = Safetensors::Open(Runfile("common/tensor/testdata/all_dtypes.safetensors"));
  PLUMB_ASSERT_OK(opened);
  EXPECT_EQ(opened->metadata().at("format"), "pt");
  const at::Tensor expected = at::arange(6, at::kDouble).view({2, 3});
  for (const auto& [name, dtype] :
       std::vector<std::pair<std::string, at::ScalarType>>{{"bfloat16", at::kBFloat16},
                                                           {"float16", at::kHalf},
                                                           {"float32", at::kFloat},
                                                           {"float64", at::kDouble},
                                                           {"int8", at::kChar},
                                                           {"int16", at::kShort},
                                                           {"int32", at::kInt},
                                                           {"int64", at::kLong},
                                                           {"uint8", at::kByte},
                                                           {"float8_e4m3fn", at::kFloat8_e4m3fn},
                                                           {"float8_e5m2", at::kFloat8_e5m2},
                                                           {"uint16", at::kUInt16},
                                                           {"uint32", at::kUInt32},
                                                           {"uint64", at::kUInt64}}) {
    const auto got = opened->Get(name);
    PLUMB_ASSERT_OK(got);
    EXPECT_EQ(got->scalar_type(), dtype);
    EXPECT_TRUE(at::equal(got->to(at::kDouble), expected)) << name;
  }
  EXPECT_TRUE(at::equal(*opened->Get("bool"), expected.gt(2)));
  EXPECT_EQ(opened->Get("scalar")->sizes(), at::IntArrayRef({}));
  EXPECT_EQ(opened->Get("empty")->sizes(), at::IntArrayRef({0, 4}));
}

TEST(ShardsTest, RoundTrip) {
  const std::string folder = TemporaryFolder();
  std::vector<NamedTensor> tensors;
  for (int i = 0; i < 7; ++i) tensors.push_back({absl::StrCat("layer.", i), at::ones({10}) * i});
  tensors.push_back({"large", at::ones({100})});
  PLUMB_ASSERT_OK(WriteShardedSafetensors(folder, "model", tensors, 120));
  EXPECT_FALSE(FileExists(folder + "/model.safetensors"));
  EXPECT_TRUE(FileExists(folder + "/model-00004-of-00004.safetensors"));
  EXPECT_FALSE(FileExists(folder + "/model-00005-of-00004.safetensors"));
  EXPECT_THAT(ReadFile(folder + "/model.safetensors.index.json").value(), HasSubstr("\"total_size\": 680"));
  for (const std::string& path : {folder, folder + "/", folder + "/model.safetensors"}) {
    const auto opened = Safetensors::Open(path);
    PLUMB_ASSERT_OK(opened);
    ASSERT_EQ(opened->entries().size(), 8u);
    EXPECT_EQ(opened->entries()[3].name, "layer.3");
    EXPECT_EQ(opened->metadata().at("format"), "pt");
    for (const auto& [name, tensor] : tensors) EXPECT_TRUE(at::equal(*opened->Get(name), tensor)) << name;
  }
}

TEST(ShardsTest, OneFileWhenItFits) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteShardedSafetensors(folder, "model", {{"x", at::ones({10})}}, 40));
  EXPECT_TRUE(FileExists(folder + "/model.safetensors"));
  EXPECT_FALSE(FileExists(folder + "/model.safetensors.index.json"));
  EXPECT_EQ(Safetensors::Open(folder)->Get("x")->numel(), 10);
}

TEST(ShardsTest, AnIndexIsCheckedAgainstItsShards) {
  const std::string folder = TemporaryFolder();
  const std::string index = folder + "/model.safetensors.index.json";
  const auto error_of = [&](const std::string& text) {
    EXPECT_EQ(WriteFileAtomically(index, text), absl::OkStatus());
    return std::string(Safetensors::Open(folder).status().message());
  };
  PLUMB_ASSERT_OK(WriteSafetensors(folder + "/a.safetensors", {{"x", at::ones({1})}, {"y", at::ones({1})}}));
  EXPECT_EQ(error_of(R"({"weight_map":{"x":"a.safetensors"}})"), "");
  EXPECT_FALSE(Safetensors::Open(folder)->Contains("y"));
  EXPECT_EQ(error_of(R"({"weight_map":{"z":"a.safetensors"}})"),
            folder + "/a.safetensors: tensor \"z\" is not there, but " + index + " says so");
  EXPECT_EQ(error_of(R"({"weight_map":{"x":"b.safetensors"}})"),
            "cannot open " + folder + "/b.safetensors: No such file or directory");
  EXPECT_EQ(error_of(R"({"weight_map":{"x":"../a.safetensors"}})"),
            index + ": weight_map: \"x\": \"../a.safetensors\" is not the name of a file beside it");
  EXPECT_EQ(error_of(R"({"weight_map":{"x":3}})"), index + ": weight_map: \"x\": expected a string");
  EXPECT_EQ(error_of(R"({"weight_map":["x"]})"), index + ": weight_map: expected a JSON object");
  EXPECT_EQ(error_of("{}"), index + ": no weight_map");
  EXPECT_THAT(error_of("{"), HasSubstr("not JSON"));
}

TEST(HostileFileTest, WhatIsNoFile) {
  const std::string folder = TemporaryFolder();
  EXPECT_EQ(Safetensors::Open(folder + "/no.safetensors").status().message(),
            "cannot open " + folder + "/no.safetensors: No such file or directory");
  EXPECT_EQ(Safetensors::Open(folder).status().message(),
            "cannot open " + folder + "/model.safetensors: No such file or directory");
  ASSERT_EQ(mkfifo((folder + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(Safetensors::Open(folder + "/pipe").status().message(), folder + "/pipe: not a file");
}

TEST(HostileFileTest, Lengths) {
  EXPECT_EQ(ErrorOf(""), "0 bytes are too few for a safetensors file");
  EXPECT_EQ(ErrorOf("1234567"), "7 bytes are too few for a safetensors file");
  EXPECT_THAT(ErrorOf(std::string(8, '\xff')),
              HasSubstr("a header of 18446744073709551615 bytes in a file of 8"));
  EXPECT_THAT(ErrorOf(FileBytes("{}", 0).substr(0, 9)),
              HasSubstr("a header of 2 bytes in a file of 9; is it cut"));
  EXPECT_THAT(ErrorOf(std::string(8, '\0')), HasSubstr("not JSON"));
}

TEST(HostileFileTest, Json) {
  EXPECT_EQ(HeaderError("[]", 0), "expected a JSON object");
  EXPECT_THAT(HeaderError("{", 0), HasSubstr("not JSON"));
  EXPECT_THAT(HeaderError("{\"\xff\":1}", 0), HasSubstr("not JSON"));
  EXPECT_EQ(HeaderError(R"({"x":1})", 0), R"(tensor "x": expected {"dtype", "shape", "data_offsets"})");
  EXPECT_EQ(HeaderError(R"({"a\nb":1})", 0), R"(tensor "a\nb": expected {"dtype", "shape", "data_offsets"})");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"a":1}})", 0), R"(__metadata__: "a": expected a string)");
  EXPECT_EQ(HeaderError(R"({"__metadata__":{"a":"1","a":"2"}})", 0), R"("a" is there twice)");
  // Deep nesting must not use up the stack.
  const int depth = 1000000;
  EXPECT_EQ(HeaderError(R"({"x":)" + std::string(depth, '[') + std::string(depth, ']') + "}", 0),
            "JSON nested deeper than 3");
}

std::string OneTensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return absl::StrCat(R"({"x":{"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)", offsets,
                      "}}");
}

TEST(HostileFileTest, OneTensorsFields) {
  const auto error_of = [](const std::string& dtype, const std::string& shape, const std::string& offsets,
                           int64_t bytes) {
    const std::string error = HeaderError(OneTensor(dtype, shape, offsets), bytes);
    const std::string start = "tensor \"x\": ";
    return error.substr(0, start.size()) == start ? error.substr(start.size()) : error;
  };
  EXPECT_EQ(error_of("F32", "[2]", "[0,8]", 8), "none");
  EXPECT_EQ(error_of("F4", "[2]", "[0,1]", 1), "dtype \"F4\" is not supported");
  EXPECT_EQ(error_of("F32", "[-1]", "[0,8]", 8), "shape: expected a list of sizes");
  EXPECT_EQ(error_of("F32", "[2.0]", "[0,8]", 8), "shape: expected a list of sizes");
  EXPECT_EQ(error_of("F32", "[9223372036854775808]", "[0,8]", 8), "shape: expected a list of sizes");
  EXPECT_EQ(error_of("F32", "\"2\"", "[0,8]", 8), "shape: expected a list of sizes");
  EXPECT_EQ(error_of("F32", "[2]", "[0]", 8), "data_offsets: expected [begin, end]");
  EXPECT_EQ(error_of("F32", "[2]", "[8,0]", 8), "data_offsets: expected [begin, end]");
  EXPECT_EQ(error_of("F32", "[2]", "[0,8,9]", 8), "data_offsets: expected [begin, end]");
  EXPECT_EQ(error_of("F32", "[3]", "[0,8]", 8), "shape [3] needs 12 bytes, data_offsets [0, 8] hold 8");
  EXPECT_EQ(error_of("F32", "[4294967296,4294967296]", "[0,0]", 0),
            "shape [4294967296, 4294967296] is too large");
  EXPECT_EQ(error_of("F32", "[0,4294967296,4294967296]", "[0,0]", 0),
            "shape [0, 4294967296, 4294967296] is too large");
  EXPECT_EQ(error_of("F32", "[2]", "[0,8]", 7),
            "data ends at byte 8, but the file has 7 bytes of data; is it cut off?");
  EXPECT_EQ(error_of("F32", "[2]", "[0,8]", 9), "1 bytes after the last tensor belong to none");
  EXPECT_EQ(error_of("F32", "[2]", "[4,12]", 12),
            "data begins at byte 4 where 0 is expected: there is a gap");
  std::string ones = "[1";
  for (int i = 0; i < 64; ++i) ones += ",1";
  EXPECT_EQ(error_of("F32", ones + "]", "[0,4]", 4), "shape has 65 dimensions, at most 64 are supported");
  EXPECT_EQ(HeaderError(R"({"x":{"dtype":"F32","shape":[2]}})", 8), "tensor \"x\": no data_offsets");
  EXPECT_EQ(HeaderError(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}})", 8),
            "tensor \"x\": unknown key \"more\"");
}

TEST(HostileFileTest, SeveralTensors) {
  const std::string x = R"("x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  EXPECT_EQ(HeaderError("{" + x + "," + x + "}", 8), "\"x\" is there twice");
  EXPECT_EQ(HeaderError("{" + x + R"(,"y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12),
            "tensor \"y\": data begins at byte 4 where 8 is expected: tensors overlap");
  EXPECT_EQ(HeaderError("{" + x + R"(,"y":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}})", 20),
            "tensor \"y\": data begins at byte 12 where 8 is expected: there is a gap");
}

TEST(HostileFileTest, ABoolIsZeroOrOne) {
  std::string bytes = FileBytes(OneTensor("BOOL", "[2]", "[0,2]"), 2);
  EXPECT_TRUE(Safetensors::Open(Written(bytes))->Get("x").ok());
  bytes.back() = 2;
  const std::string path = Written(bytes);
  EXPECT_EQ(Safetensors::Open(path)->Get("x").status().message(),
            path + ": tensor \"x\": a BOOL is neither 0 nor 1");
}

TEST(HostileFileTest, MutationsGiveAnErrorOrValidTensors) {
  const std::string folder = TemporaryFolder();
  const std::string path = folder + "/model.safetensors";
  PLUMB_ASSERT_OK(WriteSafetensors(path, {{"weight", at::ones({3, 4})},
                                          {"half", at::ones({5}, at::kHalf)},
                                          {"flags", at::ones({3}, at::kBool)},
                                          {"empty", at::ones({0, 2}, at::kLong)}}));
  const std::string original = ReadFile(path).value();
  int errors = 0, survivors = 0;
  const auto check = [&](const std::string& bytes) {
    PLUMB_ASSERT_OK(WriteFileAtomically(path, bytes));
    const auto opened = Safetensors::Open(path);
    errors += !opened.ok();
    survivors += opened.ok();
    if (!opened.ok()) {
      EXPECT_THAT(std::string(opened.status().message()), HasSubstr(path));
      return;
    }
    for (const auto& entry : opened->entries()) {
      const auto tensor = opened->Get(entry.name);
      if (tensor.ok()) tensor->to(at::kDouble).sum().item<double>();  // reads every byte
    }
  };
  ForEachMutation(original, 400, check);
  ForEachMutation(original, 200, check, 8);  // of the length
  EXPECT_GT(errors, 300);
  EXPECT_GT(survivors, 20);
}

TEST(HostileFileTest, IndexMutations) {
  const std::string folder = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteShardedSafetensors(folder, "model", {{"x", at::ones({2})}, {"y", at::ones({2})}}, 8));
  const std::string path = folder + "/model.safetensors.index.json";
  const std::string original = ReadFile(path).value();
  int errors = 0;
  ForEachMutation(original, 100, [&](const std::string& bytes) {
    PLUMB_ASSERT_OK(WriteFileAtomically(path, bytes));
    const auto opened = Safetensors::Open(folder);
    errors += !opened.ok();
    EXPECT_TRUE(opened.ok() || !opened.status().message().empty());
  });
  EXPECT_GT(errors, 30);
}

TEST(WriteSafetensorsTest, RefusesWhatTheFormatDoesNotHave) {
  const std::string path = TemporaryFolder() + "/x.safetensors";
  const at::Tensor one = at::ones({1});
  const auto error_of = [&](const std::vector<NamedTensor>& tensors) {
    return std::string(WriteSafetensors(path, tensors).message());
  };
  EXPECT_EQ(error_of({{"x", one}, {"x", one}}), path + ": tensor \"x\" is there twice");
  EXPECT_EQ(error_of({{"x", at::Tensor()}}), path + ": tensor \"x\" is undefined");
  EXPECT_EQ(error_of({{"x", one.to(at::kComplexFloat)}}),
            path + ": tensor \"x\" is ComplexFloat, which safetensors does not have");
  EXPECT_EQ(error_of({{"x", one.to_sparse()}}), path + ": tensor \"x\" is not dense");
  EXPECT_EQ(error_of({{"__metadata__", one}}),
            path + ": tensor \"__metadata__\" has a name that the format keeps for itself");
  EXPECT_EQ(error_of({{"\xff", one}}), path + ": a name or a metadata string is not UTF-8");
  EXPECT_FALSE(FileExists(path));
  EXPECT_EQ(WriteSafetensors("/no/such/x.safetensors", {{"x", one}}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(WriteShardedSafetensors("/no", "model", {{"x", one}, {"x", one}}, 4).message()),
            "/no/model.safetensors: tensor \"x\" is there twice");
}

}  // namespace
}  // namespace plumb
