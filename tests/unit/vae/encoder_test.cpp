#include "vae/encoder.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/unit/vae/goldens.h"
#include "vae/tiled_vae.h"

namespace reel::vae {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kBound = 2e-5;

at::Tensor drawn_frames(const std::vector<int64_t>& shape) {
  return testing::drawn_input(shape).clamp_(-1, 1);
}

TilePlan plan_of(const testing::Case& c) {
  const LatentSize size{num_latent_frames(c.input_shape[2]), c.input_shape[3] / kSpatialRatio,
                        c.input_shape[4] / kSpatialRatio};
  return c.tiling ? plan_tiles(size, *c.tiling) : plan_whole(size);
}

class VaeEncoderBackends : public ::testing::TestWithParam<Backend> {};

TEST_P(VaeEncoderBackends, EqualThePublishedEncoderWithAndWithoutTiles) {
  const auto goldens = testing::open_goldens("encode");
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config);
  const Encoder encoder(config, store, GetParam());
  for (const auto& c : testing::encode_cases()) {
    const auto posterior = encode_tiles(encoder, drawn_frames(c.input_shape), plan_of(c));
    const double mean_error =
        reel::testing::relative_error(posterior.mean, goldens.tensor(c.name + ".mean"));
    const double logvar_error =
        reel::testing::relative_error(posterior.logvar, goldens.tensor(c.name + ".logvar"));
    EXPECT_LE(mean_error, kBound) << c.name;
    EXPECT_LE(logvar_error, kBound) << c.name;
    RecordProperty(c.name, std::to_string(1e6 * mean_error) + "e-6");
  }
}

INSTANTIATE_TEST_SUITE_P(Both, VaeEncoderBackends,
                         ::testing::Values(Backend::kBest, Backend::kLibTorch),
                         [](const auto& parameter) {
                           return parameter.param == Backend::kBest ? "Best" : "LibTorch";
                         });

TEST(VaeEncoder, RoundTripEqualsThePublishedOne) {
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config);
  const Encoder encoder(config, store);
  const Decoder decoder(config, store);
  const auto mean = posterior_of(encoder.encode(drawn_frames({1, 3, 5, 16, 24}))).mean;
  EXPECT_LE(reel::testing::relative_error(decoder.decode(mean),
                                          testing::open_goldens("stages").tensor("round_trip")),
            kBound);
}

TEST(VaeEncoder, BoundsTheLogVariance) {
  const auto moments = at::full({1, 4, 1, 2, 2}, 100.0);
  moments.narrow(1, 3, 1).fill_(-100.0);
  const auto posterior = posterior_of(moments);
  EXPECT_EQ(posterior.mean.sizes(), (std::vector<int64_t>{1, 2, 1, 2, 2}));
  EXPECT_EQ(posterior.mean.max().item<float>(), 100.0F);
  EXPECT_EQ(posterior.logvar.max().item<float>(), 20.0F);
  EXPECT_EQ(posterior.logvar.min().item<float>(), -30.0F);
}

TEST(VaeEncoder, RefusesFramesThatLatentsCannotStandFor) {
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config);
  const Encoder encoder(config, store);
  EXPECT_THAT([&] { encoder.encode(at::zeros({1, 3, 4, 16, 16})); },
              ThrowsMessage<ShapeError>(HasSubstr("got 4, want 4k + 1")));
  EXPECT_THAT([&] { encoder.encode(at::zeros({1, 3, 5, 16, 20})); },
              ThrowsMessage<ShapeError>(HasSubstr("got 20x16, want multiples of 8")));
}

}  // namespace
}  // namespace reel::vae
