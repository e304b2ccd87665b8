#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "tests/support/compare.h"
#include "vae/causal_conv3d.h"
#include "vae/frame_attention.h"
#include "vae/upsample_conv.h"
#include "weights/weight_store.h"

namespace reel::vae {
namespace {

TEST(CausalConv3d, NeverLooksAtLaterFrames) {
  NormalStream stream(3);
  weights::WeightStore store(
      {{"c.conv.weight", stream.next({5, 4, 3, 3, 3})}, {"c.conv.bias", stream.next({5})}});
  const CausalConv3d conv(store, "c", /*stride=*/{}, Backend::kLibTorch);
  const auto x = stream.next({1, 4, 4, 5, 6});
  auto changed = x.clone();
  changed.narrow(2, 3, 1).fill_(100.0);
  const auto before = conv.forward(x);
  const auto after = conv.forward(changed);
  EXPECT_TRUE(at::equal(before.narrow(2, 0, 3), after.narrow(2, 0, 3)));
  EXPECT_FALSE(at::equal(before.narrow(2, 3, 1), after.narrow(2, 3, 1)));
}

TEST(UpsampleNearest, RepeatsTheFirstFrameInSpaceOnly) {
  const auto x = at::arange(6, at::kFloat).view({1, 1, 3, 1, 2});
  const auto up = upsample_nearest(x, {.time = 2, .space = 2});
  EXPECT_EQ(up.sizes(), (std::vector<int64_t>{1, 1, 5, 2, 4}));
  EXPECT_TRUE(at::equal(up.select(3, 1).select(3, 3).flatten(),
                        at::tensor({1.0F, 3.0F, 3.0F, 5.0F, 5.0F})));
  EXPECT_TRUE(at::equal(up.select(3, 0).select(3, 0).flatten(),
                        at::tensor({0.0F, 2.0F, 2.0F, 4.0F, 4.0F})));
}

// Softmax attention over all tokens with the mask that the frames imply.
at::Tensor masked_attention(const at::Tensor& tokens, const std::vector<at::Tensor>& w,
                            int64_t frame_tokens) {
  const auto q = at::linear(tokens, w[0], w[1]);
  const auto k = at::linear(tokens, w[2], w[3]);
  const auto v = at::linear(tokens, w[4], w[5]);
  const auto frame = at::arange(tokens.size(1)).floor_divide(frame_tokens);
  auto scores = at::matmul(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(q.size(2)));
  scores = scores.masked_fill(frame.unsqueeze(0) > frame.unsqueeze(1),
                              -std::numeric_limits<double>::infinity());
  return at::linear(at::matmul(scores.softmax(2), v), w[6], w[7]);
}

TEST(FrameAttention, EqualsAttentionUnderTheFrameMask) {
  NormalStream stream(5);
  const int64_t width = 8;
  std::vector<at::Tensor> w;
  std::map<std::string, at::Tensor> named;
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"}) {
    w.push_back(named[std::string("a.") + part + ".weight"] = stream.next({width, width}));
    w.push_back(named[std::string("a.") + part + ".bias"] = stream.next({width}));
  }
  const auto norm_weight = named["a.group_norm.weight"] = stream.next({width});
  const auto norm_bias = named["a.group_norm.bias"] = stream.next({width});
  weights::WeightStore store(named);
  const FrameAttention attention(store, "a", 2);

  const auto x = stream.next({2, width, 3, 2, 5});
  const auto normed = at::group_norm(x, 2, norm_weight, norm_bias, 1e-6);
  const auto tokens = normed.permute({0, 2, 3, 4, 1}).flatten(1, 3);
  const auto want =
      x + masked_attention(tokens, w, 10).unflatten(1, {3, 2, 5}).permute({0, 4, 1, 2, 3});
  EXPECT_LE(reel::testing::relative_error(attention.forward(x), want), 1e-5);
}

}  // namespace
}  // namespace reel::vae
