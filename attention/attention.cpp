#include "attention/attention.h"

#include "attention/dense.h"

namespace reel::attention {

StepAttention Attention::at_step(int64_t step) { return {this, step}; }

at::Tensor Attention::attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             [[maybe_unused]] int64_t text_length, [[maybe_unused]] int64_t step,
                             [[maybe_unused]] int64_t layer) {
  return dense_attention(q, k, v);
}

}  // namespace reel::attention
