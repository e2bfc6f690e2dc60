#ifndef PLUMB_ALIGNMENT_EVALUATE_RECIPE_H_
#define PLUMB_ALIGNMENT_EVALUATE_RECIPE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "alignment/recipe.pb.h"

namespace plumb {

// Figures of the recipe's model on its data (of data.eval_fraction or data.eval_* the held-out part, else
// all), by name:
//   perplexity/chosen, perplexity/rejected   exp(-mean log-probability of an answer's tokens)
//   logps/chosen, logps/rejected             means of the answers' sums
//   logps/accuracies                         share of pairs whose chosen answer is the likelier one
//   logps/average_accuracies                 the same by the mean over an answer's tokens
// and with a reference
//   rewards/chosen, rewards/rejected, rewards/margins, rewards/accuracies   as TRL: beta times the log-ratio
//   kl/token, kl/sequence                    KL(model || reference) over the whole vocabulary, exact at each
//                                            token of the data's answers
// and with a reward model, which shows its explicit rewards beside the model's implicit ones (Lin et al.
// 2024, arXiv 2409.03650: the latter generalise less well)
//   reward_model/chosen, reward_model/rejected, reward_model/margins, reward_model/accuracies
// For data.text: perplexity, logps and kl/*.
// With recipe.credit_file, what each token counts for is written there, all at once in the end
// (alignment/token_credit.h).
absl::StatusOr<std::map<std::string, double>> EvaluateFromRecipe(const EvaluateRecipe& recipe);

}  // namespace plumb

#endif  // PLUMB_ALIGNMENT_EVALUATE_RECIPE_H_
