#include "alignment/recipe_checks.h"

#include "absl/strings/str_cat.h"
#include "common/files/files.h"

namespace plumb {

absl::Status CheckIsPretrained(const ModelSource& source, const std::string& field) {
  if (source.has_pretrained()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": expected pretrained, a Hugging Face folder"));
}

absl::Status CheckOutputFile(const std::string& output_file, const std::string& field) {
  const size_t slash = output_file.rfind('/');
  if (slash == std::string::npos || FileExists(output_file.substr(0, slash + 1))) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat(field, ": ", output_file, ": there is no folder ", output_file.substr(0, slash)));
}

absl::Status CheckSameVocabulary(const ModelConfig& other, const ModelConfig& model,
                                 const std::string& field) {
  if (other.vocab_size == model.vocab_size) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": its vocabulary has ", other.vocab_size,
                                                 " tokens, the model's ", model.vocab_size));
}

}  // namespace plumb
