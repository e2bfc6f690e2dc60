#include "optim/core/hock_schittkowski.h"

#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>

namespace plumb {
namespace {

constexpr int kMostVariables = 15;
constexpr double kInf = std::numeric_limits<double>::infinity();

// A value with its derivatives by the variables.
struct Dual {
  Dual(double value = 0) : value(value) {}  // NOLINT: constants are numbers

  // The chain rule: f(this) where f has this value and slope.
  Dual Chain(double f, double slope) const {
    Dual result(f);
    for (int i = 0; i < kMostVariables; ++i) result.slopes[i] = slope * slopes[i];
    return result;
  }

  double value;
  std::array<double, kMostVariables> slopes{};
};

Dual Combine(double value, const Dual& a, double by_a, const Dual& b, double by_b) {
  Dual result(value);
  for (int i = 0; i < kMostVariables; ++i) result.slopes[i] = by_a * a.slopes[i] + by_b * b.slopes[i];
  return result;
}

Dual operator+(const Dual& a, const Dual& b) { return Combine(a.value + b.value, a, 1, b, 1); }
Dual operator-(const Dual& a, const Dual& b) { return Combine(a.value - b.value, a, 1, b, -1); }
Dual operator-(const Dual& a) { return a.Chain(-a.value, -1); }
Dual operator*(const Dual& a, const Dual& b) { return Combine(a.value * b.value, a, b.value, b, a.value); }
Dual operator/(const Dual& a, const Dual& b) {
  return Combine(a.value / b.value, a, 1 / b.value, b, -a.value / b.value / b.value);
}
Dual& operator+=(Dual& a, const Dual& b) { return a = a + b; }
Dual Exp(const Dual& a) { return a.Chain(std::exp(a.value), std::exp(a.value)); }
Dual Log(const Dual& a) { return a.Chain(std::log(a.value), 1 / a.value); }
Dual Sin(const Dual& a) { return a.Chain(std::sin(a.value), std::cos(a.value)); }
Dual Cos(const Dual& a) { return a.Chain(std::cos(a.value), -std::sin(a.value)); }
Dual Pow(const Dual& a, double p) { return a.Chain(std::pow(a.value, p), p * std::pow(a.value, p - 1)); }
Dual Sqrt(const Dual& a) { return Pow(a, 0.5); }
Dual Sq(const Dual& a) { return a * a; }

// x(1) is the first variable, as in the book.
class Variables {
 public:
  explicit Variables(const std::vector<double>& x) : x_(x.begin(), x.end()) {
    for (size_t i = 0; i < x_.size(); ++i) x_[i].slopes[i] = 1;
  }
  const Dual& operator()(int i) const { return x_[i - 1]; }
  int size() const { return x_.size(); }

