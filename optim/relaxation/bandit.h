#ifndef PLUMB_OPTIM_RELAXATION_BANDIT_H_
#define PLUMB_OPTIM_RELAXATION_BANDIT_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

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

  // Everything that a resumed run needs, by name, vectors of f64: a bandit of the same actions, options and
  // random stream then chooses as the one that went on. Loading refuses what does not fit, and changes
  // nothing then.
  std::map<std::string, at::Tensor> State() const;
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state);

 protected:
  using Numbers = std::map<std::string, std::vector<double>>;
  virtual Numbers StateNumbers() const = 0;
  // Of the names and sizes of StateNumbers(). Error: an action that is none, negative rounds.
  virtual absl::Status SetStateNumbers(const Numbers& numbers) = 0;
};

// An error unless `rounds` and `chosen` are what a bandit of `actions` actions may have come to.
absl::Status CheckRounds(double rounds, double chosen, int64_t actions);

}  // namespace plumb

#endif  // PLUMB_OPTIM_RELAXATION_BANDIT_H_
