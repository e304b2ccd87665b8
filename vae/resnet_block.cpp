#include "vae/resnet_block.h"

namespace reel::vae {

ResnetBlock::ResnetBlock(weights::WeightStore& store, const std::string& stem, int64_t num_groups,
                         bool changes_width)
    : first_(store, stem + ".norm1", stem + ".conv1", num_groups),
      second_(store, stem + ".norm2", stem + ".conv2", num_groups) {
  if (changes_width) {
    shortcut_weight_ = store.take_weight(stem + ".conv_shortcut.conv");
    shortcut_bias_ = store.take_bias(stem + ".conv_shortcut.conv");
  }
}

at::Tensor ResnetBlock::forward(const at::Tensor& x) const {
  const at::Tensor h = first_.forward(x);
  if (!shortcut_weight_.defined()) return second_.forward(h, x);
  return second_.forward(h, at::conv3d(x, shortcut_weight_, shortcut_bias_));
}

}  // namespace reel::vae
