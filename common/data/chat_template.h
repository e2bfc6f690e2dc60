#ifndef PLUMB_COMMON_DATA_CHAT_TEMPLATE_H_
#define PLUMB_COMMON_DATA_CHAT_TEMPLATE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/data/example_tokens.h"
#include "common/data/tokenizer.h"

namespace plumb {

// How conversations become text. `name` is a recipe's chat_template: "auto" takes the template that the
// tokenizer came with; "none" is plain text; else one of ChatTemplateNames(). The renderer is null where
// there is no template. Of a tokenizer's template that is not recognised it is one that refuses every
// conversation. The text is what transformers' apply_chat_template gives; what a template has no place for (a
// role, tools) is refused.
absl::StatusOr<ChatRenderer> MakeChatRenderer(const std::string& name, const Tokenizer& tokenizer);

// "mistral" is mistral_v0_3, "qwen" is qwen2_5.
std::vector<std::string> ChatTemplateNames();

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_CHAT_TEMPLATE_H_
