#include "attention/attention.h"

#include "attention/dense.h"
#include "core/error.h"

namespace reel::attention {

StepAttention Attention::at_step(int64_t step) {
  return {this, step};
}

const Statistics& Attention::statistics() {
  statistics_.settle();
  return statistics_;
}

at::Tensor Attention::attend_dense(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   int64_t step, int64_t layer) {
  const auto start = TimePoint::now(q.device());
  const at::Tensor out = dense_attention(q, k, v);
  const auto end = TimePoint::now(q.device());
  statistics_.add_call(step, layer, std::vector<double>(static_cast<size_t>(q.size(2)), 1.0),
                       /*sparse=*/false);
  statistics_.add_times(step, {start, start, start, end});
  return out;
}

at::Tensor Attention::attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             [[maybe_unused]] int64_t text_length, int64_t step, int64_t layer) {
  if (schedule_.is_dense(step, layer)) return attend_dense(q, k, v, step, layer);
  fail<DeviceError>("attention: sparse calls are not built yet");
}

}  // namespace reel::attention
