#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "alignment/eval/sufficiency.h"
#include "alignment/selection/bm25.h"
#include "alignment/selection/query_rewriting.h"
#include "alignment/selection/selection_pass.h"
#include "alignment/selection/text_embedding.h"
#include "common/program/interrupt.h"
#include "common/status/status_macros.h"

namespace plumb {
namespace {

// The tools of a repository; of one name the first counts.
struct Tools {
  absl::flat_hash_map<std::string, int64_t> places;
  std::vector<std::string> documents;  // name and description

  absl::Status Add(const Row& row, const Record& tool) {
    const Record& function = tool.is_object() && tool.contains("function") ? tool["function"] : tool;
    const auto text = [&](const char* key) -> std::string {
      const bool is_there = function.is_object() && function.contains(key) && function[key].is_string();
      return is_there ? function[key].get<std::string>() : "";
    };
    const std::string name = text("name");
    if (name.empty()) return RowError(row, "expected tools of a name and a description");
    if (places.try_emplace(name, documents.size()).second) {
      documents.push_back(absl::StrCat(name, " ", text("description")));
    }
    return absl::OkStatus();
  }
};

// Rows that are tools, and rows that have a list of them, also as JSON text.
absl::StatusOr<Tools> ReadTools(const RecordSource& source) {
  Tools tools;
  PLUMB_RETURN_IF_ERROR(ForEachRow(source, [&](const Row& row) -> absl::Status {
    const Record* column = FindColumn(row, "tools");
    if (column == nullptr) return tools.Add(row, row.record);
    Record list = *column;
    if (list.is_string()) {
      list = Record::parse(column->get_ref<const std::string&>(), nullptr, /*allow_exceptions=*/false);
    }
    if (!list.is_array())
      return RowError(row, "column 'tools': expected a list of tools, or the same as JSON text");
    for (const Record& tool : list) PLUMB_RETURN_IF_ERROR(tools.Add(row, tool));
    return absl::OkStatus();
  }));
  return tools;
}

class QueryRewritingPass : public SelectionPass {
 public:
  QueryRewritingPass(const QueryRewriting& config, Tools tools, std::optional<TextModel> model)
      : config_(config),
        tools_(std::move(tools)),
        model_(std::move(model)),
        index_({config.bm25().k1(), config.bm25().b()}) {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> points;
    for (const std::string& document : tools_.documents) {
      index_.Add(document);
      if (model_.has_value()) points.push_back(Embed(document));
    }
    if (model_.has_value()) points_ = at::cat(points);
  }

  absl::Status Take(Row row, RowSink emit) override {
    const std::string& name = config_.columns().answers();
    PLUMB_ASSIGN_OR_RETURN(const Record* rewrites, ReadAnswers(row, name));
    PLUMB_ASSIGN_OR_RETURN(const std::vector<int64_t> needed, ReadNeeded(row));
    std::vector<double> rewards;
    for (const Record& rewrite : *rewrites) {
      if (InterruptRequested()) return absl::CancelledError("stopped; nothing is written");
      if (!rewrite.is_string()) return RowError(row, absl::StrCat("column '", name, "': expected texts"));
      ranks_.push_back(NeededRanks(Scores(rewrite.get_ref<const std::string&>()), needed));
      rewards.push_back(RewriteReward(ranks_.back()));
    }
    row.record[config_.columns().scores()] = rewards;
    return emit(std::move(row));
  }

  std::string Figures() const override {
    return absl::StrFormat("%d tools; Sufficiency@1 %.3g, @5 %.3g, @10 %.3g of %d rewrites",
                           tools_.documents.size(), SufficiencyAtK(ranks_, 1), SufficiencyAtK(ranks_, 5),
                           SufficiencyAtK(ranks_, 10), ranks_.size());
  }

 private:
  at::Tensor Embed(const std::string& text) const {
    return EmbedTexts(*model_, {text}, config_.max_length());
  }

  std::vector<double> Scores(const std::string& rewrite) const {
    if (!model_.has_value()) return index_.Scores(rewrite);
    const at::NoGradGuard no_grad;
    const at::Tensor scores = points_.mv(Embed(rewrite).squeeze(0)).to(at::kDouble).contiguous();
    const double* score = scores.const_data_ptr<double>();
    return {score, score + scores.numel()};
  }

  absl::StatusOr<std::vector<int64_t>> ReadNeeded(const Row& row) const {
    const Record* names = FindColumn(row, config_.needed_column());
    const auto error = [&](absl::string_view what) {
      return RowError(row, absl::StrCat("column '", config_.needed_column(), "': ", what));
    };
    if (names == nullptr || !names->is_array() || names->empty()) {
      return error("expected a list of names of tools");
    }
    std::vector<int64_t> needed;
    for (const Record& name : *names) {
      if (!name.is_string()) return error("expected a list of names of tools");
      const auto place = tools_.places.find(name.get_ref<const std::string&>());
      if (place == tools_.places.end()) return error(absl::StrCat(name.dump(), " is none of the tools"));
      needed.push_back(place->second);
    }
    return needed;
  }

  QueryRewriting config_;
  Tools tools_;
  std::optional<TextModel> model_;
  Bm25Index index_;
  at::Tensor points_;                        // [tools, H], where a model embeds them
  std::vector<std::vector<int64_t>> ranks_;  // of each rewrite
};

}  // namespace

absl::StatusOr<std::unique_ptr<SelectionPass>> MakeQueryRewritingPass(const QueryRewriting& config,
                                                                      const PassContext& context) {
  const std::string field = context.field + ".query_rewriting";
  std::optional<TextModel> model;
  if (config.has_model()) {
    PLUMB_ASSIGN_OR_RETURN(model, OpenSelectionModel(config.model(), config.max_length(), context, field));
  }
  PLUMB_ASSIGN_OR_RETURN(Tools tools, ReadTools(config.tools()));
  return std::make_unique<QueryRewritingPass>(config, std::move(tools), std::move(model));
}

}  // namespace plumb
