#ifndef PLUMB_COMMON_CONFIG_RESOLVED_H_
#define PLUMB_COMMON_CONFIG_RESOLVED_H_

#include <google/protobuf/message.h>

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plumb {

// The recipe as a run uses it: text format with every default that is declared filled in, in each message
// that is there, and in each that is `implied` (limits.proto). Loading it again gives the same run. Fields
// stand in the order of their numbers.
std::string PrintResolved(const google::protobuf::Message& recipe);

// 16 hexadecimal digits, the same for recipes that resolve to the same text.
std::string RecipeHash(const google::protobuf::Message& recipe);

// One entry a field in which two recipes of the same type differ once resolved:
// "stage[0].optimizer.adamw.learning_rate: 1e-06 -> 2e-06". Fields whose full names are in `ignored`
// ("plumb.TrainingOptions.save_steps") do not count, nor does what is below them.
std::vector<std::string> DifferingFields(const google::protobuf::Message& before,
                                         const google::protobuf::Message& after,
                                         const std::set<std::string>& ignored = {});

// Refuses to go on in `place` ("runs/mine/dpo/checkpoint-12"), which the recipe `before` made, with a recipe
// that differs from it but for `ignored`; the message names the first field.
absl::Status CheckSameRecipe(absl::string_view place, const google::protobuf::Message& before,
                             const google::protobuf::Message& after,
                             const std::set<std::string>& ignored = {});
// The same refusal, for another difference than a field's.
absl::Status DifferentRecipeError(absl::string_view place, absl::string_view difference);

// Puts what `over` sets over `base`, field by field: messages are merged, a list that is not empty replaces
// the list, a field of a oneof replaces the one that was there. Both must be of the same type.
void MergeOver(const google::protobuf::Message& over, google::protobuf::Message* base);

}  // namespace plumb

#endif  // PLUMB_COMMON_CONFIG_RESOLVED_H_
