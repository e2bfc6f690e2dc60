#include "optim/bayesian/derivative_prior.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {
namespace {

// Rows [M, D] or [M, D + 1].
struct Observed {
  Observed(const at::Tensor& rows, int64_t dimension)
      : data(rows.const_data_ptr<double>()), width(rows.size(1)), dimension(dimension) {}
  const double* Point(int64_t i) const { return data + i * width; }
  // Of the derivative; -1: f.
  int64_t Coordinate(int64_t i) const {
    return width == dimension ? -1 : std::llround(data[i * width + dimension]) - 1;
  }
  // At the point of the row before.
  bool Again(int64_t i) const { return i > 0 && std::equal(Point(i), Point(i) + dimension, Point(i - 1)); }

  const double* data;
  int64_t width, dimension;
};

}  // namespace

KernelTerms TermsOf(Kernel kernel, const std::vector<double>& lengthscales, const double* x,
                    const double* other, double* difference) {
  KernelTerms terms;
  terms.squared = 0;
  for (size_t d = 0; d < lengthscales.size(); ++d) {
    const double l = lengthscales[d], step = x[d] - other[d];
    difference[d] = step / (l * l);
    terms.squared += step * difference[d];
  }
  KernelValues(kernel, 1, &terms.squared, &terms.k, &terms.g);
  terms.h =
      kernel == GaussianProcessOptions::RBF ? terms.k : 25.0 / 3 * std::exp(-std::sqrt(5 * terms.squared));
  return terms;
}

double DerivativeCovariance(const KernelTerms& terms, const double* difference,
                            const std::vector<double>& lengthscales, int64_t a, int64_t b) {
  if (a < 0 && b < 0) return terms.k;
  if (a < 0) return terms.g * difference[b];
  if (b < 0) return -terms.g * difference[a];
  const double own = a == b ? terms.g / (lengthscales[a] * lengthscales[a]) : 0;
  return own - terms.h * difference[a] * difference[b];
}

at::Tensor DerivativePrior::Means(const at::Tensor& points) const {
  at::Tensor means = StationaryPrior::Means(points);
  const Observed rows(points, dimension());
  for (int64_t i = 0; i < means.numel(); ++i) {
    if (rows.Coordinate(i) >= 0) means.mutable_data_ptr<double>()[i] = 0;
  }
  return means;
}

at::Tensor DerivativePrior::Covariances(const at::Tensor& points, const at::Tensor& others,
                                        at::Tensor* slopes) const {
  const int64_t count = points.size(0), columns = others.size(0);
  if (points.size(1) == dimension() && others.size(1) == dimension()) {
    return StationaryPrior::Covariances(points, others, slopes);
  }
  at::Tensor values = at::empty({count, columns}, at::kDouble);
  if (slopes != nullptr) *slopes = at::empty({2, count, columns}, at::kDouble);
  const Observed from(points, dimension()), to(others, dimension());
  double* value = values.mutable_data_ptr<double>();
  double* slope = slopes == nullptr ? nullptr : slopes->mutable_data_ptr<double>();
  const double scale = parameters().outputscale;
  at::parallel_for(0, count, GrainOfRows(columns, dimension()), [&](int64_t begin, int64_t end) {
    std::vector<double> difference(dimension());
    KernelTerms terms;
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        if (!to.Again(j)) {
          terms = TermsOf(kernel(), parameters().lengthscales, from.Point(i), to.Point(j), difference.data());
        }
        value[i * columns + j] =
            scale * DerivativeCovariance(terms, difference.data(), parameters().lengthscales,
                                         from.Coordinate(i), to.Coordinate(j));
        if (slope == nullptr) continue;
        slope[i * columns + j] = scale * terms.g;
        slope[(count + i) * columns + j] = scale * terms.h;
      }
    }
  });
  return values;
}

