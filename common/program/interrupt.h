#ifndef PLUMB_COMMON_PROGRAM_INTERRUPT_H_
#define PLUMB_COMMON_PROGRAM_INTERRUPT_H_

namespace plumb {

// From now on the first SIGINT or SIGTERM only sets a flag, so that a loop can save and stop; the second ends
// the process at once with exit code 130. RunProgram calls this.
void InstallInterruptHandlers();

bool InterruptRequested();

// For tests of loops: as if a signal had come, or had not.
void SetInterruptRequested(bool requested);

}  // namespace plumb

#endif  // PLUMB_COMMON_PROGRAM_INTERRUPT_H_
