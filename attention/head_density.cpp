#include "attention/head_density.h"

#include <ATen/ATen.h>

namespace reel::attention {

HeadDensity::HeadDensity(const at::Tensor& selected, double num_pairs)
    : selected_(at::empty(selected.sizes(), at::TensorOptions(at::kLong).pinned_memory(true))),
      num_pairs_(num_pairs) {
  selected_.copy_(selected, /*non_blocking=*/true);
  ready_ = TimePoint::now(selected.device());
}

std::vector<double> HeadDensity::values() const {
  if (!selected_.defined()) return values_;
  ready_.wait();
  const int64_t* counts = selected_.const_data_ptr<int64_t>();
  std::vector<double> values;
  for (int64_t head = 0; head < selected_.numel(); ++head) {
    values.push_back(static_cast<double>(counts[head]) / num_pairs_);
  }
  return values;
}

}  // namespace reel::attention
