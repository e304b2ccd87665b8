// The VAE's fused GPU path against plain LibTorch operators and fp32.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/random.h"
#include "tests/support/gpu.h"
#include "vae/causal_conv3d.h"
#include "vae/decoder.h"
#include "vae/encoder.h"
#include "vae/frame_attention.h"
#include "vae/gpu_layers.h"
#include "vae/upsample_conv.h"
#include "vae/weight_table.h"

namespace reel::vae {
namespace {

at::Tensor draw(uint64_t seed, at::IntArrayRef shape) {
  return NormalStream(seed).next(shape.vec()).to(at::kCUDA);
}

double relative_l2(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor expected = want.to(at::kDouble);
  return ((got.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

// One rounding to `dtype` of a value that fp32 arithmetic gave.
double rounding(at::ScalarType dtype) {
  return dtype == at::kHalf ? 1e-3 : 8e-3;
}

Config small_config() {
  Config config;
  config.latent_channels = 16;
  config.block_channels = {32, 64, 64, 64};
  config.layers_per_block = 1;
  config.num_groups = 8;
  config.mid_attention = true;
  config.scaling_factor = 0.476986;
  return config;
}

// Weights that keep activations near one; norms start as they do in training.
weights::WeightStore store_of(const weights::WeightTable& table, at::ScalarType dtype) {
  NormalStream stream(1);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) {
    const at::Tensor drawn = stream.next(spec.shape);
    if (spec.shape.size() == 1) {
      const bool norm = spec.name.find("norm") != std::string::npos;
      const bool weight = spec.name.ends_with("weight");
      tensors[spec.name] = (drawn * 0.1 + (norm && weight ? 1.0 : 0.0)).to(at::kCUDA, dtype);
    } else {
      const auto fan_in = static_cast<double>(spec.num_elements() / spec.shape[0]);
      tensors[spec.name] = (drawn / std::sqrt(fan_in)).to(at::kCUDA, dtype);
    }
  }
  return weights::WeightStore(std::move(tensors));
}

struct Size {
  int64_t batch, channels, groups, frames, height, width;
};

const Size kSizes[] = {{1, 128, 32, 5, 9, 13},
                       {2, 64, 8, 1, 7, 5},
                       {1, 512, 32, 3, 4, 4},
                       {1, 24, 2, 2, 16, 31},
                       {1, 256, 32, 9, 33, 40}};

class VaeGpu : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override { REEL_REQUIRE_GPU(); }
};

TEST_P(VaeGpu, NormalisesActivatesAndPadsInOne) {
  for (const Size& size : kSizes) {
    const auto x =
        (draw(1, {size.batch, size.channels, size.frames, size.height, size.width}) * 3 + 1)
            .to(GetParam());
    const auto vector = [&](uint64_t seed) { return draw(seed, {size.channels}).to(GetParam()); };
    const at::Tensor weight = vector(2), bias = vector(3), input_bias = vector(4);
    for (const bool with_bias : {false, true}) {
      at::Tensor wide = x.to(at::kFloat);
      if (with_bias) wide = wide + input_bias.to(at::kFloat).view({-1, 1, 1, 1});
      const at::Tensor want = pad_causally(at::silu(at::group_norm(
          wide, size.groups, weight.to(at::kFloat), bias.to(at::kFloat), kGroupNormEpsilon)));
      const auto run = [&] {
        return gpu::norm_silu_pad(x, with_bias ? input_bias : at::Tensor(), weight, bias,
                                  size.groups);
      };
      const at::Tensor got = run();
      ASSERT_EQ(got.sizes(), want.sizes());
      EXPECT_TRUE(got.is_contiguous(at::MemoryFormat::ChannelsLast3d));
      EXPECT_LT(relative_l2(got, want), rounding(GetParam())) << size.channels;
      EXPECT_TRUE(at::equal(got, run())) << "two runs differ";
    }
  }
}

TEST_P(VaeGpu, PadsByRepeatingTheBorder) {
  for (const Size& size : kSizes) {
    const auto x =
        draw(1, {size.batch, size.channels, size.frames, size.height, size.width}).to(GetParam());
    EXPECT_TRUE(at::equal(gpu::pad_causally(x), pad_causally(x)));
  }
}

TEST_P(VaeGpu, AddsBiasAndResidualWithOneRounding) {
  for (const Size& size : kSizes) {
    const auto tensor = [&](uint64_t seed) {
      return gpu::channels_last(
          draw(seed, {size.batch, size.channels, size.frames, size.height, size.width})
              .to(GetParam()));
    };
    const at::Tensor bias = draw(9, {size.channels}).to(GetParam());
    const at::Tensor column = bias.to(at::kFloat).view({-1, 1, 1, 1});
    const at::Tensor x = tensor(1);
    const at::Tensor residual = tensor(2);
    const at::Tensor alone = x.clone();
    gpu::add_(alone, bias, {});
    EXPECT_TRUE(at::equal(alone, (x.to(at::kFloat) + column).to(GetParam())));
    const at::Tensor both = x.clone();
    gpu::add_(both, bias, residual);
    EXPECT_TRUE(
        at::equal(both, (x.to(at::kFloat) + column + residual.to(at::kFloat)).to(GetParam())));
  }
}

TEST_P(VaeGpu, UpsamplesFoldedAndUnfoldedAsThePlainPathDoes) {
  constexpr int64_t kChannels = 64;
  const at::Tensor weight = draw(5, {kChannels, kChannels, 3, 3, 3}) / std::sqrt(27.0 * kChannels);
  const at::Tensor bias = draw(6, {kChannels}) * 0.1;
  for (const ScaleFactor factor : {ScaleFactor{1, 2}, ScaleFactor{2, 2}}) {
    for (const int64_t num_frames : {1, 2, 5}) {
      const at::Tensor x = draw(7, {1, kChannels, num_frames, 6, 9}).to(GetParam());
      const at::Tensor want =
          at::conv3d(pad_causally(upsample_nearest(x.to(at::kFloat), factor)),
                     weight.to(GetParam()).to(at::kFloat), bias.to(GetParam()).to(at::kFloat));
      for (const bool folded : {false, true}) {
        const gpu::UpsampleConv conv(weight.to(GetParam()), bias.to(GetParam()), factor, folded);
        const at::Tensor got = conv.forward(x);
        ASSERT_EQ(got.sizes(), want.sizes());
        EXPECT_LT(relative_l2(got, want), 2 * rounding(GetParam()))
            << factor.time << ' ' << num_frames << ' ' << folded;
      }
    }
  }
}

TEST_P(VaeGpu, AttendsOverWideHeadsByFrame) {
  constexpr int64_t kChannels = 512;
  const std::vector<std::pair<std::string, bool>> layers = {{"a.group_norm", true},
                                                            {"a.to_q", false},
                                                            {"a.to_k", false},
                                                            {"a.to_v", false},
                                                            {"a.to_out.0", false}};
  const auto build = [&](at::ScalarType dtype) {
    std::map<std::string, at::Tensor> tensors;
    uint64_t seed = 20;
    for (const auto& [stem, norm] : layers) {
      const at::Tensor weight = norm ? draw(seed, {kChannels}) * 0.1 + 1
                                     : draw(seed, {kChannels, kChannels}) / std::sqrt(512.0);
      tensors[stem + ".weight"] = weight.to(GetParam()).to(dtype);
      tensors[stem + ".bias"] = (draw(seed + 1, {kChannels}) * 0.1).to(GetParam()).to(dtype);
      seed += 2;
    }
    weights::WeightStore store(std::move(tensors));
    return FrameAttention(store, "a", 32);
  };
  for (const int64_t num_frames : {1, 4}) {
    const at::Tensor x = draw(8, {1, kChannels, num_frames, 6, 7}).to(GetParam());
    const at::Tensor want = build(at::kFloat).forward(x.to(at::kFloat));
    EXPECT_LT(relative_l2(build(GetParam()).forward(x), want), 3 * rounding(GetParam()));
  }
}

// fp32 with the same rounded weights is the truth; the plain half path is the measure.
TEST_P(VaeGpu, DecodesAtMostTwiceAsFarFromFp32AsThePlainPath) {
  const Config config = small_config();
  const auto decode = [&](at::ScalarType dtype, Backend backend, const at::Tensor& z) {
    weights::WeightStore rounded = store_of(decoder_table(config), GetParam());
    std::map<std::string, at::Tensor> tensors;
    const auto table = decoder_table(config);
    for (const auto& spec : table.specs()) {
      tensors[spec.name] = rounded.take(spec.name).to(dtype);
    }
    weights::WeightStore store(std::move(tensors));
    return Decoder(config, store, backend).decode(z);
  };
  for (const auto& [frames, height, width] :
       {std::tuple{1, 4, 4}, std::tuple{2, 5, 3}, std::tuple{5, 8, 6}}) {
    const at::Tensor z = draw(3, {1, config.latent_channels, frames, height, width});
    const at::Tensor want = decode(at::kFloat, Backend::kLibTorch, z);
    const double plain = relative_l2(decode(GetParam(), Backend::kLibTorch, z), want);
    for (const Backend backend : {Backend::kBest, Backend::kUnfolded}) {
      const at::Tensor got = decode(GetParam(), backend, z);
      ASSERT_EQ(got.sizes(), want.sizes());
      EXPECT_LT(relative_l2(got, want), 2 * plain) << frames;
    }
    EXPECT_LT(plain, 0.1) << "the measure itself is off";
  }
}

TEST_P(VaeGpu, EncodesAtMostTwiceAsFarFromFp32AsThePlainPath) {
  const Config config = small_config();
  const at::Tensor frames = draw(4, {1, 3, 5, 32, 48}).tanh();
  const auto encode = [&](at::ScalarType dtype, Backend backend) {
    auto rounded = store_of(encoder_table(config), GetParam());
    std::map<std::string, at::Tensor> tensors;
    const auto table = encoder_table(config);
    for (const auto& spec : table.specs()) {
      tensors[spec.name] = rounded.take(spec.name).to(dtype);
    }
    weights::WeightStore store(std::move(tensors));
    return Encoder(config, store, backend).encode(frames);
  };
  const at::Tensor want = encode(at::kFloat, Backend::kLibTorch);
  const double plain = relative_l2(encode(GetParam(), Backend::kLibTorch), want);
  EXPECT_LT(relative_l2(encode(GetParam(), Backend::kBest), want), 2 * plain);
}

INSTANTIATE_TEST_SUITE_P(, VaeGpu, ::testing::Values(at::kHalf, at::kBFloat16),
                         [](const auto& param) {
                           return std::string(param.param == at::kHalf ? "fp16" : "bf16");
                         });

}  // namespace
}  // namespace reel::vae
