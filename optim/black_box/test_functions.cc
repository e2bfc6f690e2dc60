#include "optim/black_box/test_functions.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"

namespace plumb {
namespace {

double Branin(absl::Span<const double> x) {
  const double r = x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6;
  return r * r + 10 * (1 - 1 / (8 * M_PI)) * std::cos(x[0]) + 10;
}

double Hartmann6(absl::Span<const double> x) {
  constexpr double kAlpha[4] = {1.0, 1.2, 3.0, 3.2};
  constexpr double kA[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                               {0.05, 10, 17, 0.1, 8, 14},
                               {3, 3.5, 1.7, 10, 17, 8},
                               {17, 8, 0.05, 10, 0.1, 14}};
  constexpr double kP[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                               {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                               {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                               {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    double exponent = 0;
    for (int j = 0; j < 6; ++j) exponent += kA[i][j] * (x[j] - kP[i][j]) * (x[j] - kP[i][j]);
    sum -= kAlpha[i] * std::exp(-exponent);
  }
  return sum;
}

double Ackley(absl::Span<const double> x) {
  double squares = 0, cosines = 0;
  for (const double element : x) {
    squares += element * element / x.size();
    cosines += std::cos(2 * M_PI * element) / x.size();
  }
  return -20 * std::exp(-0.2 * std::sqrt(squares)) - std::exp(cosines) + 20 + std::exp(1.0);
}

double Rosenbrock(absl::Span<const double> x) {
  double sum = 0;
  for (size_t i = 0; i + 1 < x.size(); ++i) {
    sum += 100 * std::pow(x[i + 1] - x[i] * x[i], 2) + std::pow(1 - x[i], 2);
  }
  return sum;
}

double Sphere(absl::Span<const double> x) {
  double sum = 0;
  for (const double element : x) sum += element * element;
  return sum;
}

struct Bounds {
  double min, max;
};

}  // namespace

double EvaluateTestFunction(const StudyTestFunction& function, absl::Span<const double> x) {
  switch (function.name()) {
    case StudyTestFunction::BRANIN:
      return Branin(x);
    case StudyTestFunction::HARTMANN6:
      return Hartmann6(x);
    case StudyTestFunction::ACKLEY:
      return Ackley(x);
    case StudyTestFunction::ROSENBROCK:
      return Rosenbrock(x);
    case StudyTestFunction::SPHERE:
      break;
  }
  return Sphere(x);
}

google::protobuf::RepeatedPtrField<StudyParameter> TestFunctionParameters(const StudyTestFunction& function) {
  std::vector<Bounds> bounds;
  switch (function.name()) {
    case StudyTestFunction::BRANIN:
      bounds = {{-5, 10}, {0, 15}};
      break;
    case StudyTestFunction::HARTMANN6:
      bounds.assign(6, {0, 1});
      break;
    case StudyTestFunction::ACKLEY:
      bounds.assign(function.dimension(), {-32.768, 32.768});
      break;
    case StudyTestFunction::ROSENBROCK:
      bounds.assign(function.dimension(), {-5, 10});
      break;
    case StudyTestFunction::SPHERE:
      bounds.assign(function.dimension(), {-5.12, 5.12});
      break;
  }
  google::protobuf::RepeatedPtrField<StudyParameter> parameters;
  for (size_t i = 0; i < bounds.size(); ++i) {
    StudyParameter* parameter = parameters.Add();
    parameter->set_name(absl::StrCat("x_", i));
    parameter->set_min(bounds[i].min);
    parameter->set_max(bounds[i].max);
  }
  return parameters;
}

double TestFunctionMinimum(const StudyTestFunction& function) {
  switch (function.name()) {
    case StudyTestFunction::BRANIN:
      return 0.39788735772973816;
    case StudyTestFunction::HARTMANN6:
      return -3.322368011391339;
    default:
      return 0;
  }
}

}  // namespace plumb
