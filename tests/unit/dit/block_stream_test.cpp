// Blocks that pass through slots of memory: which one is where, and that nothing else changes.
#include "dit/block_stream.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "dit/transformer.h"
#include "dit/weight_table.h"
#include "tests/support/gpu.h"
#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BlockSlots, CopyTwoBlocksAheadAndAroundTheCircle) {
  BlockSlots slots(6, 3);
  EXPECT_THAT(slots.start(0), ElementsAre(0, 1, 2));
  EXPECT_THAT(slots.start(1), ElementsAre(3));
  EXPECT_THAT(slots.start(2), ElementsAre(4));
  EXPECT_THAT(slots.start(3), ElementsAre(5));
  EXPECT_THAT(slots.start(4), ElementsAre(0)) << "of the next pass";
  EXPECT_THAT(slots.start(5), ElementsAre(1));
  EXPECT_THAT(slots.start(0), ElementsAre(2));
}

TEST(BlockSlots, WaitWhereTheCircleDoesNotClose) {
  BlockSlots slots(4, 3);  // blocks 3 and 0 share a slot
  slots.start(0);
  EXPECT_THAT(slots.start(1), ElementsAre(3));
  EXPECT_THAT(slots.start(2), IsEmpty()) << "block 0 must not push 3 out";
  EXPECT_THAT(slots.start(3), IsEmpty());
  EXPECT_THAT(slots.start(0), ElementsAre(0));
  EXPECT_EQ(slots.held_by(0), 0);
}

TEST(BlockSlots, CopyNothingTwiceIfAllBlocksFit) {
  BlockSlots slots(2, 3);
  EXPECT_THAT(slots.start(0), ElementsAre(0, 1));
  for (int i = 0; i < 4; ++i) EXPECT_THAT(slots.start(i % 2), IsEmpty());
  EXPECT_EQ(slots.held_by(2), -1);
}

// However many blocks there are, and wherever a pass is broken off.
TEST(BlockSlots, AlwaysHoldTheBlockThatIsComputed) {
  for (int64_t num_blocks = 1; num_blocks <= 11; ++num_blocks) {
    for (int64_t broken_off = 0; broken_off < num_blocks; ++broken_off) {
      BlockSlots slots(num_blocks, 3);
      const auto pass = [&](int64_t length) {
        int64_t copies = 0;
        for (int64_t block = 0; block < length; ++block) {
          for (const int64_t next : slots.start(block)) {
            // Its slot's last user must be done: it may not be a block between this one and it.
            for (int64_t between = block; between != next; between = (between + 1) % num_blocks) {
              EXPECT_NE(slots.slot_of(between), slots.slot_of(next));
            }
            ++copies;
          }
          EXPECT_EQ(slots.held_by(slots.slot_of(block)), block);
        }
        return copies;
      };
      pass(broken_off);
      pass(num_blocks);
      const int64_t copies = pass(num_blocks);
      EXPECT_LE(copies, num_blocks <= 3 ? 0 : num_blocks) << num_blocks;
    }
  }
}

TEST(BlockPlaces, HoldEveryTensorOfTheBlocksOnce) {
  for (const auto& model : golden_models()) {
    const Config config = golden_config(model);
    const auto places = block_places(config, 2);
    ASSERT_EQ(std::ssize(places), config.num_layers());
    std::set<std::string> names;
    for (const auto& place : places) {
      int64_t end = 0;
      for (const auto& tensor : place.tensors) {
        EXPECT_GE(tensor.offset, end) << tensor.name;
        EXPECT_EQ(tensor.offset % 512, 0) << tensor.name;
        end = tensor.offset + 2 * weights::WeightSpec{{}, tensor.shape}.num_elements();
        EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
      }
      EXPECT_GE(place.bytes, end);
      EXPECT_LT(place.bytes, end + 512);
    }
    const auto table = weight_table(config);
    for (const auto& spec : table.specs()) {
      EXPECT_EQ(names.contains(spec.name), spec.name.find("_blocks.") != std::string::npos &&
                                               !spec.name.starts_with("txt_in."))
          << spec.name;
    }
  }
}

