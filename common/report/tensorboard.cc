#include "common/report/tensorboard.h"

#include <array>
#include <cstring>

#include "common/report/event.pb.h"

namespace plumb {
namespace {

std::array<uint32_t, 256> MakeTable() {
  constexpr uint32_t kReversedPolynomial = 0x82f63b78;
  std::array<uint32_t, 256> table;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[byte] = crc;
  }
  return table;
}

// TFRecord masks its CRCs, since a CRC of bytes that contain their own CRC is weak.
uint32_t Masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

template <typename T>
void AppendLittleEndian(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) out->push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

}  // namespace

uint32_t Crc32c(absl::string_view bytes) {
  static const std::array<uint32_t, 256> table = MakeTable();
  uint32_t crc = 0xffffffff;
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return crc ^ 0xffffffff;
}

std::string TfRecord(absl::string_view bytes) {
  std::string record;
  AppendLittleEndian<uint64_t>(bytes.size(), &record);
  AppendLittleEndian<uint32_t>(Masked(Crc32c(record)), &record);
  record.append(bytes.data(), bytes.size());
  AppendLittleEndian<uint32_t>(Masked(Crc32c(bytes)), &record);
  return record;
}

std::string ScalarEventRecord(double seconds, int64_t step, const std::map<std::string, double>& values) {
  TensorBoardEvent event;
  event.set_wall_time(seconds);
  event.set_step(step);
  for (const auto& [name, value] : values) {
    auto* scalar = event.mutable_summary()->add_value();
    scalar->set_tag(name);
    scalar->set_simple_value(static_cast<float>(value));
  }
  return TfRecord(event.SerializeAsString());
}

std::string FileVersionRecord(double seconds) {
  TensorBoardEvent event;
  event.set_wall_time(seconds);
  event.set_file_version("brain.Event:2");
  return TfRecord(event.SerializeAsString());
}

}  // namespace plumb
