#include "optim/core/ask_tell.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/random.h"
#include "common/tensor/safetensors.h"
#include "common/tensor/shape.h"
#include "optim/core/sobol.h"

namespace plumb {
namespace {

constexpr char kMethodPrefix[] = "method.";

at::Tensor Matrix(absl::Span<const double> numbers, int64_t rows, int64_t columns) {
  const at::Tensor matrix = at::empty({rows, columns}, at::kDouble);
  std::copy(numbers.begin(), numbers.end(), matrix.mutable_data_ptr<double>());
  return matrix;
}

absl::Span<const double> Numbers(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<double>(), static_cast<size_t>(tensor.numel())};
}

at::Tensor F64(const at::Tensor& tensor) { return tensor.detach().to(at::kDouble).contiguous(); }

class RandomSearch : public AskTell {
 public:
  RandomSearch(at::Tensor lower, at::Tensor upper, uint64_t seed)
      : AskTell(std::move(lower), std::move(upper)), stream_(seed, "random_search") {}
  std::string name() const override { return "random_search"; }

 protected:
  absl::StatusOr<at::Tensor> Propose(int64_t count) override {
    const at::Tensor unit = at::empty({count, dimension()}, at::kDouble);
    double* numbers = unit.mutable_data_ptr<double>();
    const int64_t first = asked() * dimension();
    for (int64_t i = 0; i < unit.numel(); ++i) numbers[i] = stream_.Uniform(first + i);
    return FromUnit(unit);
  }

 private:
  RandomStream stream_;
};

class SobolSearch : public AskTell {
 public:
  SobolSearch(at::Tensor lower, at::Tensor upper, SobolSequence sequence)
      : AskTell(std::move(lower), std::move(upper)), sequence_(std::move(sequence)) {}
  std::string name() const override { return "sobol_search"; }

 protected:
  absl::StatusOr<at::Tensor> Propose(int64_t count) override {
    if (asked() + count > SobolSequence::kMaxPoints)
      return absl::OutOfRangeError("sobol_search: no points are left");
    return FromUnit(sequence_.Points(asked(), count));
  }

 private:
  SobolSequence sequence_;
};

}  // namespace

AskTell::AskTell(at::Tensor lower, at::Tensor upper) : lower_(std::move(lower)), upper_(std::move(upper)) {}

absl::StatusOr<at::Tensor> AskTell::Ask(int64_t count) {
  if (count < 0) return absl::InvalidArgumentError(absl::StrCat("asked for ", count, " points"));
  PLUMB_ASSIGN_OR_RETURN(at::Tensor proposed, Propose(count));
  PLUMB_RETURN_IF_ERROR(CheckShape(absl::StrCat(name(), "'s points"), proposed, {count, dimension()}));
  proposed = F64(proposed);
  const double* data = proposed.const_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i)
    pending_.emplace_back(data + i * dimension(), data + (i + 1) * dimension());
  asked_ += count;
  return proposed;
}

absl::Status AskTell::Tell(const at::Tensor& points, const at::Tensor& values, const at::Tensor& constraints,
                           const at::Tensor& gradients) {
  PLUMB_RETURN_IF_ERROR(CheckShape("told points", points, {kAny, dimension()}));
  const int64_t count = points.size(0);
  PLUMB_RETURN_IF_ERROR(CheckShape("told values", values, {count}));
  const int64_t known = constraint_count_ < 0 ? kAny : constraint_count_;
  if (constraints.defined()) {
    PLUMB_RETURN_IF_ERROR(CheckShape("told constraints", constraints, {count, known}));
  } else if (known > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("told no constraints, expected [", count, ", ", known, "]"));
  }
  if (gradients.defined()) {
    PLUMB_RETURN_IF_ERROR(CheckShape("told gradients", gradients, {count, dimension()}));
  }
  if (count == 0) return absl::OkStatus();
  const at::Tensor x = F64(points), y = F64(values);
  for (const double coordinate : Numbers(x)) {
    if (!std::isfinite(coordinate)) {
      return absl::InvalidArgumentError(
          absl::StrCat("told points: coordinate ", coordinate, " is not finite"));
    }
  }
  constraint_count_ = constraints.defined() ? constraints.size(1) : 0;
  points_.insert(points_.end(), Numbers(x).begin(), Numbers(x).end());
  for (const double value : Numbers(y)) {
    values_.push_back(std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN());
  }
  if (constraints.defined()) {
    const at::Tensor c = F64(constraints);
    constraints_.insert(constraints_.end(), Numbers(c).begin(), Numbers(c).end());
  }
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  gradients_.resize(points_.size(), kUnknown);
  if (gradients.defined()) {
    const at::Tensor g = F64(gradients);
    for (int64_t i = 0; i < g.numel(); ++i) {
      const double derivative = Numbers(g)[i];
      if (!std::isfinite(derivative) || !std::isfinite(Numbers(y)[i / dimension()])) continue;
      gradients_[points_.size() - g.numel() + i] = derivative;
      has_gradients_ = true;
    }
  }
  for (int64_t i = 0; i < count; ++i) {
    const double* row = Numbers(x).data() + i * dimension();
    const auto asked = std::find_if(pending_.begin(), pending_.end(), [&](const std::vector<double>& point) {
      return std::equal(point.begin(), point.end(), row);
    });
    if (asked != pending_.end()) pending_.erase(asked);
  }
  FindBest(told() - count);
  return Learn(count);
}

