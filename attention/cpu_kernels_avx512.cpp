// The AVX-512 build of the loops: 32 registers of 16 floats hold 8 x 2 sums and more, and row
// values are broadcast by the multiplication itself.
#include "attention/cpu_kernels.h"

#define REEL_KERNEL_WIDTH 16
#define REEL_KERNEL_ROWS 8
#define REEL_KERNEL_NAMESPACE reel::attention::avx512
#include "attention/cpu_kernels_impl.h"

namespace reel::attention {

const CpuKernels kAvx512Kernels = {
    "avx512",       avx512::kPanel,          avx512::pack_panels,     avx512::score,
    avx512::attend, avx512::score_workspace, avx512::attend_workspace};

}  // namespace reel::attention
