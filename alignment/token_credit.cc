#include "alignment/token_credit.h"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

Json AnswerJson(const std::vector<int64_t>& ids, const Segment& segment, int64_t offset, double beta,
                const at::Tensor& log_ratios, const Tokenizer& tokenizer) {
  Json tokens = Json::array(), token_ids = Json::array(), credit = Json::array();
  const at::Tensor values = log_ratios.to(at::kDouble).contiguous();
  const double* value = values.const_data_ptr<double>() + segment.begin - offset;
  for (size_t i = ids.size() - segment.length(); i < ids.size(); ++i, ++value) {
    tokens.push_back(tokenizer.Decode({ids[i]}, /*skip_special_tokens=*/false));
    token_ids.push_back(ids[i]);
    credit.push_back(beta * *value);
  }
  return {{"tokens", tokens}, {"token_ids", token_ids}, {"credit", credit}};
}

}  // namespace

std::vector<std::string> TokenCreditRows(const Pairs& pairs, const PairBatch& batch, double beta,
                                         const at::Tensor& chosen, const at::Tensor& rejected,
                                         const Tokenizer& tokenizer) {
  std::vector<std::string> rows;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const TokenizedPreference& pair = *pairs[i];
    Json row = {{"prompt", tokenizer.Decode(pair.prompt_ids, /*skip_special_tokens=*/false)}};
    const bool paired = rejected.defined();
    row[paired ? "chosen" : "completion"] =
        AnswerJson(pair.chosen_ids, batch.chosen[i], 0, beta, chosen, tokenizer);
    if (paired) {
      row["rejected"] =
          AnswerJson(pair.rejected_ids, batch.rejected[i], batch.chosen_tokens(), beta, rejected, tokenizer);
    }
    if (pair.label.has_value()) row["label"] = *pair.label;
    // Bytes of a token that is part of a character are no UTF-8.
    rows.push_back(row.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return rows;
}

}  // namespace plumb
