// The AVX2 build of the loops: 16 registers of 8 floats hold 6 x 2 sums, 2 columns and a row value.
#include "attention/cpu_kernels.h"

#define REEL_KERNEL_WIDTH 8
#define REEL_KERNEL_ROWS 6
#define REEL_KERNEL_NAMESPACE reel::attention::avx2
#include "attention/cpu_kernels_impl.h"

namespace reel::attention {

const CpuKernels kAvx2Kernels = {
    "avx2",       avx2::kPanel,          avx2::pack_panels,     avx2::score,
    avx2::attend, avx2::score_workspace, avx2::attend_workspace};

}  // namespace reel::attention
