#include "common/statistics/student.h"

#include <glog/logging.h>

#include <cmath>
#include <iterator>

namespace plumb {

double StudentQuantile(int64_t degrees_of_freedom) {
  static constexpr double kTable[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060,
                                      2.2622,  2.2281, 2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199,
                                      2.1098,  2.1009, 2.0930, 2.0860, 2.0796, 2.0739, 2.0687, 2.0639,
                                      2.0595,  2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
  CHECK_GE(degrees_of_freedom, 1);
  if (degrees_of_freedom <= static_cast<int64_t>(std::size(kTable))) return kTable[degrees_of_freedom - 1];
  // Cornish and Fisher's expansion around the normal quantile.
  constexpr double z = 1.959964;
  const double n = degrees_of_freedom;
  return z + (z * z * z + z) / (4 * n) + (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * n * n);
}

Interval MeanInterval(absl::Span<const double> values) {
  const double count = values.size();
  CHECK_GE(count, 2);
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double half = StudentQuantile(values.size() - 1) * std::sqrt(squares / (count - 1) / count);
  return {mean, mean - half, mean + half};
}

}  // namespace plumb
