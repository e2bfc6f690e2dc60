#ifndef PLUMB_COMMON_STATISTICS_STUDENT_H_
#define PLUMB_COMMON_STATISTICS_STUDENT_H_

#include <cstdint>

#include "absl/types/span.h"

namespace plumb {

// The 97.5 % quantile of Student's t; degrees_of_freedom is at least 1.
double StudentQuantile(int64_t degrees_of_freedom);

struct Interval {
  double mean = 0, low = 0, high = 0;
};

// The 95 % interval of Student's t for the mean of independent values, of which there are at least two.
Interval MeanInterval(absl::Span<const double> values);

}  // namespace plumb

#endif  // PLUMB_COMMON_STATISTICS_STUDENT_H_