 private:
  std::vector<Dual> x_;
};

using Constraints = std::vector<Dual>;
using Function = Dual (*)(const Variables& x, Constraints& c);

template <Function function>
HockSchittkowskiPoint Evaluate(const std::vector<double>& x) {
  Constraints c;
  const Dual f = function(Variables(x), c);
  HockSchittkowskiPoint point;
  point.value = f.value;
  point.gradient.assign(f.slopes.begin(), f.slopes.begin() + x.size());
  for (const Dual& constraint : c) {
    point.constraints.push_back(constraint.value);
    point.jacobian.insert(point.jacobian.end(), constraint.slopes.begin(),
                          constraint.slopes.begin() + x.size());
  }
  return point;
}

std::vector<double> Repeat(int size, double value) { return std::vector<double>(size, value); }

Dual Rosenbrock(const Variables& x) { return 100 * Sq(x(2) - Sq(x(1))) + Sq(1 - x(1)); }
Dual Sum(const Variables& x) {
  Dual sum;
  for (int i = 1; i <= x.size(); ++i) sum += x(i);
  return sum;
}
Dual SumOfSquares(const Variables& x) {
  Dual sum;
  for (int i = 1; i <= x.size(); ++i) sum += Sq(x(i));
  return sum;
}
Dual Product(const Variables& x) {
  Dual product = 1;
  for (int i = 1; i <= x.size(); ++i) product = product * x(i);
  return product;
}

Dual Hs1(const Variables& x, Constraints&) { return Rosenbrock(x); }
Dual Hs3(const Variables& x, Constraints&) { return x(2) + 1e-5 * Sq(x(2) - x(1)); }
Dual Hs4(const Variables& x, Constraints&) { return Pow(x(1) + 1, 3) / 3 + x(2); }
Dual Hs5(const Variables& x, Constraints&) {
  return Sin(x(1) + x(2)) + Sq(x(1) - x(2)) - 1.5 * x(1) + 2.5 * x(2) + 1;
}
Dual Hs6(const Variables& x, Constraints& c) {
  c = {10 * (x(2) - Sq(x(1)))};
  return Sq(1 - x(1));
}
Dual Hs7(const Variables& x, Constraints& c) {
  c = {Sq(1 + Sq(x(1))) + Sq(x(2)) - 4};
  return Log(1 + Sq(x(1))) - x(2);
}
Dual Hs8(const Variables& x, Constraints& c) {
  c = {Sq(x(1)) + Sq(x(2)) - 25, x(1) * x(2) - 9};
  return -1;
}
Dual Hs9(const Variables& x, Constraints& c) {
  c = {4 * x(1) - 3 * x(2)};
  return Sin(M_PI / 12 * x(1)) * Cos(M_PI / 16 * x(2));
}
Dual Hs10(const Variables& x, Constraints& c) {
  c = {-3 * Sq(x(1)) + 2 * x(1) * x(2) - Sq(x(2)) + 1};
  return x(1) - x(2);
}
Dual Hs11(const Variables& x, Constraints& c) {
  c = {x(2) - Sq(x(1))};
  return Sq(x(1) - 5) + Sq(x(2)) - 25;
}
Dual Hs12(const Variables& x, Constraints& c) {
  c = {25 - 4 * Sq(x(1)) - Sq(x(2))};
  return 0.5 * Sq(x(1)) + Sq(x(2)) - x(1) * x(2) - 7 * x(1) - 7 * x(2);
}
Dual Hs13(const Variables& x, Constraints& c) {
  c = {Pow(1 - x(1), 3) - x(2)};
  return Sq(x(1) - 2) + Sq(x(2));
}
Dual Hs14(const Variables& x, Constraints& c) {
  c = {x(1) - 2 * x(2) + 1, -0.25 * Sq(x(1)) - Sq(x(2)) + 1};
  return Sq(x(1) - 2) + Sq(x(2) - 1);
}
Dual Hs15(const Variables& x, Constraints& c) {
  c = {x(1) * x(2) - 1, x(1) + Sq(x(2))};
  return Rosenbrock(x);
}
Dual Hs16(const Variables& x, Constraints& c) {
  c = {x(1) + Sq(x(2)), Sq(x(1)) + x(2)};
  return Rosenbrock(x);
}
Dual Hs17(const Variables& x, Constraints& c) {
  c = {Sq(x(2)) - x(1), Sq(x(1)) - x(2)};
  return Rosenbrock(x);
}
Dual Hs18(const Variables& x, Constraints& c) {
  c = {x(1) * x(2) - 25, Sq(x(1)) + Sq(x(2)) - 25};
  return 0.01 * Sq(x(1)) + Sq(x(2));
}
Dual Hs19(const Variables& x, Constraints& c) {
  c = {Sq(x(1) - 5) + Sq(x(2) - 5) - 100, 82.81 - Sq(x(2) - 5) - Sq(x(1) - 6)};
  return Pow(x(1) - 10, 3) + Pow(x(2) - 20, 3);
}
Dual Hs20(const Variables& x, Constraints& c) {
  c = {x(1) + Sq(x(2)), Sq(x(1)) + x(2), Sq(x(1)) + Sq(x(2)) - 1};
  return Rosenbrock(x);
}
Dual Hs21(const Variables& x, Constraints& c) {
  c = {10 * x(1) - x(2) - 10};
  return 0.01 * Sq(x(1)) + Sq(x(2)) - 100;
}
Dual Hs22(const Variables& x, Constraints& c) {
  c = {2 - x(1) - x(2), x(2) - Sq(x(1))};
  return Sq(x(1) - 2) + Sq(x(2) - 1);
}
Dual Hs23(const Variables& x, Constraints& c) {
  c = {x(1) + x(2) - 1, Sq(x(1)) + Sq(x(2)) - 1, 9 * Sq(x(1)) + Sq(x(2)) - 9, Sq(x(1)) - x(2),
       Sq(x(2)) - x(1)};
  return Sq(x(1)) + Sq(x(2));
}
Dual Hs24(const Variables& x, Constraints& c) {
  const double root = std::sqrt(3);
  c = {x(1) / root - x(2), x(1) + root * x(2), 6 - x(1) - root * x(2)};
  return (Sq(x(1) - 3) - 9) * Pow(x(2), 3) / (27 * root);
}
Dual Hs25(const Variables& x, Constraints&) {
  Dual sum;
  for (int i = 1; i <= 99; ++i) {
    const double u = 25 + std::pow(-50 * std::log(0.01 * i), 2.0 / 3);
    sum += Sq(Exp(-Exp(x(3) * Log(u - x(2))) / x(1)) - 0.01 * i);
  }
  return sum;
}
Dual Hs26(const Variables& x, Constraints& c) {
  c = {(1 + Sq(x(2))) * x(1) + Pow(x(3), 4) - 3};
  return Sq(x(1) - x(2)) + Pow(x(2) - x(3), 4);
}
Dual Hs27(const Variables& x, Constraints& c) {
  c = {x(1) + Sq(x(3)) + 1};
  return 0.01 * Sq(x(1) - 1) + Sq(x(2) - Sq(x(1)));
}
Dual Hs28(const Variables& x, Constraints& c) {
  c = {x(1) + 2 * x(2) + 3 * x(3) - 1};
  return Sq(x(1) + x(2)) + Sq(x(2) + x(3));
}
Dual Hs29(const Variables& x, Constraints& c) {
  c = {48 - Sq(x(1)) - 2 * Sq(x(2)) - 4 * Sq(x(3))};
  return -Product(x);
}
Dual Hs30(const Variables& x, Constraints& c) {
  c = {Sq(x(1)) + Sq(x(2)) - 1};
  return SumOfSquares(x);
}
Dual Hs31(const Variables& x, Constraints& c) {
  c = {x(1) * x(2) - 1};
  return 9 * Sq(x(1)) + Sq(x(2)) + 9 * Sq(x(3));
}
Dual Hs32(const Variables& x, Constraints& c) {
  c = {1 - Sum(x), 6 * x(2) + 4 * x(3) - Pow(x(1), 3) - 3};
  return Sq(x(1) + 3 * x(2) + x(3)) + 4 * Sq(x(1) - x(2));
}
Dual Hs33(const Variables& x, Constraints& c) {
  c = {Sq(x(3)) - Sq(x(2)) - Sq(x(1)), SumOfSquares(x) - 4};
  return (x(1) - 1) * (x(1) - 2) * (x(1) - 3) + x(3);
}
Dual Hs34(const Variables& x, Constraints& c) {
  c = {x(2) - Exp(x(1)), x(3) - Exp(x(2))};
  return -x(1);
}
Dual Hs35(const Variables& x, Constraints& c) {
  c = {3 - x(1) - x(2) - 2 * x(3)};
  return 9 - 8 * x(1) - 6 * x(2) - 4 * x(3) + 2 * Sq(x(1)) + 2 * Sq(x(2)) + Sq(x(3)) + 2 * x(1) * x(2) +
         2 * x(1) * x(3);
}
Dual Hs36(const Variables& x, Constraints& c) {
  c = {72 - x(1) - 2 * x(2) - 2 * x(3)};
  return -Product(x);
}
Dual Hs37(const Variables& x, Constraints& c) {
  c = {72 - x(1) - 2 * x(2) - 2 * x(3), x(1) + 2 * x(2) + 2 * x(3)};
  return -Product(x);
}
Dual Hs38(const Variables& x, Constraints&) {
  return Rosenbrock(x) + 90 * Sq(x(4) - Sq(x(3))) + Sq(1 - x(3)) + 10.1 * (Sq(x(2) - 1) + Sq(x(4) - 1)) +
         19.8 * (x(2) - 1) * (x(4) - 1);
}
Dual Hs39(const Variables& x, Constraints& c) {
  c = {x(2) - Pow(x(1), 3) - Sq(x(3)), Sq(x(1)) - x(2) - Sq(x(4))};
  return -x(1);
}
Dual Hs40(const Variables& x, Constraints& c) {
  c = {Pow(x(1), 3) + Sq(x(2)) - 1, Sq(x(1)) * x(4) - x(3), Sq(x(4)) - x(2)};
  return -Product(x);
}
Dual Hs41(const Variables& x, Constraints& c) {
  c = {x(1) + 2 * x(2) + 2 * x(3) - x(4)};
  return 2 - x(1) * x(2) * x(3);
}
Dual Hs42(const Variables& x, Constraints& c) {
  c = {x(1) - 2, Sq(x(3)) + Sq(x(4)) - 2};
  return Sq(x(1) - 1) + Sq(x(2) - 2) + Sq(x(3) - 3) + Sq(x(4) - 4);
}
Dual Hs43(const Variables& x, Constraints& c) {
  c = {8 - SumOfSquares(x) - x(1) + x(2) - x(3) + x(4),
       10 - Sq(x(1)) - 2 * Sq(x(2)) - Sq(x(3)) - 2 * Sq(x(4)) + x(1) + x(4),
       5 - 2 * Sq(x(1)) - Sq(x(2)) - Sq(x(3)) - 2 * x(1) + x(2) + x(4)};
  return Sq(x(1)) + Sq(x(2)) + 2 * Sq(x(3)) + Sq(x(4)) - 5 * x(1) - 5 * x(2) - 21 * x(3) + 7 * x(4);
}
Dual Hs44(const Variables& x, Constraints& c) {
  c = {8 - x(1) - 2 * x(2), 12 - 4 * x(1) - x(2), 12 - 3 * x(1) - 4 * x(2),
       8 - 2 * x(3) - x(4), 8 - x(3) - 2 * x(4),  5 - x(3) - x(4)};
  return x(1) - x(2) - x(3) - x(1) * x(3) + x(1) * x(4) + x(2) * x(3) - x(2) * x(4);
}
Dual Hs45(const Variables& x, Constraints&) { return 2 - Product(x) / 120; }
Dual Hs46(const Variables& x, Constraints& c) {
  c = {Sq(x(1)) * x(4) + Sin(x(4) - x(5)) - 1, x(2) + Pow(x(3), 4) * Sq(x(4)) - 2};
  return Sq(x(1) - x(2)) + Sq(x(3) - 1) + Pow(x(4) - 1, 4) + Pow(x(5) - 1, 6);
}
Dual Hs47(const Variables& x, Constraints& c) {
  c = {x(1) + Sq(x(2)) + Pow(x(3), 3) - 3, x(2) - Sq(x(3)) + x(4) - 1, x(1) * x(5) - 1};
  return Sq(x(1) - x(2)) + Pow(x(2) - x(3), 3) + Pow(x(3) - x(4), 4) + Pow(x(4) - x(5), 4);
}
Dual Hs48(const Variables& x, Constraints& c) {
  c = {Sum(x) - 5, x(3) - 2 * (x(4) + x(5)) + 3};
  return Sq(x(1) - 1) + Sq(x(2) - x(3)) + Sq(x(4) - x(5));
}
Dual Hs49(const Variables& x, Constraints& c) {
  c = {x(1) + x(2) + x(3) + 4 * x(4) - 7, x(3) + 5 * x(5) - 6};
  return Sq(x(1) - x(2)) + Sq(x(3) - 1) + Pow(x(4) - 1, 4) + Pow(x(5) - 1, 6);
}
Dual Hs50(const Variables& x, Constraints& c) {
  for (int i = 1; i <= 3; ++i) c.push_back(x(i) + 2 * x(i + 1) + 3 * x(i + 2) - 6);
  return Sq(x(1) - x(2)) + Sq(x(2) - x(3)) + Pow(x(3) - x(4), 4) + Sq(x(4) - x(5));
}
Dual Hs51(const Variables& x, Constraints& c) {
  c = {x(1) + 3 * x(2) - 4, x(3) + x(4) - 2 * x(5), x(2) - x(5)};
  return Sq(x(1) - x(2)) + Sq(x(2) + x(3) - 2) + Sq(x(4) - 1) + Sq(x(5) - 1);
}
Dual Hs52(const Variables& x, Constraints& c) {
  c = {x(1) + 3 * x(2), x(3) + x(4) - 2 * x(5), x(2) - x(5)};
  return Sq(4 * x(1) - x(2)) + Sq(x(2) + x(3) - 2) + Sq(x(4) - 1) + Sq(x(5) - 1);
}
Dual Hs53(const Variables& x, Constraints& c) {
  c = {x(1) + 3 * x(2), x(3) + x(4) - 2 * x(5), x(2) - x(5)};
  return Sq(x(1) - x(2)) + Sq(x(2) + x(3) - 2) + Sq(x(4) - 1) + Sq(x(5) - 1);
}
Dual Hs55(const Variables& x, Constraints& c) {
  c = {x(1) + 2 * x(2) + 5 * x(5) - 6,
       x(1) + x(2) + x(3) - 3,
       x(4) + x(5) + x(6) - 2,
       x(1) + x(4) - 1,
       x(2) + x(5) - 2,
       x(3) + x(6) - 2};
  return x(1) + 2 * x(2) + 4 * x(5) + Exp(x(1) * x(4));
}
Dual Hs56(const Variables& x, Constraints& c) {
  for (int i = 1; i <= 3; ++i) c.push_back(x(i) - 4.2 * Sq(Sin(x(i + 3))));
  c.push_back(x(1) + 2 * x(2) + 2 * x(3) - 7.2 * Sq(Sin(x(7))));
  return -(x(1) * x(2) * x(3));
}
Dual Hs60(const Variables& x, Constraints& c) {
  c = {x(1) * (1 + Sq(x(2))) + Pow(x(3), 4) - 4 - 3 * std::sqrt(2)};
  return Sq(x(1) - 1) + Sq(x(1) - x(2)) + Pow(x(2) - x(3), 4);
}
Dual Hs61(const Variables& x, Constraints& c) {
  c = {3 * x(1) - 2 * Sq(x(2)) - 7, 4 * x(1) - Sq(x(3)) - 11};
  return 4 * Sq(x(1)) + 2 * Sq(x(2)) + 2 * Sq(x(3)) - 33 * x(1) + 16 * x(2) - 24 * x(3);
}
Dual Hs62(const Variables& x, Constraints& c) {
  c = {Sum(x) - 1};
  const Dual b1 = x(1) + x(2) + x(3) + 0.03, b2 = 0.09 * x(1) + x(2) + x(3) + 0.03, b3 = x(2) + x(3) + 0.03;
  const Dual b4 = 0.07 * x(2) + x(3) + 0.03, b5 = x(3) + 0.03, b6 = 0.13 * x(3) + 0.03;
  return -32.174 * (255 * Log(b1 / b2) + 280 * Log(b3 / b4) + 290 * Log(b5 / b6));
}
Dual Hs63(const Variables& x, Constraints& c) {
  c = {8 * x(1) + 14 * x(2) + 7 * x(3) - 56, SumOfSquares(x) - 25};
  return 1000 - Sq(x(1)) - 2 * Sq(x(2)) - Sq(x(3)) - x(1) * x(2) - x(1) * x(3);
}
Dual Hs64(const Variables& x, Constraints& c) {
  c = {1 - 4 / x(1) - 32 / x(2) - 120 / x(3)};
  return 5 * x(1) + 50000 / x(1) + 20 * x(2) + 72000 / x(2) + 10 * x(3) + 144000 / x(3);
}
Dual Hs65(const Variables& x, Constraints& c) {
  c = {48 - SumOfSquares(x)};
  return Sq(x(1) - x(2)) + Sq(x(1) + x(2) - 10) / 9 + Sq(x(3) - 5);
}
Dual Hs66(const Variables& x, Constraints& c) {
  c = {x(2) - Exp(x(1)), x(3) - Exp(x(2))};
  return 0.2 * x(3) - 0.8 * x(1);
}
Dual Hs71(const Variables& x, Constraints& c) {
  c = {SumOfSquares(x) - 40, Product(x) - 25};
  return x(1) * x(4) * (x(1) + x(2) + x(3)) + x(3);
}
Dual Hs72(const Variables& x, Constraints& c) {
  c = {0.0401 - 4 / x(1) - 2.25 / x(2) - 1 / x(3) - 0.25 / x(4),
       0.010085 - 0.16 / x(1) - 0.36 / x(2) - 0.64 / x(3) - 0.64 / x(4)};
  return 1 + Sum(x);
}
Dual Hs73(const Variables& x, Constraints& c) {
  c = {Sum(x) - 1, 2.3 * x(1) + 5.6 * x(2) + 11.1 * x(3) + 1.3 * x(4) - 5,
       12 * x(1) + 11.9 * x(2) + 41.8 * x(3) + 52.1 * x(4) - 21 -
           1.645 * Sqrt(0.28 * Sq(x(1)) + 0.19 * Sq(x(2)) + 20.5 * Sq(x(3)) + 0.62 * Sq(x(4)))};
  return 24.55 * x(1) + 26.75 * x(2) + 39 * x(3) + 40.5 * x(4);
}
template <int kHundredths>
Dual Hs74(const Variables& x, Constraints& c) {
  const double a = kHundredths / 100.0;
  c = {1000 * Sin(-x(3) - 0.25) + 1000 * Sin(-x(4) - 0.25) + 894.8 - x(1),
       1000 * Sin(x(3) - 0.25) + 1000 * Sin(x(3) - x(4) - 0.25) + 894.8 - x(2),
       1000 * Sin(x(4) - 0.25) + 1000 * Sin(x(4) - x(3) - 0.25) + 1294.8, x(4) - x(3) + a, x(3) - x(4) + a};
  return 3 * x(1) + 1e-6 * Pow(x(1), 3) + 2 * x(2) + 2e-6 / 3 * Pow(x(2), 3);
}
Dual Hs76(const Variables& x, Constraints& c) {
  c = {5 - x(1) - 2 * x(2) - x(3) - x(4), 4 - 3 * x(1) - x(2) - 2 * x(3) + x(4), x(2) + 4 * x(3) - 1.5};
  return Sq(x(1)) + 0.5 * Sq(x(2)) + Sq(x(3)) + 0.5 * Sq(x(4)) - x(1) * x(3) + x(3) * x(4) - x(1) - 3 * x(2) +
         x(3) - x(4);
}
Dual Hs77(const Variables& x, Constraints& c) {
  c = {Sq(x(1)) * x(4) + Sin(x(4) - x(5)) - 2 * std::sqrt(2),
       x(2) + Pow(x(3), 4) * Sq(x(4)) - 8 - std::sqrt(2)};
  return Sq(x(1) - 1) + Sq(x(1) - x(2)) + Sq(x(3) - 1) + Pow(x(4) - 1, 4) + Pow(x(5) - 1, 6);
}
Dual Hs78(const Variables& x, Constraints& c) {
  c = {SumOfSquares(x) - 10, x(2) * x(3) - 5 * x(4) * x(5), Pow(x(1), 3) + Pow(x(2), 3) + 1};
  return Product(x);
}
Dual Hs79(const Variables& x, Constraints& c) {
  c = {x(1) + Sq(x(2)) + Pow(x(3), 3) - 2 - 3 * std::sqrt(2), x(2) - Sq(x(3)) + x(4) + 2 - 2 * std::sqrt(2),
       x(1) * x(5) - 2};
  return Sq(x(1) - 1) + Sq(x(1) - x(2)) + Sq(x(2) - x(3)) + Pow(x(3) - x(4), 4) + Pow(x(4) - x(5), 4);
}
Dual Hs80(const Variables& x, Constraints& c) { return Exp(Hs78(x, c)); }
Dual Hs81(const Variables& x, Constraints& c) {
  return Hs80(x, c) - 0.5 * Sq(Pow(x(1), 3) + Pow(x(2), 3) + 1);
}
Dual Hs83(const Variables& x, Constraints& c) {
  const Dual a = 85.334407 + 0.0056858 * x(2) * x(5) + 0.0006262 * x(1) * x(4) - 0.0022053 * x(3) * x(5);
  const Dual b = 80.51249 + 0.0071317 * x(2) * x(5) + 0.0029955 * x(1) * x(2) + 0.0021813 * Sq(x(3)) - 90;
  const Dual d = 9.300961 + 0.0047026 * x(3) * x(5) + 0.0012547 * x(1) * x(3) + 0.0019085 * x(3) * x(4) - 20;
  c = {a, 92 - a, b, 20 - b, d, 5 - d};
  return 5.3578547 * Sq(x(3)) + 0.8356891 * x(1) * x(5) + 37.293239 * x(1) - 40792.141;
}

// Colville's first problem and its dual, 86 and 117.
constexpr double kColvilleA[10][5] = {
    {-16, 2, 0, 1, 0}, {0, -2, 0, 0.4, 2},   {-3.5, 0, 2, 0, 0},   {0, -2, 0, -0.4, -1}, {0, -9, -2, 1, -2.8},
    {2, 0, -4, 0, 0},  {-1, -1, -1, -1, -1}, {-1, -2, -3, -2, -1}, {1, 2, 3, 4, 5},      {1, 1, 1, 1, 1}};
constexpr double kColvilleB[10] = {-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1};
constexpr double kColvilleC[5][5] = {{30, -20, -10, 32, -10},
                                     {-20, 39, -6, -31, 32},
                                     {-10, -6, 10, -6, -10},
                                     {32, -31, -6, 39, -20},
                                     {-10, 32, -10, -20, 30}};
constexpr double kColvilleD[5] = {4, 8, 10, 6, 2};
constexpr double kColvilleE[5] = {-15, -27, -36, -18, -12};

Dual Hs86(const Variables& x, Constraints& c) {
  for (int i = 0; i < 10; ++i) {
    Dual sum = -kColvilleB[i];
    for (int j = 0; j < 5; ++j) sum += kColvilleA[i][j] * x(j + 1);
    c.push_back(sum);
  }
  Dual f;
  for (int j = 0; j < 5; ++j) {
    f += kColvilleE[j] * x(j + 1) + kColvilleD[j] * Pow(x(j + 1), 3);
    for (int i = 0; i < 5; ++i) f += kColvilleC[i][j] * x(i + 1) * x(j + 1);
  }
  return f;
}
Dual Hs93(const Variables& x, Constraints& c) {
  const Dual a = x(1) * x(4) * (x(1) + x(2) + x(3)), b = x(2) * x(3) * (x(1) + 1.57 * x(2) + x(4));
  c = {0.001 * Product(x) - 2.07, 1 - 0.00062 * a * Sq(x(5)) - 0.00058 * b * Sq(x(6))};
  return 0.0204 * a + 0.0187 * b + 0.0607 * a * Sq(x(5)) + 0.0437 * b * Sq(x(6));
}
Dual Hs95To98(const Variables& x, Constraints& c, std::array<double, 4> b) {
  c = {17.1 * x(1) + 38.2 * x(2) + 204.2 * x(3) + 212.3 * x(4) + 623.4 * x(5) + 1495.5 * x(6) -
           169 * x(1) * x(3) - 3580 * x(3) * x(5) - 3810 * x(4) * x(5) - 18500 * x(4) * x(6) -
           24300 * x(5) * x(6) - b[0],
       17.9 * x(1) + 36.8 * x(2) + 113.9 * x(3) + 169.7 * x(4) + 337.8 * x(5) + 1385.2 * x(6) -
           139 * x(1) * x(3) - 2450 * x(4) * x(5) - 16600 * x(4) * x(6) - 17200 * x(5) * x(6) - b[1],
       -273 * x(2) - 70 * x(4) - 819 * x(5) + 26000 * x(4) * x(5) - b[2],
       159.9 * x(1) - 311 * x(2) + 587 * x(4) + 391 * x(5) + 2198 * x(6) - 14000 * x(1) * x(6) - b[3]};
  return 4.3 * x(1) + 31.8 * x(2) + 63.3 * x(3) + 15.8 * x(4) + 68.5 * x(5) + 4.7 * x(6);
}
Dual Hs95(const Variables& x, Constraints& c) { return Hs95To98(x, c, {4.97, -1.88, -29.08, -78.02}); }
Dual Hs96(const Variables& x, Constraints& c) { return Hs95To98(x, c, {4.97, -1.88, -69.08, -118.02}); }
Dual Hs97(const Variables& x, Constraints& c) { return Hs95To98(x, c, {32.97, 25.12, -29.08, -78.02}); }
Dual Hs98(const Variables& x, Constraints& c) { return Hs95To98(x, c, {32.97, 25.12, -124.08, -173.02}); }
Dual Hs100(const Variables& x, Constraints& c) {
  c = {127 - 2 * Sq(x(1)) - 3 * Pow(x(2), 4) - x(3) - 4 * Sq(x(4)) - 5 * x(5),
       282 - 7 * x(1) - 3 * x(2) - 10 * Sq(x(3)) - x(4) + x(5),
       196 - 23 * x(1) - Sq(x(2)) - 6 * Sq(x(6)) + 8 * x(7),
       -4 * Sq(x(1)) - Sq(x(2)) + 3 * x(1) * x(2) - 2 * Sq(x(3)) - 5 * x(6) + 11 * x(7)};
  return Sq(x(1) - 10) + 5 * Sq(x(2) - 12) + Pow(x(3), 4) + 3 * Sq(x(4) - 11) + 10 * Pow(x(5), 6) +
         7 * Sq(x(6)) + Pow(x(7), 4) - 4 * x(6) * x(7) - 10 * x(6) - 8 * x(7);
}
Dual Hs104(const Variables& x, Constraints& c) {
  const Dual f =
      0.4 * Pow(x(1), 0.67) * Pow(x(7), -0.67) + 0.4 * Pow(x(2), 0.67) * Pow(x(8), -0.67) + 10 - x(1) - x(2);
  c = {1 - 0.0588 * x(5) * x(7) - 0.1 * x(1), 1 - 0.0588 * x(6) * x(8) - 0.1 * x(1) - 0.1 * x(2)};
  for (int i = 3; i <= 4; ++i) {
    c.push_back(1 - 4 * x(i) / x(i + 2) - 2 * Pow(x(i), -0.71) / x(i + 2) -
                0.0588 * Pow(x(i), -1.3) * x(i + 4));
  }
  c.push_back(f - 1);
  c.push_back(4.2 - f);
  return f;
}
Dual Hs106(const Variables& x, Constraints& c) {
  c = {1 - 0.0025 * (x(4) + x(6)),
       1 - 0.0025 * (x(5) + x(7) - x(4)),
       1 - 0.01 * (x(8) - x(5)),
       x(1) * x(6) - 833.33252 * x(4) - 100 * x(1) + 83333.333,
       x(2) * x(7) - 1250 * x(5) - x(2) * x(4) + 1250 * x(4),
       x(3) * x(8) - 1250000 - x(3) * x(5) + 2500 * x(5)};
  return x(1) + x(2) + x(3);
}
Dual Hs108(const Variables& x, Constraints& c) {
  c = {1 - Sq(x(3)) - Sq(x(4)),
       1 - Sq(x(9)),
       1 - Sq(x(5)) - Sq(x(6)),
       1 - Sq(x(1)) - Sq(x(2) - x(9)),
       1 - Sq(x(1) - x(5)) - Sq(x(2) - x(6)),
       1 - Sq(x(1) - x(7)) - Sq(x(2) - x(8)),
       1 - Sq(x(3) - x(5)) - Sq(x(4) - x(6)),
       1 - Sq(x(3) - x(7)) - Sq(x(4) - x(8)),
       1 - Sq(x(7)) - Sq(x(8) - x(9)),
       x(1) * x(4) - x(2) * x(3),
       x(3) * x(9),
       -(x(5) * x(9)),
       x(5) * x(8) - x(6) * x(7)};
  return -0.5 * (x(1) * x(4) - x(2) * x(3) + x(3) * x(9) - x(5) * x(9) + x(5) * x(8) - x(6) * x(7));
}
Dual Hs110(const Variables& x, Constraints&) {
  Dual sum;
  for (int i = 1; i <= 10; ++i) sum += Sq(Log(x(i) - 2)) + Sq(Log(10 - x(i)));
  return sum - Pow(Product(x), 0.2);
}

// The chemical equilibrium of 112, of amounts; 111 takes their logarithms.
Dual Equilibrium(const std::array<Dual, 11>& y, Constraints& c) {
  constexpr double kEnergy[] = {0,       -6.089, -17.164, -34.054, -5.914, -24.721,
                                -14.986, -24.1,  -10.708, -26.662, -22.179};
  c = {y[1] + 2 * y[2] + 2 * y[3] + y[6] + y[10] - 2, y[4] + 2 * y[5] + y[6] + y[7] - 1,
       y[3] + y[7] + y[8] + 2 * y[9] + y[10] - 1};
  Dual total, f;
  for (int i = 1; i <= 10; ++i) total += y[i];
  for (int i = 1; i <= 10; ++i) f += y[i] * (kEnergy[i] + Log(y[i] / total));
  return f;
}
Dual Hs111(const Variables& x, Constraints& c) {
  std::array<Dual, 11> y;
  for (int i = 1; i <= 10; ++i) y[i] = Exp(x(i));
  return Equilibrium(y, c);
}
Dual Hs112(const Variables& x, Constraints& c) {
  std::array<Dual, 11> y;
  for (int i = 1; i <= 10; ++i) y[i] = x(i);
  return Equilibrium(y, c);
}
Dual Hs113(const Variables& x, Constraints& c) {
  c = {105 - 4 * x(1) - 5 * x(2) + 3 * x(7) - 9 * x(8),
       -10 * x(1) + 8 * x(2) + 17 * x(7) - 2 * x(8),
       8 * x(1) - 2 * x(2) - 5 * x(9) + 2 * x(10) + 12,
       -3 * Sq(x(1) - 2) - 4 * Sq(x(2) - 3) - 2 * Sq(x(3)) + 7 * x(4) + 120,
       -5 * Sq(x(1)) - 8 * x(2) - Sq(x(3) - 6) + 2 * x(4) + 40,
       -0.5 * Sq(x(1) - 8) - 2 * Sq(x(2) - 4) - 3 * Sq(x(5)) + x(6) + 30,
       -Sq(x(1)) - 2 * Sq(x(2) - 2) + 2 * x(1) * x(2) - 14 * x(5) + 6 * x(6),
       3 * x(1) - 6 * x(2) - 12 * Sq(x(9) - 8) + 7 * x(10)};
  return Sq(x(1)) + Sq(x(2)) + x(1) * x(2) - 14 * x(1) - 16 * x(2) + Sq(x(3) - 10) + 4 * Sq(x(4) - 5) +
         Sq(x(5) - 3) + 2 * Sq(x(6) - 1) + 5 * Sq(x(7)) + 7 * Sq(x(8) - 11) + 2 * Sq(x(9) - 10) +
         Sq(x(10) - 7) + 45;
}
Dual Hs117(const Variables& x, Constraints& c) {
  Dual f;
  for (int i = 0; i < 10; ++i) f += -kColvilleB[i] * x(i + 1);
  for (int j = 0; j < 5; ++j) {
    Dual g = kColvilleE[j] + 3 * kColvilleD[j] * Sq(x(11 + j));
    for (int k = 0; k < 5; ++k) {
      f += kColvilleC[k][j] * x(11 + k) * x(11 + j);
      g += 2 * kColvilleC[k][j] * x(11 + k);
    }
    for (int k = 0; k < 10; ++k) g += -kColvilleA[k][j] * x(k + 1);
    f += 2 * kColvilleD[j] * Pow(x(11 + j), 3);
    c.push_back(g);
  }
  return f;
}
Dual Hs118(const Variables& x, Constraints& c) {
  constexpr double kLeast[] = {60, 50, 70, 85, 100};
  Dual f;
  for (int k = 0; k < 5; ++k) {
    const Dual &a = x(3 * k + 1), &b = x(3 * k + 2), &d = x(3 * k + 3);
    f += 2.3 * a + 0.0001 * Sq(a) + 1.7 * b + 0.0001 * Sq(b) + 2.2 * d + 0.00015 * Sq(d);
    c.push_back(a + b + d - kLeast[k]);
    for (int i = 1; k > 0 && i <= 3; ++i) {
      const Dual change = x(3 * k + i) - x(3 * k + i - 3) + 7;
      c.push_back(change);
      c.push_back((i == 2 ? 14 : 13) - change);
    }
  }
  return f;
}

std::vector<double> Hs118Bounds(bool upper) {
  std::vector<double> bounds = upper ? std::vector<double>{21, 57, 16} : std::vector<double>{8, 43, 3};
  for (int k = 1; k < 5; ++k) {
    for (const double most : {90.0, 120.0, 60.0}) bounds.push_back(upper ? most : 0);
  }
  return bounds;
}

std::vector<HockSchittkowskiProblem> MakeProblems() {
  const double root2 = std::sqrt(2), root3 = std::sqrt(3);
  const double a56 = std::asin(std::sqrt(1 / 4.2)), b56 = std::asin(std::sqrt(5 / 7.2));
  const auto free = [](int size) { return Repeat(size, -kInf); };
  const auto any = [](int size) { return Repeat(size, kInf); };
  const std::vector<double> low80 = {-2.3, -2.3, -3.2, -3.2, -3.2}, high80 = {2.3, 2.3, 3.2, 3.2, 3.2};
  const std::vector<double> high95 = {0.31, 0.046, 0.068, 0.042, 0.028, 0.0134};
  std::vector<double> start117 = Repeat(15, 0.001);
  start117[6] = 60;
  return {
      {1, {-2, 1}, {-kInf, -1.5}, any(2), 0, 0, Evaluate<Hs1>},
      {2, {-2, 1}, {-kInf, 1.5}, any(2), 0, 0.0504261879, Evaluate<Hs1>},
      {3, {10, 1}, {-kInf, 0}, any(2), 0, 0, Evaluate<Hs3>},
      {4, {1.125, 0.125}, {1, 0}, any(2), 0, 8.0 / 3, Evaluate<Hs4>},
      {5, {0, 0}, {-1.5, -3}, {4, 3}, 0, -root3 / 2 - M_PI / 3, Evaluate<Hs5>},
      {6, {-1.2, 1}, free(2), any(2), 1, 0, Evaluate<Hs6>},
      {7, {2, 2}, free(2), any(2), 1, -root3, Evaluate<Hs7>},
      {8, {2, 1}, free(2), any(2), 2, -1, Evaluate<Hs8>},
      {9, {0, 0}, free(2), any(2), 1, -0.5, Evaluate<Hs9>},
      {10, {-10, 10}, free(2), any(2), 0, -1, Evaluate<Hs10>},
      {11, {4.9, 0.1}, free(2), any(2), 0, -8.498464223, Evaluate<Hs11>},
      {12, {0, 0}, free(2), any(2), 0, -30, Evaluate<Hs12>},
      {13, {-2, -2}, {0, 0}, any(2), 0, 1, Evaluate<Hs13>},
      {14, {2, 2}, free(2), any(2), 1, 9 - 2.875 * std::sqrt(7), Evaluate<Hs14>},
      {15, {-2, 1}, free(2), {0.5, kInf}, 0, 306.5, Evaluate<Hs15>},
      {16, {-2, 1}, {-0.5, -kInf}, {0.5, 1}, 0, 0.25, Evaluate<Hs16>},
      {17, {-2, 1}, {-0.5, -kInf}, {0.5, 1}, 0, 1, Evaluate<Hs17>},
      {18, {2, 2}, {2, 0}, {50, 50}, 0, 5, Evaluate<Hs18>},
      {19, {20.1, 5.84}, {13, 0}, {100, 100}, 0, -6961.81381, Evaluate<Hs19>},
      {20, {-2, 1}, {-0.5, -kInf}, {0.5, kInf}, 0, 81.5 - 25 * root3, Evaluate<Hs20>},
      {21, {-1, -1}, {2, -50}, {50, 50}, 0, -99.96, Evaluate<Hs21>},
      {22, {2, 2}, free(2), any(2), 0, 1, Evaluate<Hs22>},
      {23, {3, 1}, {-50, -50}, {50, 50}, 0, 2, Evaluate<Hs23>},
      {24, {1, 0.5}, {0, 0}, any(2), 0, -1, Evaluate<Hs24>},
      {25, {100, 12.5, 3}, {0.1, 0, 0}, {100, 25.6, 5}, 0, 0, Evaluate<Hs25>},
      {26, {-2.6, 2, 2}, free(3), any(3), 1, 0, Evaluate<Hs26>},
      {27, {2, 2, 2}, free(3), any(3), 1, 0.04, Evaluate<Hs27>},
      {28, {-4, 1, 1}, free(3), any(3), 1, 0, Evaluate<Hs28>},
      {29, {1, 1, 1}, free(3), any(3), 0, -16 * root2, Evaluate<Hs29>},
      {30, {1, 1, 1}, {1, -10, -10}, {10, 10, 10}, 0, 1, Evaluate<Hs30>},
      {31, {1, 1, 1}, {-10, 1, -10}, {10, 10, 1}, 0, 6, Evaluate<Hs31>},
      {32, {0.1, 0.7, 0.2}, {0, 0, 0}, any(3), 1, 1, Evaluate<Hs32>},
      {33, {0, 0, 3}, {0, 0, 0}, {kInf, kInf, 5}, 0, root2 - 6, Evaluate<Hs33>},
      {34, {0, 1.05, 2.9}, {0, 0, 0}, {100, 100, 10}, 0, -std::log(std::log(10)), Evaluate<Hs34>},
      {35, {0.5, 0.5, 0.5}, {0, 0, 0}, any(3), 0, 1.0 / 9, Evaluate<Hs35>},
      {36, {10, 10, 10}, {0, 0, 0}, {20, 11, 42}, 0, -3300, Evaluate<Hs36>},
      {37, {10, 10, 10}, {0, 0, 0}, {42, 42, 42}, 0, -3456, Evaluate<Hs37>},
      {38, {-3, -1, -3, -1}, Repeat(4, -10), Repeat(4, 10), 0, 0, Evaluate<Hs38>},
      {39, Repeat(4, 2), free(4), any(4), 2, -1, Evaluate<Hs39>},
      {40, Repeat(4, 0.8), free(4), any(4), 3, -0.25, Evaluate<Hs40>},
      {41, Repeat(4, 2), Repeat(4, 0), {1, 1, 1, 2}, 1, 52.0 / 27, Evaluate<Hs41>},
      {42, Repeat(4, 1), free(4), any(4), 2, 28 - 10 * root2, Evaluate<Hs42>},
      {43, Repeat(4, 0), free(4), any(4), 0, -44, Evaluate<Hs43>},
      {44, Repeat(4, 0), Repeat(4, 0), any(4), 0, -15, Evaluate<Hs44>},
      {45, Repeat(5, 2), Repeat(5, 0), {1, 2, 3, 4, 5}, 0, 1, Evaluate<Hs45>},
      {46, {root2 / 2, 1.75, 0.5, 2, 2}, free(5), any(5), 2, 0, Evaluate<Hs46>},
      {47, {2, root2, -1, 2 - root2, 0.5}, free(5), any(5), 3, 0, Evaluate<Hs47>},
      {48, {3, 5, -3, 2, -2}, free(5), any(5), 2, 0, Evaluate<Hs48>},
      {49, {10, 7, 2, -3, 0.8}, free(5), any(5), 2, 0, Evaluate<Hs49>},
      {50, {35, -31, 11, 5, -5}, free(5), any(5), 3, 0, Evaluate<Hs50>},
      {51, {2.5, 0.5, 2, -1, 0.5}, free(5), any(5), 3, 0, Evaluate<Hs51>},
      {52, Repeat(5, 2), free(5), any(5), 3, 1859.0 / 349, Evaluate<Hs52>},
      {53, Repeat(5, 2), Repeat(5, -10), Repeat(5, 10), 3, 176.0 / 43, Evaluate<Hs53>},
      {55, {1, 2, 0, 0, 0, 2}, Repeat(6, 0), {1, kInf, kInf, 1, kInf, kInf}, 6, 19.0 / 3, Evaluate<Hs55>},
      {56, {1, 1, 1, a56, a56, a56, b56}, free(7), any(7), 4, -3.456, Evaluate<Hs56>},
      {60, {2, 2, 2}, Repeat(3, -10), Repeat(3, 10), 1, 0.03256820025, Evaluate<Hs60>},
      {61, {0, 0, 0}, free(3), any(3), 2, -143.6461422, Evaluate<Hs61>},
      {62, {0.7, 0.2, 0.1}, Repeat(3, 0), Repeat(3, 1), 1, -26272.51448, Evaluate<Hs62>},
      {63, {2, 2, 2}, Repeat(3, 0), any(3), 2, 961.7151721, Evaluate<Hs63>},
      {64, {1, 1, 1}, Repeat(3, 1e-5), any(3), 0, 6299.842428, Evaluate<Hs64>},
      {65, {-5, 5, 0}, {-4.5, -4.5, -5}, {4.5, 4.5, 5}, 0, 0.9535288567, Evaluate<Hs65>},
      {66, {0, 1.05, 2.9}, {0, 0, 0}, {100, 100, 10}, 0, 0.5181632741, Evaluate<Hs66>},
      {71, {1, 5, 5, 1}, Repeat(4, 1), Repeat(4, 5), 1, 17.0140173, Evaluate<Hs71>},
      {72, Repeat(4, 1), Repeat(4, 0.001), {4e5, 3e5, 2e5, 1e5}, 0, 727.67937, Evaluate<Hs72>},
      {73, Repeat(4, 1), Repeat(4, 0), any(4), 1, 29.894378, Evaluate<Hs73>},
      {74, Repeat(4, 0), {0, 0, -0.55, -0.55}, {1200, 1200, 0.55, 0.55}, 3, 5126.4981, Evaluate<Hs74<55>>},
      {75, Repeat(4, 0), {0, 0, -0.48, -0.48}, {1200, 1200, 0.48, 0.48}, 3, 5174.4129, Evaluate<Hs74<48>>},
      {76, Repeat(4, 0.5), Repeat(4, 0), any(4), 0, -4.681818181, Evaluate<Hs76>},
      {77, Repeat(5, 2), free(5), any(5), 2, 0.24150513, Evaluate<Hs77>},
      {78, {-2, 1.5, 2, -1, -1}, free(5), any(5), 3, -2.91970041, Evaluate<Hs78>},
      {79, Repeat(5, 2), free(5), any(5), 3, 0.0787768209, Evaluate<Hs79>},
      {80, {-2, 2, 2, -1, -1}, low80, high80, 3, 0.0539498478, Evaluate<Hs80>},
      {81, {-2, 2, 2, -1, -1}, low80, high80, 3, 0.0539498478, Evaluate<Hs81>},
      {83,
       {78, 33, 27, 27, 27},
       {78, 33, 27, 27, 27},
       {102, 45, 45, 45, 45},
       0,
       -30665.53867,
       Evaluate<Hs83>},
      {86, {0, 0, 0, 0, 1}, Repeat(5, 0), any(5), 0, -32.34867897, Evaluate<Hs86>},
      {93, {5.54, 4.4, 12.02, 11.82, 0.702, 0.852}, Repeat(6, 0), any(6), 0, 135.075961, Evaluate<Hs93>},
      {95, Repeat(6, 0), Repeat(6, 0), high95, 0, 0.015619514, Evaluate<Hs95>},
      {96, Repeat(6, 0), Repeat(6, 0), high95, 0, 0.015619514, Evaluate<Hs96>},
      {97, Repeat(6, 0), Repeat(6, 0), high95, 0, 3.1358091, Evaluate<Hs97>},
      {98, Repeat(6, 0), Repeat(6, 0), high95, 0, 3.1358091, Evaluate<Hs98>},
      {100, {1, 2, 0, 4, 0, 1, 1}, free(7), any(7), 0, 680.6300573, Evaluate<Hs100>},
      {104, {6, 3, 0.4, 0.2, 6, 6, 1, 0.5}, Repeat(8, 0.1), Repeat(8, 10), 0, 3.9511634396, Evaluate<Hs104>},
      {106,
       {5000, 5000, 5000, 200, 350, 150, 225, 425},
       {100, 1000, 1000, 10, 10, 10, 10, 10},
       {10000, 10000, 10000, 1000, 1000, 1000, 1000, 1000},
       0,
       7049.248,
       Evaluate<Hs106>},
      {108,
       Repeat(9, 1),
       {-kInf, -kInf, -kInf, -kInf, -kInf, -kInf, -kInf, -kInf, 0},
       any(9),
       0,
       -root3 / 2,
       Evaluate<Hs108>},
      {110, Repeat(10, 9), Repeat(10, 2.001), Repeat(10, 9.999), 0, -45.77846971, Evaluate<Hs110>},
      {111, Repeat(10, -2.3), Repeat(10, -100), Repeat(10, 100), 3, -47.76109026, Evaluate<Hs111>},
      {112, Repeat(10, 0.1), Repeat(10, 1e-6), any(10), 3, -47.76109086, Evaluate<Hs112>},
      {113, {2, 3, 5, 5, 1, 2, 7, 3, 6, 10}, free(10), any(10), 0, 24.3062091, Evaluate<Hs113>},
      {117, start117, Repeat(15, 0), any(15), 0, 32.348679, Evaluate<Hs117>},
      {118,
       {20, 55, 15, 20, 60, 20, 20, 60, 20, 20, 60, 20, 20, 60, 20},
       Hs118Bounds(false),
       Hs118Bounds(true),
       0,
       664.82045,
       Evaluate<Hs118>},
  };
}

}  // namespace

const std::vector<HockSchittkowskiProblem>& HockSchittkowskiProblems() {
  static const auto* problems = new std::vector<HockSchittkowskiProblem>(MakeProblems());
  return *problems;
}

}  // namespace plumb
