// Huang et al. 2024: whom to trust, a context or oneself, by confidence.

#include "alignment/selection/situated_faithfulness.h"

#include <algorithm>
#include <vector>

#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "tools/replicate/claim.h"

namespace plumb {
namespace {

constexpr int64_t kQuestions = 2000, kSamples = 10;
constexpr double kRightContext = 0.5, kNoise = 0.3;

// A question that the model answers rightly with a probability of its own. Its confidence in its answer is
// the share of kSamples answers that agree with the most frequent one, of two that there are; that in the
// context is higher for right ones, with noise.
struct Question {
  explicit Question(const RandomStream& random) {
    const double knowledge = random.Uniform(0);
    int64_t right = 0;
    for (int64_t i = 0; i < kSamples; ++i) right += random.Child("sample").Uniform(i) < knowledge ? 1 : 0;
    internal_is_right = 2 * right > kSamples || (2 * right == kSamples && random.Uniform(1) < 0.5);
    internal_confidence = static_cast<double>(std::max(right, kSamples - right)) / kSamples;
    context_is_right = random.Uniform(2) < kRightContext;
    const double noise = kNoise * (random.Uniform(3) - 0.5) * 2;
    context_confidence = std::clamp((context_is_right ? 0.8 : 0.6) + noise, 0.0, 1.0);
  }
  bool internal_is_right = false, context_is_right = false;
  double internal_confidence = 0, context_confidence = 0;
};

absl::StatusOr<Comparison> Run(uint64_t seed) {
  std::vector<SituatedAnswer> by_confidence, by_context;
  for (int64_t i = 0; i < kQuestions; ++i) {
    const Question question(RandomStream(seed, "situated faithfulness").Child(static_cast<uint64_t>(i)));
    const TrustedSource trusted =
        TrustByComparison(question.internal_confidence, question.context_confidence);
    by_confidence.push_back({question.context_is_right, trusted == TrustedSource::kContext
                                                            ? question.context_is_right
                                                            : question.internal_is_right});
    by_context.push_back({question.context_is_right, question.context_is_right});
  }
  return Comparison{SituatedFaithfulness(by_confidence).value(), SituatedFaithfulness(by_context).value()};
}

const bool kRegistered = RegisterClaim(
    {"situated_faithfulness",
     "Huang et al. 2024, Enhancing Large Language Models' Situated Faithfulness to External Contexts (arXiv "
     "2410.14675)",
     "Trusting whichever of the model's own answer and the context's has the higher confidence exceeds "
     "trusting the context.",
     "rule-based confidence reasoning", "the context",
     "mean of the accuracies where the context is right and where it is wrong", /*lower_is_better=*/false,
     /*seeds=*/10,
     "simulated answers to 2,000 questions, of whose contexts half are right: who trusts them always has 0.5 "
     "for that. Contexts that are right have a confidence higher by 0.2, with noise of up to 0.3; no "
     "language model is asked, and neither self-guided reasoning nor CR-DPO is part of this run.",
     Run});

}  // namespace
}  // namespace plumb
