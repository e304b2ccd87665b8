#include "vae/decoder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/unit/vae/goldens.h"
#include "vae/tiled_vae.h"

namespace reel::vae {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kBound = 2e-5;  // of the largest value: what parity of the VAE means

Decoder new_decoder(Backend backend = Backend::kBest) {
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config);
  return Decoder(config, store, backend);
}

TilePlan plan_of(const testing::Case& c) {
  const LatentSize size{c.input_shape[2], c.input_shape[3], c.input_shape[4]};
  return c.tiling ? plan_tiles(size, *c.tiling) : plan_whole(size);
}

class VaeDecoderBackends : public ::testing::TestWithParam<Backend> {};

TEST_P(VaeDecoderBackends, EqualThePublishedDecoderWithAndWithoutTiles) {
  const auto goldens = testing::open_goldens("decode");
  const Decoder decoder = new_decoder(GetParam());
  for (const auto& c : testing::decode_cases()) {
    const auto frames = decode_to_tensor(decoder, testing::drawn_input(c.input_shape), plan_of(c));
    const double error = reel::testing::relative_error(frames, goldens.tensor(c.name));
    EXPECT_LE(error, kBound) << c.name;
    RecordProperty(c.name, std::to_string(1e6 * error) + "e-6");
  }
}

TEST_P(VaeDecoderBackends, EqualThePublishedDecoderAtEveryStage) {
  const auto goldens = testing::open_goldens("stages");
  int num_stages = 0;
  new_decoder(GetParam())
      .decode(testing::drawn_input({1, 4, 3, 2, 1}),
              [&](std::string_view stage, const at::Tensor& value) {
                const auto want = goldens.tensor(std::string(stage));
                EXPECT_LE(reel::testing::relative_error(value, want), kBound) << stage;
                ++num_stages;
              });
  EXPECT_EQ(num_stages, 6);
}

INSTANTIATE_TEST_SUITE_P(Both, VaeDecoderBackends,
                         ::testing::Values(Backend::kBest, Backend::kLibTorch),
                         [](const auto& parameter) {
                           return parameter.param == Backend::kBest ? "Best" : "LibTorch";
                         });

TEST(VaeDecoder, OneLatentFrameGivesOneFrame) {
  const Decoder decoder = new_decoder();
  const auto z = testing::drawn_input({1, 4, 1, 3, 2});
  EXPECT_EQ(decoder.decode(z).sizes(), (std::vector<int64_t>{1, 3, 1, 24, 16}));
}

TEST(VaeDecoder, BatchItemsDoNotSeeEachOther) {
  const Decoder decoder = new_decoder();
  const auto z = testing::drawn_input({2, 4, 2, 2, 3});
  const auto both = decoder.decode(z);
  EXPECT_LE(reel::testing::relative_error(both.narrow(0, 1, 1), decoder.decode(z.narrow(0, 1, 1))),
            kBound);
}

TEST(VaeDecoder, RefusesLatentsOfAnotherModel) {
  const Decoder decoder = new_decoder();
  EXPECT_THAT([&] { decoder.decode(at::zeros({1, 16, 1, 2, 2})); },
              ThrowsMessage<ShapeError>(HasSubstr("[1, 16, 1, 2, 2]")));
}

TEST(VaeDecoder, InHalfPrecisionOnAGpuStaysCloseToThePublishedDecoder) {
  REEL_REQUIRE_GPU();
  const auto goldens = testing::open_goldens("decode");
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config, at::kCUDA, at::kHalf);
  const Decoder decoder(config, store);
  for (const auto& c : testing::decode_cases()) {
    const auto frames = decode_to_tensor(decoder, testing::drawn_input(c.input_shape), plan_of(c));
    EXPECT_EQ(frames.scalar_type(), at::kFloat);
    EXPECT_GE(reel::testing::cosine(frames, goldens.tensor(c.name)), 0.999) << c.name;
  }
}

}  // namespace
}  // namespace reel::vae
