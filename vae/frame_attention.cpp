#include "vae/frame_attention.h"

#include <cmath>

#include "attention/dense.h"
#include "vae/config.h"

namespace reel::vae {
namespace {

// [B, S, C] -> [B, S, 1, C]: one head.
at::Tensor one_head(const at::Tensor& tokens) {
  return tokens.unsqueeze(2);
}

// The widest head that LibTorch's fast attention takes on a GPU; beyond it, two products with a
// softmax between them are some ten times faster than what is left.
constexpr int64_t kWidestFastHead = 256;

// One frame's queries [B, s, C] over the keys and values [B, n, C] that they see.
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const int64_t channels = q.size(2);
  const bool half = q.scalar_type() == at::kHalf || q.scalar_type() == at::kBFloat16;
  if (!q.is_cuda() || !half || channels <= kWidestFastHead) {
    return attention::dense_attention(one_head(q), one_head(k), one_head(v)).squeeze(2);
  }
  // scaled before it is rounded, so that fp16 does not overflow
  const at::Tensor logits =
      at::baddbmm(at::empty({q.size(0), 1, 1}, q.options()), q, k.transpose(1, 2), /*beta=*/0,
                  /*alpha=*/1 / std::sqrt(static_cast<double>(channels)));
  return at::bmm(at::softmax(logits, -1), v);
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
  const at::Tensor q = at::linear(tokens, query_.weight, query_.bias);
  const at::Tensor k = at::linear(tokens, key_.weight, key_.bias);
  const at::Tensor v = at::linear(tokens, value_.weight, value_.bias);

  at::Tensor attended = at::empty_like(q);
  for (int64_t frame = 0; frame < num_frames; ++frame) {
    const int64_t begin = frame * frame_tokens;
    const int64_t seen = begin + frame_tokens;
    attended.narrow(1, begin, frame_tokens)
        .copy_(
            attend(q.narrow(1, begin, frame_tokens), k.narrow(1, 0, seen), v.narrow(1, 0, seen)));
  }
  const at::Tensor out = at::linear(attended, out_.weight, out_.bias);
  return out.unflatten(1, {num_frames, x.size(3), x.size(4)}).permute({0, 4, 1, 2, 3}) + x;
}

}  // namespace reel::vae