void AskTell::FindBest(int64_t from) {
  for (int64_t i = from; i < told(); ++i) {
    if (std::isnan(values_[i]) || (best_ >= 0 && values_[i] >= values_[best_])) continue;
    const auto first = constraints_.begin() + i * std::max<int64_t>(0, constraint_count_);
    const bool feasible = std::all_of(first, first + std::max<int64_t>(0, constraint_count_),
                                      [](double constraint) { return constraint >= 0; });
    if (feasible) best_ = i;
  }
}

at::Tensor AskTell::points() const { return Matrix(points_, told(), dimension()); }
at::Tensor AskTell::values() const { return Matrix(values_, told(), 1).select(1, 0); }
at::Tensor AskTell::constraints() const {
  return Matrix(constraints_, told(), std::max<int64_t>(0, constraint_count_));
}
at::Tensor AskTell::gradients() const { return Matrix(gradients_, told(), dimension()); }
absl::StatusOr<at::Tensor> AskTell::Recommend() {
  if (best_ >= 0) return best_point();
  return absl::FailedPreconditionError(absl::StrCat(name(), ": nothing that did not fail was told yet"));
}
at::Tensor AskTell::pending() const {
  std::vector<double> numbers;
  for (const std::vector<double>& point : pending_) numbers.insert(numbers.end(), point.begin(), point.end());
  return Matrix(numbers, pending_.size(), dimension());
}
at::Tensor AskTell::best_point() const {
  TORCH_CHECK(best_ >= 0, name(), ": nothing that did not fail was told yet");
  return Matrix(absl::MakeConstSpan(points_).subspan(best_ * dimension(), dimension()), 1, dimension())
      .select(0, 0);
}

std::map<std::string, at::Tensor> AskTell::State() const {
  std::map<std::string, at::Tensor> state = {
      {"points", points()}, {"values", values()}, {"pending", pending()},
      {"lower", lower_},    {"upper", upper_},    {"asked", at::tensor({asked_}, at::kLong)}};
  if (constraint_count_ > 0) state["constraints"] = constraints();
  if (has_gradients_) state["gradients"] = gradients();
  for (const auto& [name, tensor] : MethodState()) state[kMethodPrefix + name] = tensor;
  return state;
}

absl::Status AskTell::LoadState(const std::map<std::string, at::Tensor>& state) {
  const auto find = [&](const std::string& key, at::ScalarType dtype,
                        at::IntArrayRef shape) -> absl::StatusOr<at::Tensor> {
    const auto found = state.find(key);
    const std::string where = absl::StrCat("state of ", name(), ", ", key);
    if (found == state.end()) return absl::InvalidArgumentError(absl::StrCat(where, ": is not there"));
    PLUMB_RETURN_IF_ERROR(CheckShape(where, found->second, shape));
    PLUMB_RETURN_IF_ERROR(CheckDtype(where, found->second, dtype));
    return found->second.contiguous();
  };
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor points, find("points", at::kDouble, {kAny, dimension()}));
  const int64_t count = points.size(0);
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor values, find("values", at::kDouble, {count}));
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor pending, find("pending", at::kDouble, {kAny, dimension()}));
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor lower, find("lower", at::kDouble, {dimension()}));
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor upper, find("upper", at::kDouble, {dimension()}));
  PLUMB_ASSIGN_OR_RETURN(const at::Tensor asked, find("asked", at::kLong, {1}));
  if (!lower.equal(lower_) || !upper.equal(upper_)) {
    return absl::InvalidArgumentError(absl::StrCat("state of ", name(), ": is of another box"));
  }
  at::Tensor constraints = at::empty({count, 0}, at::kDouble);
  if (state.count("constraints") > 0) {
    PLUMB_ASSIGN_OR_RETURN(constraints, find("constraints", at::kDouble, {count, kAny}));
  }
  at::Tensor gradients =
      at::full({count, dimension()}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  if (state.count("gradients") > 0) {
    PLUMB_ASSIGN_OR_RETURN(gradients, find("gradients", at::kDouble, {count, dimension()}));
  }
  std::map<std::string, at::Tensor> method;
  for (const auto& [key, tensor] : state) {
    if (key.rfind(kMethodPrefix, 0) == 0) method[key.substr(sizeof(kMethodPrefix) - 1)] = tensor;
  }
  PLUMB_RETURN_IF_ERROR(LoadMethodState(method));
  points_.assign(Numbers(points).begin(), Numbers(points).end());
  values_.assign(Numbers(values).begin(), Numbers(values).end());
  constraints_.assign(Numbers(constraints).begin(), Numbers(constraints).end());
  constraint_count_ = count == 0 ? -1 : constraints.size(1);
  gradients_.assign(Numbers(gradients).begin(), Numbers(gradients).end());
  has_gradients_ = state.count("gradients") > 0;
  pending_.clear();
  for (int64_t i = 0; i < pending.size(0); ++i) {
    const double* row = pending.const_data_ptr<double>() + i * dimension();
    pending_.emplace_back(row, row + dimension());
  }
  asked_ = asked.const_data_ptr<int64_t>()[0];
  best_ = -1;
  FindBest(0);
  return absl::OkStatus();
}

