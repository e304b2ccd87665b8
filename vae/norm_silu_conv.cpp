#include "vae/norm_silu_conv.h"

#include "vae/config.h"

#if REEL_CUDA
#include "vae/gpu_layers.h"
#endif

namespace reel::vae {

NormSiluConv::NormSiluConv(weights::WeightStore& store, const std::string& norm_stem,
                           const std::string& conv_stem, int64_t num_groups, Backend backend)
    : norm_weight_(store.take_weight(norm_stem)),
      norm_bias_(store.take_bias(norm_stem)),
      num_groups_(num_groups),
      conv_(store, conv_stem, /*stride=*/{}, backend) {}

#if REEL_CUDA

bool NormSiluConv::on_gpu() const {
  return conv_.on_gpu() && gpu::can_normalise(norm_weight_.size(0), num_groups_);
}

#else

bool NormSiluConv::on_gpu() const {
  return false;
}

#endif

at::Tensor NormSiluConv::forward(const at::Tensor& x, const at::Tensor& residual) const {
  if (conv_.fused()) {
    return conv_.forward_columns(norm_silu_columns(x, norm_weight_, norm_bias_, num_groups_),
                                 residual);
  }
#if REEL_CUDA
  if (on_gpu()) {
    return conv_.forward_padded(gpu::norm_silu_pad(x, {}, norm_weight_, norm_bias_, num_groups_),
                                residual);
  }
#endif
  at::Tensor h = at::group_norm(x, num_groups_, norm_weight_, norm_bias_, kGroupNormEpsilon);
  h = conv_.forward(at::silu_(h));
  return residual.defined() ? h.add_(residual) : h;
}

at::Tensor NormSiluConv::forward_into(const NormSiluConv& next, const at::Tensor& x,
                                      const at::Tensor& residual) const {
#if REEL_CUDA
  if (on_gpu() && next.on_gpu()) {
    // the next normalisation adds this convolution's bias, which saves a pass over its output
    const at::Tensor h =
        conv_.forward_padded(gpu::norm_silu_pad(x, {}, norm_weight_, norm_bias_, num_groups_));
    return next.conv_.forward_padded(
        gpu::norm_silu_pad(h, conv_.bias(), next.norm_weight_, next.norm_bias_, next.num_groups_),
        residual);
  }
#endif
  return next.forward(forward(x), residual);
}

}  // namespace reel::vae
