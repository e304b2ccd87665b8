#include "vae/causal_conv3d.h"

#if REEL_CUDA
#include "vae/gpu_layers.h"
#endif

namespace reel::vae {

at::Tensor pad_causally(const at::Tensor& x) {
  return at::replication_pad3d(x, {1, 1, 1, 1, 2, 0});
}

CausalConv3d::CausalConv3d(weights::WeightStore& store, const std::string& stem, ScaleFactor stride,
                           Backend backend)
    : weight_(store.take_weight(stem + ".conv")),
      bias_(store.take_bias(stem + ".conv")),
      out_channels_(weight_.size(0)),
      stride_(stride) {
  if (backend == Backend::kLibTorch) return;
  if (can_fuse(weight_)) {
    packed_.emplace(weight_, bias_);
    weight_.reset();
    bias_.reset();
  }
#if REEL_CUDA
  if (!fused() && gpu::can_fuse(weight_)) {
    on_gpu_ = true;
    weight_ = gpu::pack_weight(weight_);
    bias_ = at::constant_pad_nd(bias_, {0, weight_.size(0) - out_channels_});
  }
#endif
}

at::Tensor CausalConv3d::forward(const at::Tensor& x) const {
  if (fused()) return forward_columns(pad_columns(x), {});
#if REEL_CUDA
  if (on_gpu()) return forward_padded(gpu::pad_causally(x), {});
#endif
  return at::conv3d(pad_causally(x), weight_, bias_, {stride_.time, stride_.space, stride_.space});
}

at::Tensor CausalConv3d::forward_columns(const at::Tensor& columns,
                                         const at::Tensor& residual) const {
  return convolve_causally(columns, *packed_, stride_, residual);
}

#if REEL_CUDA

at::Tensor CausalConv3d::forward_padded(const at::Tensor& padded) const {
  return gpu::convolve(padded, weight_, stride_);
}

at::Tensor CausalConv3d::forward_padded(const at::Tensor& padded,
                                        const at::Tensor& residual) const {
  const at::Tensor out = forward_padded(padded);
  gpu::add_(out, bias_, residual);
  return out.narrow(1, 0, out_channels_);
}

#endif

}  // namespace reel::vae
