// The memory that tile_memory.h foresees, against what decoding takes.
#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/gpu.h"
#include "vae/tile_memory.h"
#include "vae/tiled_vae.h"
#include "vae/weight_table.h"

namespace reel::vae {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

constexpr int64_t kHalfBytes = 2;

const c10::CachingAllocator::Stat& allocated() {
  static c10::CachingDeviceAllocator::DeviceStats stats;
  stats = allocator::getDeviceStats(0);
  return stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
}

// A decoder of the published widths, its weights drawn on the GPU.
Decoder wide_decoder() {
  const Config config{.latent_channels = 16,
                      .block_channels = {128, 256, 512, 512},
                      .layers_per_block = 2,
                      .num_groups = 32,
                      .mid_attention = true,
                      .scaling_factor = 0.476986};
  std::map<std::string, at::Tensor> tensors;
  const auto table = decoder_table(config);
  for (const auto& spec : table.specs()) {
    const auto row = static_cast<double>(spec.num_elements() / spec.shape[0]);
    tensors[spec.name] =
        at::randn(spec.shape, at::TensorOptions(at::kHalf).device(at::kCUDA)) / std::sqrt(row);
  }
  weights::WeightStore store(std::move(tensors));
  return {config, store};
}

TEST(TileMemoryOnGpu, IsWhatDecodingTakesWithinTenPercent) {
  REEL_REQUIRE_GPU();
  const Decoder decoder = wide_decoder();
  const Tiling few_frames{.size = 320, .stride = 256, .frames = 32, .frame_stride = 28};
  for (const auto& [size, tiling] : {std::pair(LatentSize{17, 32, 32}, kOfficialTiling),
                                     std::pair(LatentSize{20, 40, 48}, kOfficialTiling),
                                     std::pair(LatentSize{12, 40, 48}, few_frames),
                                     std::pair(LatentSize{9, 40, 32}, kDiffusersTiling)}) {
    const TilePlan plan = plan_tiles(size, tiling);
    SCOPED_TRACE(plan.text());
    const at::Tensor z = at::randn({1, 16, size.frames, size.rows, size.columns},
                                   at::TensorOptions().device(at::kCUDA));
    const auto decode = [&] { decode_tiles(decoder, z, plan, [](const auto&) {}, nullptr); };
    decode();  // libraries take their own memory once
    allocator::resetPeakStats(0);
    const int64_t before = allocated().current;
    decode();
    const auto taken = static_cast<double>(allocated().peak - before);
    const auto want = static_cast<double>(decode_bytes(decoder.config(), plan, kHalfBytes));
    RecordProperty("taken_GB", std::to_string(taken * 1e-9));
    EXPECT_GT(want, 0.9 * taken) << "taken " << taken;
    EXPECT_LT(want, 1.1 * taken) << "taken " << taken;
  }
}

}  // namespace
}  // namespace reel::vae
