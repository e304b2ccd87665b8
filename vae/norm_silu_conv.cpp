#include "vae/norm_silu_conv.h"

#include "vae/config.h"

namespace reel::vae {

NormSiluConv::NormSiluConv(weights::WeightStore& store, const std::string& norm_stem,
                           const std::string& conv_stem, int64_t num_groups)
    : norm_weight_(store.take_weight(norm_stem)),
      norm_bias_(store.take_bias(norm_stem)),
      num_groups_(num_groups),
      conv_(store, conv_stem) {}

at::Tensor NormSiluConv::forward(const at::Tensor& x, const at::Tensor& residual) const {
  at::Tensor h = at::group_norm(x, num_groups_, norm_weight_, norm_bias_, kGroupNormEpsilon);
  h = conv_.forward(at::silu_(h));
  return residual.defined() ? h.add_(residual) : h;
}

}  // namespace reel::vae
