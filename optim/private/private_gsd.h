#ifndef PLUMB_OPTIM_PRIVATE_PRIVATE_GSD_H_
#define PLUMB_OPTIM_PRIVATE_PRIVATE_GSD_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"

namespace plumb {

// Private-GSD: Liu, Tang, Vietri and Wu 2023, "Generating Private Synthetic Data with Genetic Algorithms"
// (arXiv 2306.03257): noisy answers to statistical queries are released, then a genetic algorithm looks for a
// dataset that has them. Only the release reads the data, so that the search may take as long as it likes.
//
// Not verified: the paper's figures on the American Community Survey; how often its code mutates and how
// often it crosses (here either with probability 1/2, no bandit).

// A dataset is f64 [rows, columns]: codes 0 .. categories-1 of a categorical column, numbers in [0, 1] of a
// real one.
struct Column {
  int64_t categories = 0;  // 0: real
};

// A statistic of a dataset is the share of its rows for which a predicate holds.
class QueryFamily {
 public:
  virtual ~QueryFamily() = default;
  virtual int64_t Count() const = 0;
  // The most that the 0/1 answers of two rows differ, as a 2-norm.
  virtual double Sensitivity() const = 0;
  // Calls change(query, +1 or -1) for each answer that differs between rows; `before` null: for each that
  // holds.
  using Change = std::pair<int64_t, double>;
  virtual void Changes(const double* before, const double* after, std::vector<Change>* changes) const = 0;
};

// All cells of the marginals over the given sets of categorical columns.
std::unique_ptr<QueryFamily> MarginalQueries(absl::Span<const Column> columns,
                                             std::vector<std::vector<int64_t>> sets);

// x_c <= threshold for every condition of a query; categorical columns by x_c == threshold.
struct PrefixCondition {
  int64_t column = 0;
  double threshold = 0;
};
std::unique_ptr<QueryFamily> PrefixQueries(absl::Span<const Column> columns,
                                           std::vector<std::vector<PrefixCondition>> queries);

// weights[q] . x <= thresholds[q]; weights [queries, columns], thresholds [queries], f64.
std::unique_ptr<QueryFamily> HalfSpaceQueries(const at::Tensor& weights, const at::Tensor& thresholds);

// All queries of several families, one family after the other.
std::unique_ptr<QueryFamily> JointQueries(std::vector<std::unique_ptr<QueryFamily>> families);

// Shares of rows, [Count()] f64.
std::vector<double> Answers(const QueryFamily& queries, const at::Tensor& dataset);

// The zero-concentrated privacy rho whose guarantee at `delta` is `epsilon`: epsilon = rho + 2 sqrt(rho log(1
// / delta)) (Bun and Steinke 2016, arXiv 1605.02065, Proposition 1.3).
absl::StatusOr<double> ZcdpRho(double epsilon, double delta);

// Answers plus N(0, sensitivity^2 / (2 rho rows^2)): rho-zCDP when one row is replaced by another; the number
// of rows is public.
std::vector<double> NoisyAnswers(const QueryFamily& queries, const at::Tensor& dataset, double rho,
                                 const RandomStream& random);

// Of several families, one family after the other, each with the same share of rho: rho-zCDP together.
std::vector<double> NoisyAnswers(absl::Span<const std::unique_ptr<QueryFamily>> families,
                                 const at::Tensor& dataset, double rho, const RandomStream& random);

struct PrivateGsdOptions {
  int64_t rows = 500;  // of the synthetic dataset
  int64_t elites = 5;
  int64_t candidates = 50;  // a generation
  int64_t max_generations = 100000;
  double tolerance = 1e-4;  // ends when the error fell less, relatively, over max(100, rows) generations
};

struct PrivateGsdResult {
  at::Tensor dataset;  // [rows, columns]
  double error = 0;    // squared 2-norm of answers - targets
  int64_t generations = 0;
  bool converged = false;  // by the tolerance, rather than max_generations
};

// A candidate is an elite with one row edited: one cell drawn anew (mutation), or taken from another row of
// an elite (crossover). Its error costs the answers that the edit changes, O(marginals) for marginals. The
// best of elites and candidates survive. A CancelledError: interrupted.
absl::StatusOr<PrivateGsdResult> PrivateGsd(absl::Span<const Column> columns, const QueryFamily& queries,
                                            absl::Span<const double> targets,
                                            const PrivateGsdOptions& options, const RandomStream& random);

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_PRIVATE_GSD_H_
