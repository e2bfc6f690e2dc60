#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "alignment/selection/attack_style.h"
#include "alignment/selection/selection_pass.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

class AttackStylePass : public SelectionPass {
 public:
  AttackStylePass(const AttackStyles& config, const PassContext& context)
      : config_(config), random_(RandomStream(context.seed, "attack styles").Child(context.field)) {}

  absl::Status Take(Row row, RowSink emit) override {
    const Record* prompt = FindColumn(row, "prompt");
    if (prompt == nullptr || !prompt->is_string()) {
      return RowError(row, "column 'prompt': expected a request, as text");
    }
    const std::string request = prompt->get<std::string>();
    const auto cross = [&](const std::string& name, const std::string& text) {
      Row attacked = row;
      attacked.record["prompt"] = text;
      attacked.record[config_.style_column()] = name;
      return emit(std::move(attacked));
    };
    if (config_.with_plain()) PLUMB_RETURN_IF_ERROR(cross("plain", request));
    const int64_t per_prompt = config_.has_per_prompt() ? config_.per_prompt() : config_.style_size();
    for (const int64_t i : StylesOfPrompt(config_.style_size(), per_prompt, random_.Child(rows_))) {
      const AttackStyles::Style& style = config_.style(static_cast<int>(i));
      PLUMB_RETURN_IF_ERROR(cross(style.name(), AttackPrompt(style.prompt(), request)));
    }
    ++rows_;
    return absl::OkStatus();
  }

 private:
  AttackStyles config_;
  RandomStream random_;
  uint64_t rows_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeAttackStylePass(const AttackStyles& config,
                                                                   const PassContext& context) {
  std::set<std::string> names = {"plain"};
  for (int i = 0; i < config.style_size(); ++i) {
    const std::string field = absl::StrCat(context.field, ".attack_styles.style[", i, "]");
    if (!absl::StrContains(config.style(i).prompt(), kRequestPlace)) {
      return absl::InvalidArgumentError(absl::StrCat(field, ".prompt: expected ", kRequestPlace, " in it"));
    }
    if (!names.insert(config.style(i).name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ".name: '", config.style(i).name(), "' is taken; choose another name"));
    }
  }
  return std::make_unique<AttackStylePass>(config, context);
}

}  // namespace plumb
