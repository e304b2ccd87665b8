#include "attention/cpu_kernels.h"

namespace reel::attention {

bool has_avx512() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0;
}

const CpuKernels& best_cpu_kernels() {
  return has_avx512() ? kAvx512Kernels : kAvx2Kernels;
}

}  // namespace reel::attention