absl::Status AskTell::Save(const std::string& path) const {
  std::vector<NamedTensor> tensors;
  for (const auto& [name, tensor] : State()) tensors.push_back({name, tensor});
  return WriteSafetensors(path, tensors, {{"method", name()}});
}

absl::Status AskTell::Load(const std::string& path) {
  PLUMB_ASSIGN_OR_RETURN(const Safetensors file, Safetensors::Open(path));
  const auto method = file.metadata().find("method");
  if (method == file.metadata().end() || method->second != name()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is of method '",
                                                   method == file.metadata().end() ? "" : method->second,
                                                   "', expected '", name(), "'"));
  }
  std::map<std::string, at::Tensor> state;
  for (const Safetensors::Entry& entry : file.entries()) {
    PLUMB_ASSIGN_OR_RETURN(state[entry.name], file.Get(entry.name));
  }
  return LoadState(state);
}

at::Tensor AskTell::FromUnit(const at::Tensor& unit) const {
  // The sum may be rounded up beyond `upper`.
  return (unit * (upper_ - lower_) + lower_).clamp(lower_, upper_);
}

absl::Status CheckBox(at::Tensor& lower, at::Tensor& upper) {
  PLUMB_RETURN_IF_ERROR(CheckShape("lower bounds", lower, {kAny}));
  PLUMB_RETURN_IF_ERROR(CheckBounds(lower.numel(), lower, upper));
  for (int64_t i = 0; i < lower.numel(); ++i) {
    const double size = Numbers(upper)[i] - Numbers(lower)[i];
    if (std::isfinite(size)) continue;
    return absl::InvalidArgumentError(absl::StrCat("bounds of coordinate ", i, ": [", Numbers(lower)[i], ", ",
                                                   Numbers(upper)[i], "], expected finite ones"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AskTell>> MakeRandomSearch(at::Tensor lower, at::Tensor upper, uint64_t seed) {
  PLUMB_RETURN_IF_ERROR(CheckBox(lower, upper));
  return std::make_unique<RandomSearch>(lower, upper, seed);
}

absl::StatusOr<std::unique_ptr<AskTell>> MakeSobolSearch(at::Tensor lower, at::Tensor upper, uint64_t seed) {
  PLUMB_RETURN_IF_ERROR(CheckBox(lower, upper));
  PLUMB_ASSIGN_OR_RETURN(SobolSequence sequence,
                         SobolSequence::Scrambled(lower.numel(), RandomStream(seed, "sobol_search")));
  return std::make_unique<SobolSearch>(lower, upper, std::move(sequence));
}

absl::StatusOr<MinimizeResult> Minimize(AskTell& method, const Objective& objective,
                                        const MinimizeOptions& options, IterationCallback callback) {
  const StopOptions& stop = options.stop();
  if (!stop.has_max_iterations() && !stop.has_max_evaluations() && !stop.has_max_seconds() &&
      !options.has_target_value()) {
    return absl::InvalidArgumentError(
        "stop: the run would never end; set max_evaluations, max_iterations, max_seconds or target_value");
  }
  SolverRun run(stop, std::move(callback));
  std::string error;
  const auto end = [&](Summary summary) {
    MinimizeResult result;
    if (method.best() >= 0) result.x = method.best_point();
    result.value = method.best_value();
    summary.value = result.value;
    if (!error.empty()) absl::StrAppend(&summary.reason, "; last failure: ", error);
    result.summary = std::move(summary);
    return result;
  };
  while (!run.MustStop()) {
    int64_t count = options.batch_size();
    if (stop.has_max_evaluations()) count = std::min(count, stop.max_evaluations() - run.Evaluations());
    at::Tensor points = method.pending();
    if (points.size(0) > 0) {
      points = points.narrow(0, 0, std::min(count, points.size(0)));
    } else {
      PLUMB_ASSIGN_OR_RETURN(points, method.Ask(count));
    }
    const Evaluation found = Evaluate(objective, points, /*with_gradients=*/false, run.calls(), error);
    PLUMB_RETURN_IF_ERROR(method.Tell(points, found.values));
    IterationRecord record;
    record.value = method.best_value();
    run.EndIteration(record);
    if (options.has_target_value() && method.best_value() <= options.target_value()) {
      return end(run.End(Termination::kConverged,
                         absl::StrCat("value ", method.best_value(),
                                      " is at most target_value = ", options.target_value())));
    }
  }
  return end(run.End());
}

}  // namespace plumb
