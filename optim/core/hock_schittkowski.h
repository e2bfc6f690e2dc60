#ifndef PLUMB_OPTIM_CORE_HOCK_SCHITTKOWSKI_H_
#define PLUMB_OPTIM_CORE_HOCK_SCHITTKOWSKI_H_

#include <cstdint>
#include <vector>

namespace plumb {

// Test problems of Hock and Schittkowski 1981, "Test Examples for Nonlinear Programming Codes": all but those
// that need tables of data, integrals or the error function. Written from the collection's formulas.
struct HockSchittkowskiPoint {
  double value = 0;
  std::vector<double> gradient;     // [D]
  std::vector<double> constraints;  // [M]: equalities c = 0, then inequalities c >= 0
  std::vector<double> jacobian;     // [M, D]
};

struct HockSchittkowskiProblem {
  int number;
  std::vector<double> start, lower, upper;  // [D]; infinite where there is no bound
  int64_t equalities;
  double optimum;  // the least value known; the book's, but for those that later work corrected: 106, 112
  HockSchittkowskiPoint (*evaluate)(const std::vector<double>& x);
};

const std::vector<HockSchittkowskiProblem>& HockSchittkowskiProblems();

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_HOCK_SCHITTKOWSKI_H_
