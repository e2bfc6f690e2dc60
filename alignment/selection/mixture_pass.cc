#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "alignment/selection/mixture.h"
#include "alignment/selection/row_spool.h"
#include "alignment/selection/selection_pass.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"

namespace plumb {
namespace {

class MixturePass : public SelectionPass {
 public:
  MixturePass(const PreferenceMix& config, const PassContext& context, std::vector<RowSpool> spools)
      : config_(config), context_(context), spools_(std::move(spools)) {}

  absl::Status Take(Row row, RowSink) override { return spools_[0].Append(row); }

  absl::Status Finish(RowSink emit) override {
    std::vector<MixtureSource> sources = {{spools_[0].size(), config_.weight()}};
    for (int i = 0; i < config_.source_size(); ++i) {
      sources.push_back({spools_[i + 1].size(), config_.source(i).weight()});
    }
    const auto size = config_.has_size() ? std::optional<int64_t>(config_.size()) : std::nullopt;
    const RandomStream random = RandomStream(context_.seed, "mix").Child(context_.field);
    const auto rows = Mixture(sources, size, config_.shuffle(), random);
    if (!rows.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(context_.field, ".mix: ", rows.status().message(),
                                                     " (source 0 are the rows of ", "the step before)"));
    }
    taken_.assign(spools_.size(), 0);
    for (const MixedRow& mixed : *rows) {
      PLUMB_ASSIGN_OR_RETURN(Row row, spools_[mixed.source].Read(mixed.row));
      PLUMB_RETURN_IF_ERROR(emit(std::move(row)));
      ++taken_[mixed.source];
    }
    return absl::OkStatus();
  }

  std::string Figures() const override {
    std::string figures;
    for (size_t i = 0; i < taken_.size(); ++i) {
      absl::StrAppend(&figures, i == 0 ? "" : ", ", taken_[i], " of ", spools_[i].size(),
                      i == 0 ? " that came in" : absl::StrCat(" of source[", i - 1, "]"));
    }
    return figures;
  }

 private:
  PreferenceMix config_;
  PassContext context_;
  std::vector<RowSpool> spools_;  // what comes in, then the step's own sources
  std::vector<int64_t> taken_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeMixturePass(const PreferenceMix& config,
                                                               const PassContext& context) {
  std::vector<RowSpool> spools;
  for (int i = 0; i <= config.source_size(); ++i) {
    PLUMB_ASSIGN_OR_RETURN(RowSpool spool, RowSpool::Make(context.scratch_folder));
    spools.push_back(std::move(spool));
    if (i == 0) continue;
    PLUMB_RETURN_IF_ERROR(
        ForEachRow(config.source(i - 1).data(), [&](Row row) { return spools.back().Append(row); }));
  }
  return std::make_unique<MixturePass>(config, context, std::move(spools));
}

}  // namespace plumb
