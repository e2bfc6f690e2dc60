#include "optim/bayesian/batch_improvement.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace plumb {
namespace {

// The lower factor of a small matrix in place, with jitter where it is needed; false when that does not help.
bool FactorSmall(int64_t q, const double* matrix, double scale, double* factor) {
  for (double jitter = 0; jitter <= 1e-4; jitter = jitter == 0 ? 1e-10 : 10 * jitter) {
    bool positive = true;
    for (int64_t i = 0; i < q && positive; ++i) {
      for (int64_t j = 0; j <= i; ++j) {
        double sum = matrix[i * q + j] + (i == j ? jitter * scale : 0);
        for (int64_t k = 0; k < j; ++k) sum -= factor[i * q + k] * factor[j * q + k];
        if (i == j && !(sum > 0)) positive = false;
        factor[i * q + j] = i == j ? std::sqrt(sum) : sum / factor[j * q + j];
      }
      for (int64_t j = i + 1; j < q; ++j) factor[i * q + j] = 0;
    }
    if (positive) return true;
  }
  return false;
}

// d_factor (lower) -> d_matrix (symmetric): L'^-1 Phi(L' d_factor) L^-1, where Phi takes the lower triangle
// and half of the diagonal.
void FactorGradient(int64_t q, const double* factor, const double* d_factor, double* d_matrix) {
  std::vector<double> p(q * q), half(q * q);
  for (int64_t i = 0; i < q; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      for (int64_t k = i; k < q; ++k) p[i * q + j] += factor[k * q + i] * d_factor[k * q + j];
      if (i == j) p[i * q + j] *= 0.5;
    }
  }
  // half = L'^-1 p, then d_matrix = half L^-1.
  for (int64_t column = 0; column < q; ++column) {
    for (int64_t i = q - 1; i >= 0; --i) {
      double sum = p[i * q + column];
      for (int64_t k = i + 1; k < q; ++k) sum -= factor[k * q + i] * half[k * q + column];
      half[i * q + column] = sum / factor[i * q + i];
    }
  }
  for (int64_t row = 0; row < q; ++row) {
    for (int64_t j = q - 1; j >= 0; --j) {
      double sum = half[row * q + j];
      for (int64_t k = j + 1; k < q; ++k) sum -= d_matrix[row * q + k] * factor[k * q + j];
      d_matrix[row * q + j] = sum / factor[j * q + j];
    }
  }
  for (int64_t i = 0; i < q; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      d_matrix[i * q + j] = d_matrix[j * q + i] = 0.5 * (d_matrix[i * q + j] + d_matrix[j * q + i]);
    }
  }
}

// log of the smooth max(t, 0), and its derivative.
double LogFatPositivePart(double t, double tau, double* derivative) {
  const double s = t / tau, cauchy = 1 / (1 + s * s);
  const double soft = s > 0 ? s + std::log1p(std::exp(-s)) : std::log1p(std::exp(s));
  const double sum = soft + 0.1 * cauchy;
  *derivative = (1 / (1 + std::exp(-s)) - 0.2 * s * cauchy * cauchy) / (tau * sum);
  return std::log(tau * sum);
}

}  // namespace

BatchImprovement::BatchImprovement(std::shared_ptr<const GaussianProcess> model, double best,
                                   at::Tensor normals, at::Tensor pending, const Options& options)
    : model_(std::move(model)),
      best_(best),
      normals_(normals.contiguous()),
      pending_(std::move(pending)),
      options_(options) {}

Evaluation BatchImprovement::Evaluate(const at::Tensor& groups, bool with_gradients) const {
  const int64_t count = groups.size(0), q = normals_.size(1), samples = normals_.size(0);
  const int64_t dimension = model_->dimension(), moving = group_size();
  at::Tensor points = groups.view({count, moving, dimension});
  if (moving < q) points = at::cat({points, pending_.unsqueeze(0).expand({count, q - moving, dimension})}, 1);
  const GroupPosterior posterior = model_->Posterior(points, with_gradients);
  Evaluation result{at::empty({count}, at::kDouble), {}};
  at::Tensor d_means = at::zeros({count, q}, at::kDouble),
             d_covariances = at::zeros({count, q, q}, at::kDouble);
  const at::Tensor covariances = posterior.covariances.contiguous();
  const double *normals = normals_.const_data_ptr<double>(),
               *means = posterior.means.const_data_ptr<double>();
  double* values = result.values.mutable_data_ptr<double>();
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    std::vector<double> factor(q * q), d_factor(q * q), logs(samples), v(q), slopes(samples * q);
    for (int64_t b = begin; b < end; ++b) {
      const double* mean = means + b * q;
      if (!FactorSmall(q, covariances.const_data_ptr<double>() + b * q * q, model_->parameters().outputscale,
                       factor.data())) {
        values[b] = std::numeric_limits<double>::quiet_NaN();
        continue;
      }
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t s = 0; s < samples; ++s) {
        const double* z = normals + s * q;
        double* slope = slopes.data() + s * q;  // of logs[s] with respect to f(x_j)
        int64_t top = 0;
        for (int64_t j = 0; j < q; ++j) {
          double f = mean[j];
          for (int64_t k = 0; k <= j; ++k) f += factor[j * q + k] * z[k];
          v[j] = LogFatPositivePart(best_ - f, options_.tau_relu, &slope[j]);
          if (v[j] > v[top]) top = j;
        }
        double total = 0, rest = 0;
        for (int64_t j = 0; j < q; ++j) {
          const double t = (v[top] - v[j]) / options_.tau_max, denominator = 2 + 2 * t + t * t;
          total += 2 / denominator;
          if (j == top) continue;
          const double fall = 4 * (1 + t) / (denominator * denominator);
          rest += fall;
          slope[j] *= -fall;
        }
        for (int64_t j = 0; j < q; ++j) {
          if (j != top) slope[j] /= total;
        }
        slope[top] *= -(1 - rest / total);
        logs[s] = v[top] + options_.tau_max * std::log(total);
        most = std::max(most, logs[s]);
      }
      for (int64_t s = 0; s < samples; ++s) sum += std::exp(logs[s] - most);
      values[b] = most + std::log(sum / samples);
      if (!with_gradients) continue;
      double* d_mean = d_means.mutable_data_ptr<double>() + b * q;
      std::fill(d_factor.begin(), d_factor.end(), 0);
      for (int64_t s = 0; s < samples; ++s) {
        const double share = std::exp(logs[s] - most) / sum;
        for (int64_t j = 0; j < q; ++j) {
          const double d_f = share * slopes[s * q + j];
          d_mean[j] += d_f;
          for (int64_t k = 0; k <= j; ++k) d_factor[j * q + k] += d_f * normals[s * q + k];
        }
      }
      FactorGradient(q, factor.data(), d_factor.data(), d_covariances.mutable_data_ptr<double>() + b * q * q);
    }
  });
  if (with_gradients) {
    result.gradients = model_->Gradient(posterior, d_means, d_covariances)
                           .narrow(1, 0, moving)
                           .reshape({count, moving * dimension});
  }
  return result;
}

}  // namespace plumb