at::Tensor DerivativePrior::CovarianceGradient(const at::Tensor& points, const at::Tensor& others,
                                               const at::Tensor& slopes, const at::Tensor& weights) const {
  const int64_t count = points.size(0), columns = others.size(0), coordinates = dimension();
  if (others.size(1) == coordinates)
    return StationaryPrior::CovarianceGradient(points, others, slopes, weights);
  at::Tensor gradient = at::zeros({count, coordinates}, at::kDouble);
  const at::Tensor rows = weights.contiguous();
  const Observed from(points, coordinates), to(others, coordinates);
  const double *weight = rows.const_data_ptr<double>(), *g = slopes.const_data_ptr<double>(),
               *h = g + count * columns;
  double* sums = gradient.mutable_data_ptr<double>();
  std::vector<double> inverse;  // of squared lengthscales
  for (const double l : parameters().lengthscales) inverse.push_back(1 / (l * l));
  at::parallel_for(0, count, GrainOfRows(columns, coordinates), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double* x = from.Point(i);
      double* sum = sums + i * coordinates;
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t pair = i * columns + j, b = to.Coordinate(j);
        const double* other = to.Point(j);
        double of_difference = -weight[pair] * g[pair];
        if (b >= 0) {
          sum[b] += weight[pair] * g[pair] * inverse[b];
          of_difference = -weight[pair] * h[pair] * (x[b] - other[b]) * inverse[b];
        }
        for (int64_t d = 0; d < coordinates; ++d) sum[d] += of_difference * (x[d] - other[d]) * inverse[d];
      }
    }
  });
  return gradient;
}

absl::StatusOr<GaussianProcess> GaussianProcessWithDerivatives(
    Kernel kernel, GaussianProcessParameters parameters, const at::Tensor& points, const at::Tensor& values,
    const at::Tensor& gradients, const std::vector<double>& gradient_noise) {
  const int64_t dimension = parameters.lengthscales.size();
  PLUMB_RETURN_IF_ERROR(CheckShape("observed gradients", gradients, {points.size(0), dimension}));
  if (kernel != GaussianProcessOptions::RBF && kernel != GaussianProcessOptions::MATERN_5_2) {
    return absl::InvalidArgumentError(absl::StrCat("kernel ", GaussianProcessOptions::Kernel_Name(kernel),
                                                   ": expected RBF or MATERN_5_2, whose derivatives exist"));
  }
  if (static_cast<int64_t>(gradient_noise.size()) != dimension) {
    return absl::InvalidArgumentError(
        absl::StrCat("gradient noise: ", gradient_noise.size(), " numbers, expected ", dimension));
  }
  for (const double noise : gradient_noise) {
    if (noise >= 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("gradient noise ", noise, ": expected at least 0"));
  }
  // What else can be wrong is what a process of the values alone says.
  PLUMB_RETURN_IF_ERROR(GaussianProcess::Create(kernel, parameters, points, values).status());
  const at::Tensor x = points.detach().to(at::kDouble).contiguous(),
                   y = values.detach().to(at::kDouble).contiguous(),
                   dy = gradients.detach().to(at::kDouble).contiguous();
  std::vector<double> rows, observed, noises;
  const auto add = [&](int64_t i, double last, double number, double noise) {
    rows.insert(rows.end(), x.const_data_ptr<double>() + i * dimension,
                x.const_data_ptr<double>() + (i + 1) * dimension);
    rows.push_back(last);
    observed.push_back(number);
    noises.push_back(noise);
  };
  for (int64_t i = 0; i < x.size(0); ++i) {
    add(i, 0, y.const_data_ptr<double>()[i], parameters.noise);
    for (int64_t d = 0; d < dimension; ++d) {
      const double derivative = dy.const_data_ptr<double>()[i * dimension + d];
      if (std::isinf(derivative)) {
        return absl::InvalidArgumentError(absl::StrCat("derivative ", d, " of observation ", i, ": ",
                                                       derivative, ", expected a finite number"));
      }
      if (!std::isnan(derivative)) add(i, 1 + d, derivative, gradient_noise[d]);
    }
  }
  auto prior = std::make_shared<DerivativePrior>(kernel, parameters);
  return GaussianProcess::CreateOfPrior(
      kernel, std::move(prior), std::move(parameters),
      at::tensor(rows, at::kDouble).view({static_cast<int64_t>(observed.size()), dimension + 1}),
      at::tensor(observed, at::kDouble), at::tensor(noises, at::kDouble));
}

}  // namespace plumb
