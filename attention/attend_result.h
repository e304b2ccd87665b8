// What attention over blocks returns, whichever implementation ran.
#pragma once

#include <ATen/core/Tensor.h>

namespace reel::attention {

/// Of one batch item. Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim.
struct AttendResult {
  at::Tensor out;  ///< [S, A, D] contiguous, dtype of q
  at::Tensor lse;  ///< [A, S] fp32, natural log of the sum of exp(logit) over the keys seen
};

}  // namespace reel::attention
