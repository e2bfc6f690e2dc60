#ifndef PLUMB_COMMON_CONFIG_RECIPE_H_
#define PLUMB_COMMON_CONFIG_RECIPE_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Reads the recipe at `path` (Protobuf's text format), applies `overrides` ("stage[0].training.max_steps=10",
// see overrides.h) in order, and checks the limits of every field (see limits.h). A relative path is also
// looked for in the workspace of `bazel run` and among the files that come with the program.
//
// An error is one line that starts with FILE:LINE:COLUMN or with the override, and names the nearest valid
// field or value. `recipe` is then what it was.
absl::Status LoadRecipe(const std::string& path, const std::vector<std::string>& overrides,
                        google::protobuf::Message* recipe);

// The same for a text at hand; `name` stands where the file's name stands in errors.
absl::Status ParseRecipe(absl::string_view text, const std::string& name,
                         const std::vector<std::string>& overrides, google::protobuf::Message* recipe);

}  // namespace plumb

#endif  // PLUMB_COMMON_CONFIG_RECIPE_H_
