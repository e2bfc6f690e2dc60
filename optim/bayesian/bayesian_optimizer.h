#ifndef PLUMB_OPTIM_BAYESIAN_BAYESIAN_OPTIMIZER_H_
#define PLUMB_OPTIM_BAYESIAN_BAYESIAN_OPTIMIZER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor/random.h"
#include "optim/bayesian/acquisition.h"
#include "optim/bayesian/environment.h"
#include "optim/bayesian/fit_gaussian_process.h"
#include "optim/bayesian/mixed_space.h"
#include "optim/bayesian/options.pb.h"
#include "optim/core/ask_tell.h"
#include "optim/core/sobol.h"

namespace plumb {

// Bayesian optimisation (Frazier 2018, "A Tutorial on Bayesian Optimization", arXiv 1807.02811, algorithm 1)
// behind Ask and Tell: points of a scrambled Sobol sequence first, then, each time, a Gaussian process fitted
// to all that was told, and the points where the acquisition is largest. What it asks for depends on what was
// told, is pending and was asked, and on the seed alone, so that a resumed run goes on as if it had not been
// cut off.
//
// - Pending points, and those of a batch before the last, count as if they were observed: the expected
//   improvement is the mean over samples of their values (fantasy_improvement.h), others have their posterior
//   mean (Desautels, Krause and Burdick 2014, "Parallelizing Exploration-Exploitation Tradeoffs in Gaussian
//   Process Bandit Optimization", arXiv 1206.6402).
// - A failed evaluation counts as the worst value told, so that its neighbourhood is left.
// - Constraints, once told, have a process each, and the expected improvement is the constrained one, of all
//   acquisitions; pending points then have their posterior mean.
// - Gradients, where they are told, are learnt from beside the values (fit_derivatives.h), but for what
//   options.gradient_noise() says.
// - Over fidelities that are whole numbers the process may be co-kriging's (options.co_kriging).
// - Integer and categorical coordinates are searched as such (mixed_space.h).
// - The model learns from options.related_observation(), values of other tasks (Swersky, Snoek and Adams
//   2013, "Multi-Task Bayesian Optimization"; here they are known beforehand, and never asked for).
class BayesianOptimizer : public AskTell {
 public:
  // lower, upper: [D]. Error: the box, or options that do not fit it.
  static absl::StatusOr<std::unique_ptr<BayesianOptimizer>> Create(at::Tensor lower, at::Tensor upper,
                                                                   const BayesianOptions& options,
                                                                   uint64_t seed);

  std::string name() const override { return "bayesian_optimizer"; }

  // The process fitted to the values told so far, of features of points (mixed_space.h; in a box of reals
  // alone, points in its units). Error: nothing was told that did not fail, or the fit's own.
  absl::StatusOr<std::shared_ptr<const GaussianProcess>> Model();

  // The point that the model believes best, [D]: the minimiser of the posterior mean, of f at the highest
  // fidelity or of its mean over the conditions where the acquisition is one for these (environmental
  // coordinates then are the first condition's). Constraints do not count. Error: as Model().
  absl::StatusOr<at::Tensor> Recommend() override;

 protected:
  absl::StatusOr<at::Tensor> Propose(int64_t count) override;

 private:
  BayesianOptimizer(at::Tensor lower, at::Tensor upper, const BayesianOptions& options, uint64_t seed,
                    SobolSequence sequence, MixedSpace space, Environment environment);

  absl::Status Fit();
  // The process of what was told: values, and Slopes() unless undefined, at features.
  absl::StatusOr<GaussianProcess> FitModel(const at::Tensor& features, const at::Tensor& values,
                                           const at::Tensor& slopes) const;
  // The gradients told, of features: [told, F], NaN where none was. Undefined where there are none, or where
  // the model is one that ignores them (options.proto, gradient_noise).
  at::Tensor Slopes() const;
  // The least value that did not fail, feasible if any is.
  double Incumbent() const;
  // One acquisition for `group` further points, when those of features `pending` [P, F] are on their way.
  absl::StatusOr<std::unique_ptr<Acquisition>> MakeAcquisition(const at::Tensor& pending, int64_t group,
                                                               const RandomStream& stream);
  absl::StatusOr<at::Tensor> Maximize(const Acquisition& acquisition, const RandomStream& stream) const;

  BayesianOptions options_;
  RandomStream stream_;
  SobolSequence sequence_;
  MixedSpace space_;
  Environment environment_;  // of features; fidelity 1 is one condition, none is none
  // Of options_.related_observation(): features [R, F], values [R], tasks from 1.
  at::Tensor related_features_, related_values_;
  std::vector<int64_t> related_tasks_;
  int64_t fitted_ = -1;  // how much was told when the models were fitted
  std::shared_ptr<const GaussianProcess> model_;
  std::vector<std::shared_ptr<const GaussianProcess>> constraint_models_;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_BAYESIAN_BAYESIAN_OPTIMIZER_H_
