#ifndef PLUMB_COMMON_STATUS_STATUS_MACROS_H_
#define PLUMB_COMMON_STATUS_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Leaves the function with the error, if there is one.
#define PLUMB_RETURN_IF_ERROR(expression)                               \
  do {                                                                  \
    if (absl::Status plumb_status = (expression); !plumb_status.ok()) { \
      return plumb_status;                                              \
    }                                                                   \
  } while (false)

// PLUMB_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
#define PLUMB_ASSIGN_OR_RETURN(target, expression) \
  PLUMB_ASSIGN_OR_RETURN_IMPL(PLUMB_CONCATENATE(plumb_result_, __LINE__), target, expression)
#define PLUMB_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return result.status();                     \
  target = std::move(result).value()
#define PLUMB_CONCATENATE(a, b) PLUMB_CONCATENATE_IMPL(a, b)
#define PLUMB_CONCATENATE_IMPL(a, b) a##b

#endif  // PLUMB_COMMON_STATUS_STATUS_MACROS_H_
