#include "alignment/content_hash.h"

#include <c10/util/hash.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace plumb {

void ContentHash::Add(absl::string_view bytes) {
  // A chain of digests: a tensor of gigabytes is never copied as a whole.
  constexpr size_t kPiece = 1 << 20;
  digest_ = c10::sha1(absl::StrCat(digest_, ":", bytes.size(), ":")).str();
  for (size_t begin = 0; begin < bytes.size(); begin += kPiece) {
    digest_ = c10::sha1(absl::StrCat(digest_, bytes.substr(begin, kPiece))).str();
  }
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
