#ifndef PLUMB_OPTIM_CORE_ASK_TELL_H_
#define PLUMB_OPTIM_CORE_ASK_TELL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "optim/core/objective.h"
#include "optim/core/options.pb.h"
#include "optim/core/summary.h"

namespace plumb {

// A black-box method, which minimises over the box lower <= x <= upper: it is asked for points, and told what
// was found there, in any order. A new method is its Propose(); the rest is here. f64, on the CPU.
class AskTell {
 public:
  virtual ~AskTell() = default;
  AskTell(const AskTell&) = delete;
  AskTell& operator=(const AskTell&) = delete;

  virtual std::string name() const = 0;

  // Points to evaluate, [count, D]; they are pending until told.
  absl::StatusOr<at::Tensor> Ask(int64_t count);

  // What was found: points [N, D], values [N] (NaN or an infinity: the evaluation failed) and, once any are
  // told always, constraints [N, C], feasible where all are >= 0; where they are known gradients [N, D] of
  // the values, NaN for derivatives that are not. Points that were never asked for are welcome, within the
  // box or not. Error, and nothing is taken: shapes, or points that are not finite.
  absl::Status Tell(const at::Tensor& points, const at::Tensor& values, const at::Tensor& constraints = {},
                    const at::Tensor& gradients = {});

  // Pending points that nobody will evaluate any more.
  void Abandon() { pending_.clear(); }

  int64_t dimension() const { return lower_.numel(); }
  const at::Tensor& lower() const { return lower_; }
  const at::Tensor& upper() const { return upper_; }

  // What was told, in that order; copies. A failure's value is NaN.
  int64_t told() const { return values_.size(); }
  at::Tensor points() const;       // [N, D]
  at::Tensor values() const;       // [N]
  at::Tensor constraints() const;  // [N, C]; C is 0 when none were told
  at::Tensor gradients() const;    // [N, D]; NaN where none was told, as of failures
  bool has_gradients() const { return has_gradients_; }
  at::Tensor pending() const;  // [P, D], in the order asked
  int64_t asked() const { return asked_; }

  // The least value that did not fail and whose constraints hold; -1: there is none.
  int64_t best() const { return best_; }
  at::Tensor best_point() const;  // [D]; best() must be there
  double best_value() const { return best_ < 0 ? IterationRecord::kNone : values_[best_]; }

  // The point to take when nothing more is evaluated, [D]: the best one, unless a method has reasons to
  // believe in another. Error: best() is not there, or the method's own.
  virtual absl::StatusOr<at::Tensor> Recommend();

  // Everything a resumed run needs, by name: it then asks for the same points as the run that went on.
  // Loading refuses what does not fit, and changes nothing then.
  std::map<std::string, at::Tensor> State() const;
  absl::Status LoadState(const std::map<std::string, at::Tensor>& state);
  // The same in a safetensors file, replaced as a whole.
  absl::Status Save(const std::string& path) const;
  absl::Status Load(const std::string& path);

 protected:
  // Of a finite box: see CheckBox.
  AskTell(at::Tensor lower, at::Tensor upper);

  // Points within the box, [count, D]: a function of what is known (told, pending, asked()) and of
  // MethodState().
  virtual absl::StatusOr<at::Tensor> Propose(int64_t count) = 0;

  // For methods that keep more than what was told: called with the last `count` observations; and their own
  // tensors.
  virtual absl::Status Learn(int64_t count) { return absl::OkStatus(); }
  virtual std::map<std::string, at::Tensor> MethodState() const { return {}; }
  virtual absl::Status LoadMethodState(const std::map<std::string, at::Tensor>& state) {
    return absl::OkStatus();
  }

  // Points of the unit cube, [N, D], in the box.
  at::Tensor FromUnit(const at::Tensor& unit) const;

 private:
  void FindBest(int64_t from);

  at::Tensor lower_, upper_;             // [D]
  std::vector<double> points_, values_;  // [N, D], [N]
  std::vector<double> constraints_;      // [N, C]
  std::vector<double> gradients_;        // [N, D]
  bool has_gradients_ = false;           // one of them is a number
  int64_t constraint_count_ = -1;        // -1: not known yet
  std::deque<std::vector<double>> pending_;
  int64_t asked_ = 0;
  int64_t best_ = -1;
};

// An error unless lower and upper are a box of finite size; they come back f64 and contiguous.
absl::Status CheckBox(at::Tensor& lower, at::Tensor& upper);

// Uniform in the box, point i a function of seed and i.
absl::StatusOr<std::unique_ptr<AskTell>> MakeRandomSearch(at::Tensor lower, at::Tensor upper, uint64_t seed);

// The scrambled Sobol sequence in the box.
absl::StatusOr<std::unique_ptr<AskTell>> MakeSobolSearch(at::Tensor lower, at::Tensor upper, uint64_t seed);

struct MinimizeResult {
  at::Tensor x;  // [D], the best that the method knows; undefined: all evaluations failed
  double value = IterationRecord::kNone;
  Summary summary;  // an iteration is a batch; `value` of the history is the best so far
};

// Asks, evaluates and tells until a limit of options.stop(), the target or an interrupt. Points that are
// still pending (of a run that was killed) come first. The objective's errors, exceptions and NaN are told as
// failures. The method can be saved in the callback, or afterwards, and a later call goes on; limits are
// those of one call. Error: options without a limit, or the method's own.
absl::StatusOr<MinimizeResult> Minimize(AskTell& method, const Objective& objective,
                                        const MinimizeOptions& options, IterationCallback callback = nullptr);

}  // namespace plumb

#endif  // PLUMB_OPTIM_CORE_ASK_TELL_H_
