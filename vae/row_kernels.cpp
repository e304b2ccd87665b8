#include "vae/row_kernels.h"

namespace reel::vae {

const RowKernels& row_kernels() {
  static const bool wide = __builtin_cpu_supports("avx512f") != 0;
  return wide ? kRowKernelsAvx512 : kRowKernelsAvx2;
}

}  // namespace reel::vae
