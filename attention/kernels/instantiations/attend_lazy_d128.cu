#include "attention/kernels/attend_sm90_launch.cuh"

namespace reel::attention::kernels::attend {

REEL_ATTEND_VARIANT(__nv_bfloat16, 128, kLazy, 2, true, true, kIfGrown)

}  // namespace reel::attention::kernels::attend
