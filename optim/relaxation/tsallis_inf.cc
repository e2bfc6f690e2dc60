#include "optim/relaxation/tsallis_inf.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace plumb {

std::vector<double> RelaxationGrid(int64_t count) {
  std::vector<double> omegas(count, 1.0);
  for (int64_t i = 1; i < count; ++i) omegas[i] = 1 + 0.95 * i / (count - 1);
  return omegas;
}

int64_t DrawAction(const std::vector<double>& probabilities, double uniform) {
  double below = 0;
  for (size_t i = 0; i + 1 < probabilities.size(); ++i) {
    below += probabilities[i];
    if (uniform < below) return i;
  }
  return probabilities.size() - 1;
}

TsallisInf::TsallisInf(int64_t actions, const RandomStream& random) : random_(random), estimates_(actions) {
  TORCH_CHECK(actions >= 1, "TsallisInf: no action to choose from");
}

std::vector<double> TsallisInf::Probabilities() const {
  const double eta = 2 / std::sqrt(rounds_ + 1.0);
  // Their sum grows with x and is convex; where it is at least 1, Newton's steps go down to the root without
  // passing it.
  double x = *std::min_element(estimates_.begin(), estimates_.end()) / scale_ - 2 / eta;
  std::vector<double> probabilities(estimates_.size());
  for (int step = 0; step < 50; ++step) {
    double sum = 0, slope = 0;
    for (size_t i = 0; i < probabilities.size(); ++i) {
      const double root = 2 / (eta * (estimates_[i] / scale_ - x));
      probabilities[i] = root * root;
      sum += probabilities[i];
      slope += eta * root * root * root;
    }
    if (std::abs(sum - 1) < 1e-13) break;
    x -= (sum - 1) / slope;
  }
  return probabilities;
}

int64_t TsallisInf::Choose(double) {
  const std::vector<double> probabilities = Probabilities();
  chosen_ = DrawAction(probabilities, random_.Uniform(rounds_));
  probability_ = probabilities[chosen_];
  return chosen_;
}

void TsallisInf::Tell(double cost) {
  ++rounds_;
  sum_ += cost - 1;
  estimates_[chosen_] += (cost - 1) / probability_;
  if (sum_ > 0) scale_ = sum_ / rounds_;
}

Bandit::Numbers TsallisInf::StateNumbers() const {
  return {{"estimates", estimates_},
          {"scale", {scale_}},
          {"sum", {sum_}},
          {"rounds", {static_cast<double>(rounds_)}},
          {"chosen", {static_cast<double>(chosen_)}},
          {"probability", {probability_}}};
}

absl::Status TsallisInf::SetStateNumbers(const Numbers& numbers) {
  const auto number = [&](const char* name) { return numbers.at(name)[0]; };
  PLUMB_RETURN_IF_ERROR(CheckRounds(number("rounds"), number("chosen"), estimates_.size()));
  if (!(number("scale") > 0 && number("probability") > 0)) {
    return absl::InvalidArgumentError("state of a bandit: scale and probability must be above 0");
  }
  estimates_ = numbers.at("estimates");
  scale_ = number("scale");
  sum_ = number("sum");
  rounds_ = number("rounds");
  chosen_ = number("chosen");
  probability_ = number("probability");
  return absl::OkStatus();
}

BinnedTsallisInf::BinnedTsallisInf(int64_t actions, int64_t bins, double lower, double upper,
                                   const RandomStream& random)
    : lower_(lower), upper_(upper) {
  TORCH_CHECK(bins >= 1 && lower < upper, "BinnedTsallisInf: no bin to choose from");
  for (int64_t bin = 0; bin < bins; ++bin) bins_.emplace_back(actions, random.Child(bin));
}

int64_t BinnedTsallisInf::Choose(double context) {
  const double bins = bins_.size();
  chosen_ = std::clamp(std::floor((context - lower_) / (upper_ - lower_) * bins), 0.0, bins - 1);
  return bins_[chosen_].Choose(context);
}

Bandit::Numbers BinnedTsallisInf::StateNumbers() const {
  Numbers numbers = {{"chosen_bin", {static_cast<double>(chosen_)}}};
  for (size_t bin = 0; bin < bins_.size(); ++bin) {
    for (auto& [name, values] : bins_[bin].StateNumbers())
      numbers[absl::StrCat("bin.", bin, ".", name)] = values;
  }
  return numbers;
}

absl::Status BinnedTsallisInf::SetStateNumbers(const Numbers& numbers) {
  const double chosen = numbers.at("chosen_bin")[0];
  PLUMB_RETURN_IF_ERROR(CheckRounds(/*rounds=*/0, chosen, bins_.size()));
  std::vector<TsallisInf> next = bins_;
  for (size_t bin = 0; bin < next.size(); ++bin) {
    Numbers own = next[bin].StateNumbers();
    for (auto& [name, values] : own) values = numbers.at(absl::StrCat("bin.", bin, ".", name));
    PLUMB_RETURN_IF_ERROR(next[bin].SetStateNumbers(own));
  }
  bins_ = std::move(next);
  chosen_ = chosen;
  return absl::OkStatus();
}

}  // namespace plumb
