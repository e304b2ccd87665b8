#include "vae/resnet_block.h"

#if REEL_CUDA
#include "vae/gpu_layers.h"
#endif

namespace reel::vae {

ResnetBlock::ResnetBlock(weights::WeightStore& store, const std::string& stem, int64_t num_groups,
                         bool changes_width, Backend backend)
    : first_(store, stem + ".norm1", stem + ".conv1", num_groups, backend),
      second_(store, stem + ".norm2", stem + ".conv2", num_groups, backend) {
  if (changes_width) {
    shortcut_weight_ = store.take_weight(stem + ".conv_shortcut.conv");
    shortcut_bias_ = store.take_bias(stem + ".conv_shortcut.conv");
    if (backend != Backend::kLibTorch && can_fuse(shortcut_weight_)) {
      packed_shortcut_.emplace(shortcut_weight_, shortcut_bias_);
    }
#if REEL_CUDA
    on_gpu_ = backend != Backend::kLibTorch && gpu::can_fuse(shortcut_weight_);
#endif
  }
}

at::Tensor ResnetBlock::shortcut(const at::Tensor& x) const {
  if (!shortcut_weight_.defined()) return x;
  if (packed_shortcut_) return convolve_pointwise(x, *packed_shortcut_);
#if REEL_CUDA
  if (on_gpu_) return gpu::convolve_pointwise(x, shortcut_weight_, shortcut_bias_);
#endif
  return at::conv3d(x, shortcut_weight_, shortcut_bias_);
}

at::Tensor ResnetBlock::forward(const at::Tensor& x) const {
  return first_.forward_into(second_, x, shortcut(x));
}

}  // namespace reel::vae
