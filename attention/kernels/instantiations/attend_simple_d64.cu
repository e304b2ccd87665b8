#include "attention/kernels/attend_sm90_launch.cuh"

namespace reel::attention::kernels::attend {

REEL_ATTEND_VARIANT(__nv_bfloat16, 64, kSimple, 2, false, false, kAlways)

}  // namespace reel::attention::kernels::attend
