// `probe xattn`: what the program decides, against softmax written out here.
#include <ATen/ATen.h>

#include <cmath>

#include "tests/e2e/program_fixture.h"
#include "tests/support/compare.h"

namespace reel::testing {
namespace {

constexpr int64_t kTokens = 300;  // four blocks of 64 and a ragged one
constexpr int64_t kBlock = 64;
constexpr int64_t kBlocks = 5;
constexpr int64_t kScored = 4;  // text begins in the ragged block

Tensors random_heads() {
  at::manual_seed(7);
  Tensors heads;
  for (const char* name : {"q", "k", "v"}) heads[name] = at::randn({2, kTokens, 3, 64});
  return heads;
}

struct Softmax {
  at::Tensor out;  // [B, S, A, D]
  at::Tensor lse;  // [B, A, S]
};

// Attention over the tokens that `block_mask` [B, A, nq, nk] and, if causal, their order allow.
Softmax softmax_of(const Tensors& heads, const at::Tensor& block_mask, bool causal) {
  const auto heads_first = [&](const char* name) {
    return heads.at(name).to(at::kDouble).transpose(1, 2);
  };
  at::Tensor scores = at::matmul(heads_first("q"), heads_first("k").transpose(-1, -2)) / 8.0;
  const auto by_token = [](const at::Tensor& mask, int64_t dim) {
    return mask.repeat_interleave(kBlock, dim).narrow(dim, 0, kTokens);
  };
  at::Tensor allowed = by_token(by_token(block_mask.to(at::kBool), 2), 3);
  if (causal) allowed = allowed.logical_and(at::ones({kTokens, kTokens}, at::kBool).tril());
  scores = scores.masked_fill(allowed.logical_not(), -INFINITY);
  return {at::matmul(scores.softmax(-1), heads_first("v")).transpose(1, 2), scores.logsumexp(-1)};
}

void expect_softmax_of_its_mask(const Tensors& heads, const Tensors& shown, bool causal) {
  const auto want = softmax_of(heads, shown.at("mask"), causal);
  EXPECT_LE(relative_error(shown.at("out"), want.out), 1e-5);
  EXPECT_LE(relative_error(shown.at("lse"), want.lse), 1e-5);
}

class ProgramXattn : public ProgramTest {
 protected:
  Tensors xattn(const Tensors& heads, const Arguments& flags) {
    return probe("xattn", heads, Arguments{"--stride", "8", "--block", "64"} + flags);
  }
};

TEST_F(ProgramXattn, TauOneIsDense) {
  const auto heads = random_heads();
  const auto shown = xattn(heads, {"--tau", "1", "--text-length", "20"});
  EXPECT_EQ(shown.at("mask").scalar_type(), at::kByte);
  EXPECT_TRUE(at::equal(shown.at("mask"), at::ones({2, 3, kBlocks, kBlocks}, at::kByte)));
  expect_softmax_of_its_mask(heads, shown, false);
}

TEST_F(ProgramXattn, BlockMassIsAShareOfTheScoredRow) {
  const auto mass = xattn(random_heads(), {"--tau", "0.5", "--text-length", "20"}).at("block_mass");
  const auto scored = mass.narrow(2, 0, kScored).narrow(3, 0, kScored);
  EXPECT_LE(relative_error(scored.sum(-1), at::ones({2, 3, kScored})), 1e-6);
  EXPECT_LE(std::abs(mass.sum().item<double>() - 2 * 3 * kScored), 1e-4);
  EXPECT_GE(mass.min().item<double>(), 0.0);
}

TEST_F(ProgramXattn, KeepsTheSmallestSetThatReachesTauAndTheForcedBlocks) {
  constexpr double kTau = 0.5;
  const auto heads = random_heads();
  const auto shown = xattn(heads, {"--tau", "0.5", "--text-length", "20"});
  const auto mask = shown.at("mask").to(at::kBool);
  EXPECT_TRUE(mask.select(2, kBlocks - 1).all().item<bool>()) << "text queries are dense";
  EXPECT_TRUE(mask.select(3, kBlocks - 1).all().item<bool>()) << "text keys are attended";
  EXPECT_TRUE(mask.diagonal(0, 2, 3).all().item<bool>()) << "a block sees itself";

  // Of each scored row: the fewest masses that reach tau, whichever were forced besides.
  const auto rows = shown.at("block_mass").to(at::kDouble).narrow(2, 0, kScored);
  const auto kept = mask.narrow(2, 0, kScored);
  EXPECT_GE((rows * kept).sum(-1).min().item<double>(), kTau - 1e-6);
  const auto cumulative = std::get<0>(rows.sort(-1, /*descending=*/true)).cumsum(-1);
  const auto fewest = (cumulative < kTau).sum(-1) + 1;
  const auto count = kept.narrow(3, 0, kScored).sum(-1);
  EXPECT_TRUE((count >= fewest).all().item<bool>());
  EXPECT_TRUE((count <= fewest + 1).all().item<bool>());
  EXPECT_LT(count.sum().item<int64_t>(), count.numel() * kScored);
  expect_softmax_of_its_mask(heads, shown, false);
}

TEST_F(ProgramXattn, SinkForcesTheFirstBlocks) {
  const auto shown = xattn(
      random_heads(), {"--tau", "0.01", "--text-length", "20", "--protect", "text,self,sink=2"});
  EXPECT_TRUE(shown.at("mask").narrow(3, 0, 2).to(at::kBool).all().item<bool>());
}

TEST_F(ProgramXattn, CausalSeesNoLaterBlock) {
  const auto heads = random_heads();
  for (const char* tau : {"1", "0.6"}) {
    const auto shown = xattn(heads, {"--tau", tau, "--causal"});
    EXPECT_TRUE(at::equal(shown.at("mask"), shown.at("mask").tril())) << tau;
    EXPECT_EQ(shown.at("block_mass").triu(1).abs().max().item<double>(), 0.0) << tau;
    expect_softmax_of_its_mask(heads, shown, true);
  }
}

TEST_F(ProgramXattn, TwoRunsAgreeBitForBit) {
  const Arguments flags{"--tau", "0.7", "--text-length", "20"};
  const auto first = xattn(random_heads(), flags);
  const auto second = xattn(random_heads(), flags);
  for (const char* name : {"mask", "block_mass", "out", "lse"}) {
    EXPECT_TRUE(at::equal(first.at(name), second.at(name))) << name;
  }
}

}  // namespace
}  // namespace reel::testing
