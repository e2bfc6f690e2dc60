#include "common/tensor/random.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <numeric>
#include <utility>

namespace plumb {
namespace {

// The third word of the counter keeps apart what one key is used for. Part of the file format, so to speak:
// changing a value changes every run.
enum Purpose : uint32_t { kBits = 0, kNormal = 1, kNamedChild = 2, kIndexedChild = 3 };

std::array<uint64_t, 2> Block(uint64_t key, Purpose purpose, uint64_t index) {
  const auto words =
      Philox4x32({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), purpose, 0}, key);
  return {words[0] | static_cast<uint64_t>(words[1]) << 32, words[2] | static_cast<uint64_t>(words[3]) << 32};
}

// FNV-1a: the same on every machine and in every version, which absl::Hash is not.
uint64_t HashName(absl::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

double ToUniform(uint64_t bits) { return (bits >> 11) * 0x1p-53; }

// Box and Muller: two numbers from a block of two.
std::array<double, 2> ToNormals(const std::array<uint64_t, 2>& block) {
  const double radius = std::sqrt(-2 * std::log1p(-ToUniform(block[0])));
  const double angle = 2 * M_PI * ToUniform(block[1]);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Numbers 2 * block and 2 * block + 1 are pair(block); an odd size ends within a pair.
template <typename Scalar, typename Pair>
void FillPairs(Scalar* data, int64_t size, const Pair& pair) {
  at::parallel_for(0, (size + 1) / 2, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const std::array<Scalar, 2> values = pair(block);
      data[2 * block] = values[0];
      if (2 * block + 1 < size) data[2 * block + 1] = values[1];
    }
  });
}

template <typename FloatPair, typename DoublePair>
at::Tensor FilledTensor(at::IntArrayRef sizes, at::ScalarType dtype, const FloatPair& float_pair,
                        const DoublePair& double_pair) {
  at::Tensor tensor = at::empty(sizes, at::TensorOptions().dtype(dtype));
  if (dtype == at::kFloat) {
    FillPairs(tensor.mutable_data_ptr<float>(), tensor.numel(), float_pair);
  } else {
    TORCH_CHECK(dtype == at::kDouble, "random tensors are f32 or f64, not ", dtype);
    FillPairs(tensor.mutable_data_ptr<double>(), tensor.numel(), double_pair);
  }
  return tensor;
}

}  // namespace

std::array<uint32_t, 4> Philox4x32(std::array<uint32_t, 4> counter, uint64_t key) {
  uint32_t key0 = static_cast<uint32_t>(key);
  uint32_t key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

RandomStream::RandomStream(uint64_t seed, absl::string_view name)
    : key_(RandomStream(seed).Child(name).key_) {}

RandomStream RandomStream::Child(absl::string_view name) const {
  return RandomStream(Block(key_, kNamedChild, HashName(name))[0]);
}

RandomStream RandomStream::Child(uint64_t index) const {
  return RandomStream(Block(key_, kIndexedChild, index)[0]);
}

uint64_t RandomStream::Bits(uint64_t index) const { return Block(key_, kBits, index / 2)[index % 2]; }

double RandomStream::Uniform(uint64_t index) const { return ToUniform(Bits(index)); }

double RandomStream::Normal(uint64_t index) const {
  return ToNormals(Block(key_, kNormal, index / 2))[index % 2];
}

uint64_t RandomStream::Below(uint64_t index, uint64_t bound) const {
  TORCH_CHECK(bound > 0, "RandomStream::Below needs a bound above 0");
  return static_cast<uint64_t>(static_cast<unsigned __int128>(Bits(index)) * bound >> 64);
}

at::Tensor RandomStream::UniformTensor(at::IntArrayRef sizes, at::ScalarType dtype) const {
  const auto float_pair = [key = key_](int64_t block) -> std::array<float, 2> {
    const auto bits = Block(key, kBits, block);
    return {(bits[0] >> 40) * 0x1p-24f, (bits[1] >> 40) * 0x1p-24f};
  };
  const auto double_pair = [key = key_](int64_t block) -> std::array<double, 2> {
    const auto bits = Block(key, kBits, block);
    return {ToUniform(bits[0]), ToUniform(bits[1])};
  };
  return FilledTensor(sizes, dtype, float_pair, double_pair);
}

at::Tensor RandomStream::NormalTensor(at::IntArrayRef sizes, at::ScalarType dtype) const {
  const auto double_pair = [key = key_](int64_t block) { return ToNormals(Block(key, kNormal, block)); };
  const auto float_pair = [&](int64_t block) -> std::array<float, 2> {
    const auto values = double_pair(block);
    return {static_cast<float>(values[0]), static_cast<float>(values[1])};
  };
  return FilledTensor(sizes, dtype, float_pair, double_pair);
}

std::vector<int64_t> RandomStream::Permutation(int64_t size) const {
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = size - 1; i > 0; --i) std::swap(order[i], order[Below(i, i + 1)]);
  return order;
}

}  // namespace plumb
