#ifndef PLUMB_ALIGNMENT_CONTENT_HASH_H_
#define PLUMB_ALIGNMENT_CONTENT_HASH_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace plumb {

// SHA-1 of whatever is added, in order, as names of cached files need it. Each part is added with its length,
// so that ("ab", "c") and ("a", "bc") differ.
class ContentHash {
 public:
  void Add(absl::string_view bytes);
  void Add(const std::vector<int64_t>& values);
  void Add(const at::Tensor& tensor);  // dtype, shape and elements

  std::string Hex() const { return digest_; }

 private:
  std::string digest_;
};

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_CONTENT_HASH_H_
