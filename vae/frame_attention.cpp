#include "vae/frame_attention.h"

#include "attention/dense.h"
#include "vae/config.h"

namespace reel::vae {
namespace {

// [B, S, C] -> [B, S, 1, C]: one head.
at::Tensor one_head(const at::Tensor& tokens) {
  return tokens.unsqueeze(2);
}

}  // namespace

FrameAttention::Linear::Linear(weights::WeightStore& store, const std::string& stem)
    : weight(store.take_weight(stem)), bias(store.take_bias(stem)) {}

FrameAttention::FrameAttention(weights::WeightStore& store, const std::string& stem,
                               int64_t num_groups)
    : norm_weight_(store.take_weight(stem + ".group_norm")),
      norm_bias_(store.take_bias(stem + ".group_norm")),
      num_groups_(num_groups),
      query_(store, stem + ".to_q"),
      key_(store, stem + ".to_k"),
      value_(store, stem + ".to_v"),
      out_(store, stem + ".to_out.0") {}

at::Tensor FrameAttention::forward(const at::Tensor& x) const {
  const int64_t num_frames = x.size(2);
  const int64_t frame_tokens = x.size(3) * x.size(4);
  const at::Tensor normed =
      at::group_norm(x, num_groups_, norm_weight_, norm_bias_, kGroupNormEpsilon);
  const at::Tensor tokens = normed.permute({0, 2, 3, 4, 1}).flatten(1, 3);  // [B, S, C]
  const at::Tensor q = one_head(at::linear(tokens, query_.weight, query_.bias));
  const at::Tensor k = one_head(at::linear(tokens, key_.weight, key_.bias));
  const at::Tensor v = one_head(at::linear(tokens, value_.weight, value_.bias));

  at::Tensor attended = at::empty_like(q);
  for (int64_t frame = 0; frame < num_frames; ++frame) {
    const int64_t begin = frame * frame_tokens;
    const int64_t seen = begin + frame_tokens;
    attended.narrow(1, begin, frame_tokens)
        .copy_(attention::dense_attention(q.narrow(1, begin, frame_tokens), k.narrow(1, 0, seen),
                                          v.narrow(1, 0, seen)));
  }
  const at::Tensor out = at::linear(attended.squeeze(2), out_.weight, out_.bias);
  return out.unflatten(1, {num_frames, x.size(3), x.size(4)}).permute({0, 4, 1, 2, 3}) + x;
}

}  // namespace reel::vae
