#ifndef PLUMB_OPTIM_RELAXATION_BANDIT_H_
#define PLUMB_OPTIM_RELAXATION_BANDIT_H_

#include <cstdint>

namespace plumb {

// Learns which of several actions costs least from the costs of those it chose, a round each. Khodak, Chow,
// Balcan and Talwalkar 2024, "Learning to Relax: Setting Solver Parameters Across a Sequence of Linear System
// Instances" (arXiv 2310.02246): actions are values of omega, a round is a linear system, its cost the number
// of iterations:
//
//   const std::vector<double> omegas = RelaxationGrid();
//   TsallisInf bandit(omegas.size(), RandomStream(seed, "relaxation"));
//   for each system:
//     const auto solution = SuccessiveOverRelaxation(a, b, omegas[bandit.Choose(0)], options);
//     bandit.Tell(solution->summary.iterations);
class Bandit {
 public:
  virtual ~Bandit() = default;

  // The action of the next round. `context` is a number known before it, by which the costs of all actions
  // may depend (the shift c of systems A + c I); a bandit without contexts ignores it.
  virtual int64_t Choose(double context) = 0;

  // What the action cost that was chosen last: at least 1, as iterations do.
  virtual void Tell(double cost) = 0;
};

}  // namespace plumb

#endif  // PLUMB_OPTIM_RELAXATION_BANDIT_H_
