#include "optim/bayesian/confidence_bound.h"

#include <cmath>

namespace plumb {

MomentFunction LowerConfidenceBound(double beta) {
  const double width = std::sqrt(beta);
  return [width](double mean, double sigma) { return MomentValue{width * sigma - mean, -1, width}; };
}

}  // namespace plumb
