#include "optim/relaxation/bandit.h"

#include <ATen/ops/tensor.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/tensor/shape.h"

namespace plumb {

std::map<std::string, at::Tensor> Bandit::State() const {
  std::map<std::string, at::Tensor> state;
  for (const auto& [name, numbers] : StateNumbers()) state[name] = at::tensor(numbers, at::kDouble);
  return state;
}

absl::Status Bandit::LoadState(const std::map<std::string, at::Tensor>& state) {
  const Numbers own = StateNumbers();
  for (const auto& [name, tensor] : state) {
    if (own.count(name) == 0) {
      return absl::InvalidArgumentError(absl::StrCat("state of a bandit, ", name, ": there is no such part"));
    }
  }
  Numbers loaded;
  for (const auto& [name, numbers] : own) {
    const auto found = state.find(name);
    const std::string where = absl::StrCat("state of a bandit, ", name);
    if (found == state.end()) return absl::InvalidArgumentError(absl::StrCat(where, ": is not there"));
    PLUMB_RETURN_IF_ERROR(CheckShape(where, found->second, {static_cast<int64_t>(numbers.size())}));
    PLUMB_RETURN_IF_ERROR(CheckDtype(where, found->second, at::kDouble));
    const at::Tensor values = found->second.contiguous();
    const double* first = values.const_data_ptr<double>();
    loaded[name].assign(first, first + values.numel());
  }
  return SetStateNumbers(loaded);
}

absl::Status CheckRounds(double rounds, double chosen, int64_t actions) {
  if (!(rounds >= 0 && rounds == std::floor(rounds))) {
    return absl::InvalidArgumentError(
        absl::StrCat("state of a bandit, rounds: ", rounds, ", expected a count"));
  }
  if (!(chosen >= 0 && chosen < actions && chosen == std::floor(chosen))) {
    return absl::InvalidArgumentError(
        absl::StrCat("state of a bandit, chosen: ", chosen, ", expected one of ", actions, " actions"));
  }
  return absl::OkStatus();
}

}  // namespace plumb
