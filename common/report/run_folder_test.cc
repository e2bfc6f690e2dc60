#include "common/report/run_folder.h"

#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/files/files.h"
#include "common/report/event.pb.h"
#include "common/report/tensorboard.h"
#include "common/testing/testing.h"

namespace plumb {
namespace {

// The events of a TFRecord file; both checksums of every record are checked against the definition.
std::vector<TensorBoardEvent> Events(const std::string& pattern) {
  const std::string bytes = ReadFile(ExpandGlob(pattern).value().at(0)).value();
  const auto masked = [](absl::string_view part) {
    const uint32_t crc = Crc32c(part);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
  };
  std::vector<TensorBoardEvent> events;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length;
    uint32_t length_crc, crc;
    std::memcpy(&length, &bytes[at], 8);
    std::memcpy(&length_crc, &bytes[at + 8], 4);
    EXPECT_EQ(length_crc, masked(absl::string_view(bytes).substr(at, 8)));
    std::memcpy(&crc, &bytes[at + 12 + length], 4);
    EXPECT_EQ(crc, masked(absl::string_view(bytes).substr(at + 12, length)));
    events.emplace_back();
    EXPECT_TRUE(events.back().ParseFromString(bytes.substr(at + 12, length)));
    at += 16 + length;
  }
  return events;
}

TEST(TensorBoardTest, ChecksumsAreCastagnolis) {
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);            // the check value of the CRC catalogue
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
}

TEST(StageMetricsTest, WritesRowsAndEvents) {
  const std::string run = TemporaryFolder();
  auto metrics = StageMetrics::Open(run, "dpo").value();
  PLUMB_ASSERT_OK(metrics->Write(1, {{"loss", 0.5}, {"rewards/margins", -2}}));
  PLUMB_ASSERT_OK(metrics->Write(2, {{"loss", std::nan("")}}));
  const std::vector<MetricsRow> rows = ReadMetrics(run).value();
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0].stage, "dpo");
  EXPECT_EQ(rows[0].step, 1);
  EXPECT_EQ(rows[0].values, (std::map<std::string, double>{{"loss", 0.5}, {"rewards/margins", -2}}));
  EXPECT_TRUE(std::isnan(rows[1].values.at("loss")));
  const std::vector<TensorBoardEvent> events = Events(run + "/tensorboard/dpo/events*");
  ASSERT_EQ(events.size(), 3);
  EXPECT_EQ(events[0].file_version(), "brain.Event:2");
  EXPECT_EQ(events[1].step(), 1);
  EXPECT_EQ(events[1].summary().value(1).tag(), "rewards/margins");
  EXPECT_EQ(events[1].summary().value(1).simple_value(), -2);
}

TEST(StageMetricsTest, RewindingForgetsWhatCameAfter) {
  const std::string run = TemporaryFolder();
  int64_t position;
  {
    auto metrics = StageMetrics::Open(run, "sft").value();
    PLUMB_ASSERT_OK(metrics->Write(1, {{"loss", 3}}));
    position = metrics->Position().value();
    PLUMB_ASSERT_OK(metrics->Write(2, {{"loss", 2}}));
    PLUMB_ASSERT_OK(AppendToFile(run + "/metrics.jsonl", "{\"stage\":\"sft\",\"st"));  // killed here
  }
  EXPECT_EQ(ReadMetrics(run).value().size(), 2);
  auto metrics = StageMetrics::Open(run, "sft").value();
  PLUMB_ASSERT_OK(metrics->Rewind(position));
  PLUMB_ASSERT_OK(metrics->Write(2, {{"loss", 1}}));
  const std::vector<MetricsRow> rows = ReadMetrics(run).value();
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[1].values.at("loss"), 1);
  EXPECT_EQ(ExpandGlob(run + "/tensorboard/sft/*").value().size(), 1);
  EXPECT_EQ(Events(run + "/tensorboard/sft/events*").size(), 3);
  EXPECT_EQ(metrics->Rewind(1 << 20).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(RunFolderTest, SamplesOfAStageAndTimeAreReplaced) {
  const std::string run = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteSamples(run, "dpo", "before", {{"", "", "p", "one"}}));
  PLUMB_ASSERT_OK(WriteSamples(run, "dpo", "after", {{"", "", "p", "two\n\"\xff"}}));
  PLUMB_ASSERT_OK(WriteSamples(run, "dpo", "before", {{"", "", "p", "three"}}));
  const std::vector<Sample> samples = ReadSamples(run).value();
  ASSERT_EQ(samples.size(), 2);
  EXPECT_EQ(samples[0].completion, "two\n\"\xef\xbf\xbd");
  EXPECT_EQ(samples[1].completion, "three");
  EXPECT_EQ(samples[1].when, "before");
}

TEST(RunFolderTest, ADamagedFileIsNamed) {
  const std::string run = TemporaryFolder();
  PLUMB_ASSERT_OK(WriteFileAtomically(run + "/metrics.jsonl", "{}\nnonsense\n"));
  EXPECT_EQ(ReadMetrics(run).status().message(), run + "/metrics.jsonl:2: not a JSON object");
}

}  // namespace
}  // namespace plumb
