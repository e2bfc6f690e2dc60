#include "optim/bilevel/bsvrb.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

using Version = BsvrbOptions::Version;

absl::Status CheckOptions(const BsvrbOptions& o, int64_t blocks) {
  const auto error = [](const auto&... what) { return absl::InvalidArgumentError(absl::StrCat(what...)); };
  if (o.block_batch < 1 || o.block_batch > blocks) {
    return error("block_batch ", o.block_batch, ": must be within [1, ", blocks, "], the blocks");
  }
  if (o.sample_batch < 1) return error("sample_batch ", o.sample_batch, ": must be at least 1");
  if (!(o.alpha > 0 && o.alpha < 1)) return error("alpha ", o.alpha, ": must be within (0, 1)");
  if (!(o.beta > 0 && o.beta <= 1)) return error("beta ", o.beta, ": must be within (0, 1]");
  if (!(o.step_x > 0 && o.step_y > 0 && o.step_v > 0)) {
    return error("steps ", o.step_x, ", ", o.step_y, ", ", o.step_v, ": must be above 0");
  }
  if (!(o.mu > 0)) return error("mu ", o.mu, ": must be above 0");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Bsvrb> Bsvrb::Create(MultiBlockProblem problem, const at::Tensor& x, const at::Tensor& y,
                                    const BsvrbOptions& options, const RandomStream& random) {
  PLUMB_RETURN_IF_ERROR(CheckOptions(options, problem.blocks));
  PLUMB_RETURN_IF_ERROR(CheckShape("x", x, {kAny}));
  PLUMB_RETURN_IF_ERROR(CheckShape("y", y, {problem.blocks, kAny}));
  Bsvrb method(std::move(problem), x, options, random);
  method.z_ = at::zeros_like(x);
  for (int64_t i = 0; i < method.problem_.blocks; ++i) {
    const RandomStream stream = random.Child("start").Child(i);
    const BlockDerivatives at(method.problem_, i, x, y[i],
                              method.Samples(stream.Child(0), method.problem_.upper_samples),
                              method.Samples(stream.Child(1), method.problem_.lower_samples), &method.calls_);
    Block block;
    block.y = block.y_before = y[i].clone();
    block.slope = at.LowerInY();
    method.z_ += at.UpperInX() / method.problem_.blocks;
    if (options.version == Version::kHessian) {
      const BlockDerivatives::Products second = at.OfEachUnit();
      block.hessian = block.hessian_before = method.AboveMu(second.hessian);
      block.v = at::linalg_solve(block.hessian, at.UpperInY());
      method.z_ -= at::mv(second.cross.t(), block.v) / method.problem_.blocks;
    } else {
      block.v = block.v_before = at::zeros_like(y[i]);
      block.residual = -at.UpperInY();
    }
    method.blocks_.push_back(std::move(block));
  }
  return method;
}

at::Tensor Bsvrb::Samples(const RandomStream& random, int64_t size) const {
  const at::Tensor samples = at::empty({options_.sample_batch}, at::kLong);
  for (int64_t i = 0; i < options_.sample_batch; ++i) {
    samples.mutable_data_ptr<int64_t>()[i] = random.Below(i, size);
  }
  return samples;
}

at::Tensor Bsvrb::Track(const at::Tensor& estimate, const at::Tensor& now, const at::Tensor& before) const {
  const double alpha = options_.alpha, sampled = options_.block_batch;
  const double gamma = (problem_.blocks - sampled) / (sampled * (1 - alpha)) + 1 - alpha;
  return (1 - alpha) * estimate + (alpha + gamma) * now - gamma * before;
}

// The nearest symmetric matrix without an eigenvalue below mu.
at::Tensor Bsvrb::AboveMu(const at::Tensor& hessian) const {
  const auto [values, vectors] = at::linalg_eigh((hessian + hessian.t()) / 2);
  return at::mm(vectors * values.clamp_min(options_.mu), vectors.t());
}

void Bsvrb::Step() {
  const RandomStream stream = random_.Child("step").Child(iterations_);
  const std::vector<int64_t> order = stream.Child("blocks").Permutation(problem_.blocks);
  at::Tensor now_mean = at::zeros_like(x_), before_mean = at::zeros_like(x_);
  for (Block& block : blocks_) ++block.missed;
  std::vector<at::Tensor> next_hessian(blocks_.size());
  for (int64_t k = 0; k < options_.block_batch; ++k) {
    const int64_t i = order[k];
    Block& block = blocks_[i];
    const at::Tensor upper = Samples(stream.Child("upper").Child(k), problem_.upper_samples),
                     lower = Samples(stream.Child("lower").Child(k), problem_.lower_samples);
    const BlockDerivatives now(problem_, i, x_, block.y, upper, lower, &calls_),
        before(problem_, i, x_before_, block.y_before, upper, lower, &calls_);
    block.slope = Track(block.slope, now.LowerInY(), before.LowerInY());
    at::Tensor v = block.v, v_before = block.v_before, cross, cross_before;
    if (options_.version == Version::kHessian) {
      v = at::linalg_solve(block.hessian, now.UpperInY());
      v_before = at::linalg_solve(block.hessian_before, before.UpperInY());
      const BlockDerivatives::Products second = now.OfEachUnit(), second_before = before.OfEachUnit();
      next_hessian[i] = AboveMu(Track(block.hessian, second.hessian, second_before.hessian));
      cross = at::mv(second.cross.t(), v);
      cross_before = at::mv(second_before.cross.t(), v_before);
    } else {
      const BlockDerivatives::Products second = now.Times(v), second_before = before.Times(v_before);
      block.residual =
          Track(block.residual, second.hessian - now.UpperInY(), second_before.hessian - before.UpperInY());
      cross = second.cross;
      cross_before = second_before.cross;
    }
    now_mean += (now.UpperInX() - cross) / options_.block_batch;
    before_mean += (before.UpperInX() - cross_before) / options_.block_batch;
  }

  for (int64_t i = 0; i < problem_.blocks; ++i) {
    Block& block = blocks_[i];
    const bool sampled = std::find(order.begin(), order.begin() + options_.block_batch, i) !=
                         order.begin() + options_.block_batch;
    block.y_before = block.y;
    block.v_before = block.v;
    block.hessian_before = block.hessian;
    if (options_.version == Version::kHessian) {
      block.y = block.y - options_.step_y * block.slope;
      if (sampled) block.hessian = next_hessian[i];
    } else if (sampled) {
      block.y = block.y - options_.step_y * block.missed * block.slope;
      block.v = block.v - options_.step_v * block.missed * block.residual;
      const double length = block.v.norm().item<double>();
      if (length > options_.longest_v) block.v = block.v * (options_.longest_v / length);
    }
    if (sampled) block.missed = 0;
  }
  z_ = (1 - options_.beta) * (z_ - before_mean) + now_mean;
  x_before_ = x_;
  x_ = x_ - options_.step_x * z_;
  ++iterations_;
}

at::Tensor Bsvrb::y() const {
  std::vector<at::Tensor> rows;
  for (const Block& block : blocks_) rows.push_back(block.y);
  return at::stack(rows);
}

}  // namespace plumb
