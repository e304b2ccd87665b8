#include "vae/mid_block.h"

namespace reel::vae {

MidBlock::MidBlock(weights::WeightStore& store, const std::string& stem, const Config& config,
                   Backend backend)
    : first_(store, stem + ".resnets.0", config.num_groups, /*changes_width=*/false, backend),
      second_(store, stem + ".resnets.1", config.num_groups, /*changes_width=*/false, backend) {
  if (config.mid_attention) {
    attention_.emplace(store, stem + ".attentions.0", config.num_groups);
  }
}

at::Tensor MidBlock::forward(const at::Tensor& x) const {
  at::Tensor h = first_.forward(x);
  if (attention_) h = attention_->forward(h);
  return second_.forward(h);
}

}  // namespace reel::vae
