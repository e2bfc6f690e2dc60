#include "alignment/content_hash.h"

#include <ATen/Parallel.h>
#include <c10/util/hash.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace plumb {

void ContentHash::Add(absl::string_view bytes) {
  // A digest of digests: a tensor of gigabytes is hashed by all threads, and never copied as a whole.
  constexpr size_t kPiece = 1 << 20;
  std::vector<std::string> digests((bytes.size() + kPiece - 1) / kPiece);
  at::parallel_for(0, static_cast<int64_t>(digests.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      digests[i] = c10::sha1(std::string(bytes.substr(i * kPiece, kPiece))).str();
    }
  });
  digest_ = c10::sha1(absl::StrCat(digest_, ":", bytes.size(), ":", absl::StrJoin(digests, ""))).str();
}

void ContentHash::Add(const std::vector<int64_t>& values) {
  Add(absl::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int64_t)));
}

void ContentHash::Add(const at::Tensor& tensor) {
  const at::Tensor contiguous = tensor.detach().cpu().contiguous();
  Add(c10::toString(contiguous.scalar_type()));
  Add(contiguous.sizes().vec());
  Add(absl::string_view(static_cast<const char*>(contiguous.data_ptr()), contiguous.nbytes()));
}

}  // namespace plumb
