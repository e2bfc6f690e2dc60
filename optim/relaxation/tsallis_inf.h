#ifndef PLUMB_OPTIM_RELAXATION_TSALLIS_INF_H_
#define PLUMB_OPTIM_RELAXATION_TSALLIS_INF_H_

#include <cstdint>
#include <vector>

#include "common/tensor/random.h"
#include "optim/relaxation/bandit.h"

namespace plumb {

// `count` values of omega, evenly from 1 to 1.95: the grid of the experiments of Learning to Relax.
std::vector<double> RelaxationGrid(int64_t count = 20);

// Tsallis-INF (Zimmert and Seldin 2021, "Tsallis-INF: An Optimal Algorithm for Stochastic and Adversarial
// Bandits", arXiv 1807.07623) as algorithm 1 of Learning to Relax (bandit.h): in round t action i is drawn
// with probability
//
//   p_i = 4 / (eta (k_i / scale - x))^2,  eta = 2 / sqrt(t),  x such that they sum to 1,
//
// where k_i sums (cost - 1) / p_i of the rounds that chose i. `scale` is the mean of cost - 1 so far, as in
// the authors' program; the paper divides by an upper bound of the cost.
class TsallisInf : public Bandit {
 public:
  // actions: at least 1.
  TsallisInf(int64_t actions, const RandomStream& random);

  int64_t Choose(double context) override;
  void Tell(double cost) override;

  friend class BinnedTsallisInf;

  std::vector<double> Probabilities() const;                           // of the next round
  const std::vector<double>& estimates() const { return estimates_; }  // k
  double scale() const { return scale_; }

 protected:
  Numbers StateNumbers() const override;
  absl::Status SetStateNumbers(const Numbers& numbers) override;

 private:
  RandomStream random_;
  std::vector<double> estimates_;
  double scale_ = 1, sum_ = 0;
  int64_t rounds_ = 0, chosen_ = 0;
  double probability_ = 1;
};

// A Tsallis-INF for each of `bins` equal parts of the contexts' range, by itself (section 4 of Learning to
// Relax, what ChebyshevBandit is compared with).
class BinnedTsallisInf : public Bandit {
 public:
  // bins: at least 1; lower < upper. A context outside belongs to the nearest part.
  BinnedTsallisInf(int64_t actions, int64_t bins, double lower, double upper, const RandomStream& random);

  int64_t Choose(double context) override;
  void Tell(double cost) override { bins_[chosen_].Tell(cost); }

 protected:
  Numbers StateNumbers() const override;
  absl::Status SetStateNumbers(const Numbers& numbers) override;

 private:
  std::vector<TsallisInf> bins_;
  double lower_, upper_;
  int64_t chosen_ = 0;
};

// The action that a number within [0, 1) draws.
int64_t DrawAction(const std::vector<double>& probabilities, double uniform);

}  // namespace plumb

#endif  // PLUMB_OPTIM_RELAXATION_TSALLIS_INF_H_
