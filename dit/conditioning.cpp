#include "dit/conditioning.h"

#include <ATen/ops/silu.h>

#include "dit/timestep_embedding.h"

namespace reel::dit {

at::Tensor EmbeddingMlp::operator()(const at::Tensor& x) const {
  at::Tensor hidden = first_(x.to(first_.options()));
  return second_(at::silu_(hidden));
}

Conditioning::Conditioning(const Config& config, weights::WeightStore& store)
    : time_(store, "time_in.mlp.0", "time_in.mlp.2"),
      pooled_(store, "vector_in.in_layer", "vector_in.out_layer") {
  if (config.embeds_guidance) guidance_.emplace(store, "guidance_in.mlp.0", "guidance_in.mlp.2");
}

at::Tensor Conditioning::operator()(const at::Tensor& timestep,
                                    const std::optional<at::Tensor>& guidance,
                                    const at::Tensor& text_pooled) const {
  at::Tensor sum = time_(sinusoid(timestep)) + pooled_(text_pooled);
  if (guidance_) sum += (*guidance_)(sinusoid(guidance.value()));
  return sum;
}

}  // namespace reel::dit
