#ifndef PLUMB_OPTIM_BLACK_BOX_TEST_FUNCTIONS_H_
#define PLUMB_OPTIM_BLACK_BOX_TEST_FUNCTIONS_H_

#include <google/protobuf/repeated_field.h>

#include "absl/types/span.h"
#include "optim/black_box/study.pb.h"

namespace plumb {

// Functions with a known minimum on a box, as the field writes them (Dixon and Szegoe 1978; Ackley 1987).
// x: of the function's dimension.
double EvaluateTestFunction(const StudyTestFunction& function, absl::Span<const double> x);

// The parameters x_0, x_1 ... with the function's usual bounds.
google::protobuf::RepeatedPtrField<StudyParameter> TestFunctionParameters(const StudyTestFunction& function);

// The least value within the bounds.
double TestFunctionMinimum(const StudyTestFunction& function);

}  // namespace plumb

#endif  // PLUMB_OPTIM_BLACK_BOX_TEST_FUNCTIONS_H_
