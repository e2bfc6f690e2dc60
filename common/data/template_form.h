#ifndef PLUMB_COMMON_DATA_TEMPLATE_FORM_H_
#define PLUMB_COMMON_DATA_TEMPLATE_FORM_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace plumb {

// A chat template (Jinja, under transformers' trim_blocks and lstrip_blocks) in a form that is the same for
// templates which differ in their spelling alone: whitespace and its control, quotes and escapes, comments,
// a['b'] or a.b, .strip() or |trim, output as text, as a sum or piece by piece, the words of an error, and
// {% generation %}, which only marks. Templates of equal form render every conversation alike.
//
// Statements stand as ⟦if x=='y'⟧, expressions as ⟨x.y⟩, all else is the text itself. Nothing when the
// template cannot be read.
std::optional<std::string> TemplateForm(absl::string_view jinja);

// Whether a form is that of a known template, in which every ⟨NAME⟩ may stand for a text, the same
// everywhere; `text` is that text.
bool MatchesForm(absl::string_view form, absl::string_view known, absl::string_view name, std::string* text);

}  // namespace plumb

#endif  // PLUMB_COMMON_DATA_TEMPLATE_FORM_H_
