#ifndef PLUMB_OPTIM_PRIVATE_DP_SGD_H_
#define PLUMB_OPTIM_PRIVATE_DP_SGD_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/random.h"
#include "common/train/optimizer.h"
#include "optim/private/sampled_gaussian.h"

namespace plumb {

// DP-SGD: Abadi et al. 2016 (arXiv 1607.00133), Algorithm 1, with Poisson sampling. A step is
//   sample   each example with probability q, PoissonSample() (common/train/example_order.h)
//   clip     g_b * min(1, C / |g_b|), over all parameters at once ("flat"), ClippingFactors()
//   noise    (sum over b + N(0, (noise_multiplier C)^2)) / L, L = q * examples, DpSgd::Step()
// and whatever optimizer follows. Divided by the expected batch size L, not by how many were drawn, which is
// private. As an `Optimizer` around another one it fits the train loop as it is: clipped gradients add up in
// any number of micro-batches (a factor depends on its own example alone, so that the sum is that of one
// batch), and noise is added once, in Step(). Any task is clipped by ClippedTask (clipped_task.h), whole
// models faster by GhostClipping (ghost_clipping.h); by hand, squared norms come from
// ghost_norm.h, then gradients from output gradients that ScaleByExample() has scaled, or from a second
// backward pass of sum over b of factor_b * loss_b. Noise comes from common/kernels/normal_noise.h;
// that a sum in floating point tells some of its terms' last bits (Mironov 2012) is not defended against.

// min(1, max_grad_norm / |g_b|) from the squared norms [B]; f64 [B].
at::Tensor ClippingFactors(const at::Tensor& squared_norms, double max_grad_norm);

// Rows [N, ...] of example b (offsets as in ghost_norm.h) times factors[b].
at::Tensor ScaleByExample(const at::Tensor& rows, const at::Tensor& factors,
                          absl::Span<const int64_t> offsets);

struct DpSgdOptions {
  double noise_multiplier = 1;
  double max_grad_norm = 1;
  double sampling_rate = 0.01;
  int64_t examples = 0;
};

// Before `optimizer` steps, each gradient (the sum of clipped ones) becomes private. A parameter without a
// gradient, as after a step that drew no example, gets noise all the same: that it had none would tell.
class DpSgd : public Optimizer {
 public:
  // `parameters` are those of `optimizer`. An error when an option is out of range.
  static absl::StatusOr<std::unique_ptr<DpSgd>> Create(const DpSgdOptions& options,
                                                       std::vector<NamedParameter> parameters,
                                                       std::unique_ptr<Optimizer> optimizer,
                                                       const RandomStream& random);

  double learning_rate() const override { return optimizer_->learning_rate(); }
  void Step(double learning_rate) override;

  // The inner optimizer's, and "dp_sgd.steps" [] int64.
  std::map<std::string, at::Tensor> State() const override;
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state) override;

  // What has been spent, for an accountant.
  SampledGaussian Spent() const { return {options_.noise_multiplier, options_.sampling_rate, steps_}; }

 private:
  DpSgd(const DpSgdOptions& options, std::vector<NamedParameter> parameters,
        std::unique_ptr<Optimizer> optimizer, const RandomStream& random);

  DpSgdOptions options_;
  std::vector<NamedParameter> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  RandomStream random_;
  int64_t steps_ = 0;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_PRIVATE_DP_SGD_H_
