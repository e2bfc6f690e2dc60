#ifndef PLUMB_OPTIM_ZEROTH_ORDER_RANK_SGD_H_
#define PLUMB_OPTIM_ZEROTH_ORDER_RANK_SGD_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"

namespace plumb {

// ZO-RankSGD: Tang, Rybin and Chang 2024, "Zeroth-Order Optimization Meets Human Feedback: Provable Learning
// via Ranking Oracles" (arXiv 2303.03751). The objective is seen only through an (m, k)-ranking oracle: of m
// points it names the best k in order, best first. k = m is a full ranking, k = 1 the choice of one.

// What each point weighs in the rank-based estimator, in the order of the ranking, then the m - k unranked
// ones. A ranking is a graph with an edge (i, j) wherever i is known to be better than j; the estimator is
// the mean over its |E| = k (k-1) / 2 + k (m-k) edges of xi_j - xi_i (the paper's equation for g). So the
// point of rank r (from 0) counts -(m - 1 - 2 r) and an unranked one k, divided by |E|: the weights sum to 0.
std::vector<double> RankWeights(int64_t m, int64_t k);

// The estimate of the gradient's direction [d] from perturbations [m, d] (without mu, as in the paper) and
// the ranking of the points x + mu xi: sum over points of weight * xi.
at::Tensor RankGradient(const at::Tensor& perturbations, absl::Span<const int64_t> ranking);

// The (m, k)-ranking of values, smallest first; equal values in their order, NaN last.
std::vector<int64_t> RankingOf(absl::Span<const double> values, int64_t k);

struct RankSgdOptions {
  int64_t m = 15;                  // points in a query
  int64_t k = 15;                  // of which the oracle names so many
  double mu = 0.1;                 // size of a perturbation
  double step_size = 1;            // eta; the first candidate of a line search
  int64_t line_search_points = 0;  // 0: no line search; each other count costs a second query a round
  double line_search_shrink = 0.5;
  // A box, [d] each, in which x and all points of queries are kept; undefined: there is none.
  at::Tensor lower = {}, upper = {};
};

// The paper's algorithm, without and with line search, driven from outside: Ask() the points of the next
// query, Tell() their ranking. A round is one query over x + mu xi, and with line search one more over x and
// x - eta shrink^j g, whose best is the next x: a round then never makes x worse for an oracle that does not
// err. (The paper's candidates do not have x among them.)
class RankSgd {
 public:
  // `start` [d], f32 or f64. An error when an option is out of range.
  static absl::StatusOr<RankSgd> Create(const at::Tensor& start, const RankSgdOptions& options,
                                        const RandomStream& random);

  // [points, d]: m of them, or those of a line search. The same until told.
  const at::Tensor& Ask() const { return points_; }
  // How many of them the ranking has to name.
  int64_t WantedRanks() const { return searching_ ? 1 : options_.k; }
  // The best of Ask()'s points, best first.
  absl::Status Tell(absl::Span<const int64_t> ranking);

  const at::Tensor& current() const { return x_; }
  int64_t rounds() const { return rounds_; }

  // Everything a resumed run needs, by name. Loading refuses what does not fit, and changes nothing then.
  std::map<std::string, at::Tensor> State() const;
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state);

 private:
  RankSgd(const at::Tensor& start, const RankSgdOptions& options, const RandomStream& random);
  void AskAround();
  at::Tensor WithinBox(const at::Tensor& points) const;

  RankSgdOptions options_;
  RandomStream random_;
  at::Tensor x_;              // [d]
  at::Tensor perturbations_;  // [m, d]
  at::Tensor points_;
  bool searching_ = false;
  int64_t rounds_ = 0;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_ZEROTH_ORDER_RANK_SGD_H_
