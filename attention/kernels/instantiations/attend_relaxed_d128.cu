#include "attention/kernels/attend_sm90_launch.cuh"

namespace reel::attention::kernels::attend {

REEL_ATTEND_VARIANT(__nv_bfloat16, 128, kRelaxed, 2, true, true, kIfDouble8)

}  // namespace reel::attention::kernels::attend
