#ifndef PLUMB_ALIGNMENT_TOKEN_CREDIT_H_
#define PLUMB_ALIGNMENT_TOKEN_CREDIT_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "alignment/pair_batch.h"
#include "alignment/preference_data.h"
#include "common/data/tokenizer.h"

namespace plumb {

// Which tokens of an answer a policy trained by DPO takes to be good or bad: "From r to Q*: Your Language
// Model is Secretly a Q-Function" (Rafailov et al. 2024, arXiv 2404.12358, section 4.1, credit assignment).
// With rewards r and the policy optimal for them, in the token-level decision process
//
//   credit_t = beta log(pi(a_t|s_t) / pi_ref(a_t|s_t)) = r(s_t, a_t) + V*(s_{t+1}) - V*(s_t)
//
// so an answer's credits add up to its implicit reward, and those of a prefix to its rewards and the change
// of value so far. The equation's number was not looked up.
//
// One JSON row an example, without line ends: {"prompt": TEXT, "chosen": ANSWER, "rejected": ANSWER}, or
// {"prompt": TEXT, "completion": ANSWER, "label": BOOL} where answers come one by one, the label where they
// have one. ANSWER is {"tokens": [TEXT, ...], "token_ids": [...], "credit": [...]}; with an empty prompt an
// answer's first token is predicted from nothing and left out.
// `chosen` and `rejected` (undefined where the batch has none) hold log-ratios of the batch's tokens, [sum of
// lengths], in the batch's order.
std::vector<std::string> TokenCreditRows(const Pairs& pairs, const PairBatch& batch, double beta,
                                         const at::Tensor& chosen, const at::Tensor& rejected,
                                         const Tokenizer& tokenizer);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_TOKEN_CREDIT_H_
