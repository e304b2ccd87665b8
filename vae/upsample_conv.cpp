#include "vae/upsample_conv.h"

#include "vae/causal_conv3d.h"

#if REEL_CUDA
#include "vae/gpu_layers.h"
#endif

namespace reel::vae {

at::Tensor upsample_nearest(const at::Tensor& x, ScaleFactor factor) {
  const int64_t num_frames = x.size(2);
  const int64_t height = x.size(3) * factor.space;
  const int64_t width = x.size(4) * factor.space;
  const at::Tensor first = at::upsample_nearest3d(x.narrow(2, 0, 1), {1, height, width});
  if (num_frames == 1) return first;
  const at::Tensor others = at::upsample_nearest3d(x.narrow(2, 1, num_frames - 1),
                                                   {(num_frames - 1) * factor.time, height, width});
  return at::cat({first, others}, 2);
}

UpsampleConv::UpsampleConv(weights::WeightStore& store, const std::string& stem, ScaleFactor factor,
                           Backend backend)
    : factor_(factor),
      weight_(store.take_weight(stem + ".conv.conv")),
      bias_(store.take_bias(stem + ".conv.conv")) {
  if (backend == Backend::kLibTorch) return;
  if (can_fuse(weight_)) {
    folded_.emplace(weight_, bias_, factor);
    weight_.reset();
    bias_.reset();
  }
#if REEL_CUDA
  if (!folded_ && gpu::can_fuse(weight_)) {
    on_gpu_ = std::make_shared<gpu::UpsampleConv>(weight_, bias_, factor,
                                                  /*folded=*/backend == Backend::kBest);
    weight_.reset();
    bias_.reset();
  }
#endif
}

at::Tensor UpsampleConv::forward(const at::Tensor& x) const {
  if (folded_) return folded_->forward(pad_columns(x));
#if REEL_CUDA
  if (on_gpu_) return on_gpu_->forward(x);
#endif
  return at::conv3d(pad_causally(upsample_nearest(x, factor_)), weight_, bias_);
}

}  // namespace reel::vae
