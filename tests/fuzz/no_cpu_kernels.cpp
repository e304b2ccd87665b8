// Stands for attention/cpu_kernels.cpp and its variants, which no reader of files calls.
#include <cstdlib>

#include "attention/cpu_kernels.h"

namespace reel::attention {

const CpuKernels& best_cpu_kernels() {
  std::abort();
}

}  // namespace reel::attention
