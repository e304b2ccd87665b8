#include "vae/norm_silu_conv.h"

#include "vae/config.h"

namespace reel::vae {

NormSiluConv::NormSiluConv(weights::WeightStore& store, const std::string& norm_stem,
                           const std::string& conv_stem, int64_t num_groups, Backend backend)
    : norm_weight_(store.take_weight(norm_stem)),
      norm_bias_(store.take_bias(norm_stem)),
      num_groups_(num_groups),
      conv_(store, conv_stem, /*stride=*/{}, backend) {}

at::Tensor NormSiluConv::forward(const at::Tensor& x, const at::Tensor& residual) const {
  if (conv_.fused()) {
    return conv_.forward_columns(norm_silu_columns(x, norm_weight_, norm_bias_, num_groups_),
                                 residual);
  }
  at::Tensor h = at::group_norm(x, num_groups_, norm_weight_, norm_bias_, kGroupNormEpsilon);
  h = conv_.forward(at::silu_(h));
  return residual.defined() ? h.add_(residual) : h;
}

}  // namespace reel::vae
