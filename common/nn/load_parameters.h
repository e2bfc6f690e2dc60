#ifndef PLUMB_COMMON_NN_LOAD_PARAMETERS_H_
#define PLUMB_COMMON_NN_LOAD_PARAMETERS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/nn/parameters.h"
#include "common/tensor/safetensors.h"

namespace plumb {

struct ParameterNames {
  // How the file may call a parameter, best first; default: as it is.
  std::function<std::vector<std::string>(const std::string& name)> spellings;
  // Tensors of the file that mean nothing to us.
  std::function<bool(const std::string& name)> ignored;
};

// Replaces every tensor that `visit` shows (it may be on the meta device) by the file's, converted to the
// tensor's dtype; where the dtype is the file's already, nothing is copied (else see Safetensors::GetAs). An
// error names, in one line that begins with `where`, what is missing, unexpected or has another shape, and
// changes nothing.
absl::Status LoadParameters(const Safetensors& file, const std::string& where,
                            absl::FunctionRef<void(ParameterVisitor)> visit,
                            const ParameterNames& names = {});

}  // namespace plumb

#endif  // PLUMB_COMMON_NN_LOAD_PARAMETERS_H_
