#ifndef PLUMB_COMMON_CONFIG_OVERRIDES_H_
#define PLUMB_COMMON_CONFIG_OVERRIDES_H_

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace plumb {

// Sets one field of `recipe`, as --set does: path.to.field=value.
//
//   seed=7   name=my run                     strings need no quotes
//   data.preference.path=[a.jsonl,b.jsonl]   a whole list; one value alone is a list of one
//   stage[1].training.max_steps=10           an element; an index equal to the size appends
//   stage[0].objective[0]={sft{}}            a message in text format replaces the whole message
//
// Messages on the way are created; a field of a oneof replaces the one that was there. Errors start with the
// override, e.g. "--set stage[0].nme=x: Stage has no field 'nme'; did you mean 'name'?".
absl::Status ApplyOverride(absl::string_view override_text, google::protobuf::Message* recipe);

}  // namespace plumb

#endif  // PLUMB_COMMON_CONFIG_OVERRIDES_H_
