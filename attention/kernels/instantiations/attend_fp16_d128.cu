#include "attention/kernels/attend_sm90_launch.cuh"

namespace reel::attention::kernels::attend {

REEL_ATTEND_VARIANT(__half, 128, kSimple, 2, false, false, kAlways)
REEL_ATTEND_VARIANT(__half, 128, kLazy, 2, true, true, kIfGrown)

}  // namespace reel::attention::kernels::attend
