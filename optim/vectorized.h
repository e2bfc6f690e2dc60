#ifndef PLUMB_OPTIM_VECTORIZED_H_
#define PLUMB_OPTIM_VECTORIZED_H_

// A function compiled for several instruction sets; the one that suits the machine runs. For loops that the
// compiler vectorises. Sanitizers cannot start programs with such functions.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define PLUMB_VECTORIZED __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define PLUMB_VECTORIZED
#endif

#endif  // PLUMB_OPTIM_VECTORIZED_H_
