#include "vae/resnet_block.h"

namespace reel::vae {

ResnetBlock::ResnetBlock(weights::WeightStore& store, const std::string& stem, int64_t num_groups,
                         bool changes_width, Backend backend)
    : first_(store, stem + ".norm1", stem + ".conv1", num_groups, backend),
      second_(store, stem + ".norm2", stem + ".conv2", num_groups, backend) {
  if (changes_width) {
    shortcut_weight_ = store.take_weight(stem + ".conv_shortcut.conv");
    shortcut_bias_ = store.take_bias(stem + ".conv_shortcut.conv");
    if (backend == Backend::kBest && can_fuse(shortcut_weight_)) {
      packed_shortcut_.emplace(shortcut_weight_, shortcut_bias_);
    }
  }
}

at::Tensor ResnetBlock::shortcut(const at::Tensor& x) const {
  if (!shortcut_weight_.defined()) return x;
  if (packed_shortcut_) return convolve_pointwise(x, *packed_shortcut_);
  return at::conv3d(x, shortcut_weight_, shortcut_bias_);
}

at::Tensor ResnetBlock::forward(const at::Tensor& x) const {
  const at::Tensor h = first_.forward(x);
  return second_.forward(h, shortcut(x));
}

}  // namespace reel::vae