TEST(BlockPlaces, AreThoseOfThePublishedModel) {
  const Config config = {.channels = 16,
                         .num_heads = 24,
                         .head_dim = 128,
                         .num_double_blocks = 20,
                         .num_single_blocks = 40,
                         .num_refiner_blocks = 2,
                         .mlp_width = 12'288,
                         .patch_size_t = 1,
                         .patch_size = 2,
                         .embeds_guidance = true,
                         .text_dim = 4096,
                         .pooled_dim = 768,
                         .rope_theta = 256.0,
                         .rope_axes = {16, 56, 56}};
  const auto places = block_places(config, 2);
  EXPECT_EQ(places.size() % kBlockSlots, 0U) << "or a copy starts late in every pass";
  EXPECT_NEAR(static_cast<double>(largest_block_bytes(places)) * 1e-9, 0.68, 0.01);
  EXPECT_NEAR(static_cast<double>(total_block_bytes(places)) * 1e-9, 24.9, 0.1);
}

// The transformer of `config` with its blocks in host memory, equal to the one that has them all.
Transformer streamed_transformer(const Config& config, const at::TensorOptions& options) {
  auto store =
      draw_diffusers_store(config, options.device(), c10::typeMetaToScalarType(options.dtype()));
  auto blocks = std::make_unique<BlockStream>(config, options);
  for (auto& [name, tensor] : blocks->host_tensors()) tensor.copy_(store.take(name));
  blocks->pin();
  auto tensors = blocks->slot_tensors();
  for (const auto& name : store.left()) tensors[name] = store.take(name);
  weights::WeightStore streamed(std::move(tensors));
  return {config, streamed, std::move(blocks)};
}

attention::Attention sparse_attention(const Config& config) {
  attention::ScheduleOptions options;
  options.tau = 0.5;
  options.stride = 4;
  options.block = 64;
  options.dense_steps = "0";
  options.dense_steps_given = true;
  attention::ScheduleShape shape;
  shape.num_layers = config.num_layers();
  shape.num_heads = config.num_heads;
  return attention::Attention(attention::AttentionSchedule::make(options, shape));
}

class StreamedTransformer : public ::testing::TestWithParam<at::DeviceType> {};

TEST_P(StreamedTransformer, GivesTheSameBitsStepAfterStep) {
  if (GetParam() == at::kCUDA) {
    REEL_REQUIRE_GPU();
  }
  const at::ScalarType dtype = GetParam() == at::kCUDA ? at::kBFloat16 : at::kFloat;
  const auto options = at::TensorOptions(dtype).device(GetParam());
  for (const auto& golden : forward_cases()) {
    const std::set<std::string> chosen = {"b_batch", "no_guidance", "no_single_blocks"};
    if (!chosen.contains(golden.name)) continue;
    SCOPED_TRACE(golden.name);
    auto store = draw_diffusers_store(golden.config, options.device(), dtype);
    const Transformer resident(golden.config, store);
    const Transformer streamed = streamed_transformer(golden.config, options);
    Inputs inputs = make_inputs(golden, GetParam());
    for (int step = 0; step < 3; ++step) {
      attention::Attention dense;
      const at::Tensor want = resident.forward(inputs, dense.at_step(0));
      EXPECT_TRUE(at::equal(streamed.forward(inputs, dense.at_step(0)), want)) << step;
      attention::Attention sparse = sparse_attention(golden.config);
      EXPECT_TRUE(at::equal(streamed.forward(inputs, sparse.at_step(0)),
                            resident.forward(inputs, sparse.at_step(0))))
          << step;
      inputs.latents = inputs.latents + 0.1 * want;
    }
    EXPECT_EQ(streamed.dtype(), dtype);
    EXPECT_EQ(streamed.device().type(), GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Device, StreamedTransformer, ::testing::Values(at::kCPU, at::kCUDA),
                         [](const auto& one) {
                           return std::string(one.param == at::kCPU ? "cpu" : "gpu");
                         });

}  // namespace
}  // namespace reel::dit::testing
