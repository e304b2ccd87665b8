#include "pipeline/decode.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "core/error.h"
#include "media/frame_convert.h"
#include "tests/support/errors.h"
#include "tests/support/gpu.h"
#include "tests/unit/vae/goldens.h"
#include "vae/tiled_vae.h"

namespace reel::pipeline {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

// Tiles of 64 pixels and 16 frames.
constexpr vae::Tiling kSmallTiles = {.size = 64, .stride = 48, .frames = 16, .frame_stride = 12};

class Recorder : public media::FrameSink {
 public:
  void write(const at::Tensor& frames) override {
    if (fails) fail<IoError>("disk: full");
    chunks.push_back(frames.clone());
  }
  void finish() override { ADD_FAILURE() << "finish() is the caller's"; }

  std::vector<at::Tensor> chunks;
  bool fails = false;
};

class Watcher : public Progress {
 public:
  void tile_decoded(int64_t done, int64_t total) override {
    num_tiles = done;
    if (done == total / 2 && signal != nullptr) *signal = 2;
  }
  void frames_encoded(int64_t done, int64_t total) override {
    EXPECT_GT(done, num_frames) << "told twice";
    EXPECT_EQ(total, 29);
    num_frames = done;
  }

  int64_t num_tiles = 0;
  int64_t num_frames = 0;
  std::atomic<int>* signal = nullptr;
};

class DecodeVideo : public ::testing::TestWithParam<at::DeviceType> {
 protected:
  void SetUp() override {
    if (GetParam() == at::kCUDA) REEL_REQUIRE_GPU();
    auto store = vae::testing::drawn_weights(vae::testing::golden_config(), GetParam());
    decoder_.emplace(vae::testing::golden_config(), store);
    latents_ = vae::testing::drawn_input({1, 4, 8, 12, 10}).to(GetParam());
  }

  void run() { decode_video(*decoder_, latents_, plan_, sink_, watcher_, stop_); }

  const vae::TilePlan plan_ = vae::plan_tiles({8, 12, 10}, kSmallTiles);
  std::optional<vae::Decoder> decoder_;
  at::Tensor latents_;
  Recorder sink_;
  Watcher watcher_;
  std::atomic<int> signal_ = 0;
  StopRequest stop_{signal_};
};

TEST_P(DecodeVideo, WritesTheWholeClipInOrder) {
  run();
  const at::Tensor z = latents_ / decoder_->config().scaling_factor;
  const at::Tensor want =
      media::to_pixels(decode_to_tensor(*decoder_, z, plan_), media::Rounding::kNearest);
  const at::Tensor got = at::cat(sink_.chunks);
  ASSERT_EQ(got.sizes(), at::IntArrayRef({29, 96, 80, 3}));
  // A GPU may choose other convolutions for a second run.
  EXPECT_LE((got.to(at::kInt) - want.to(at::kInt)).abs().max().item<int>(),
            GetParam() == at::kCPU ? 0 : 1);
  EXPECT_EQ(watcher_.num_frames, 29);
  EXPECT_EQ(watcher_.num_tiles, plan_.num_tiles());
}

TEST_P(DecodeVideo, WritesAFewFramesAtATime) {
  run();
  std::vector<int64_t> lengths;
  for (const auto& chunk : sink_.chunks) lengths.push_back(chunk.size(0));
  EXPECT_THAT(lengths, ElementsAre(8, 5, 8, 4, 4));  // windows give 13, 12 and 4
}

TEST_P(DecodeVideo, ThrowsWhatTheSinkThrows) {
  sink_.fails = true;
  EXPECT_EQ(error_of<IoError>([&] { run(); }), "disk: full");
  EXPECT_EQ(watcher_.num_frames, 0);
}

TEST_P(DecodeVideo, WritesNoFramesThatAreNotFinite) {
  latents_[0][0][7][0][0] = std::numeric_limits<float>::quiet_NaN();  // in the last windows only
  EXPECT_THAT(error_of<OutputError>([&] { run(); }), HasSubstr("values are not finite: got "));
  EXPECT_EQ(at::cat(sink_.chunks).size(0), 13);  // the first window
}

TEST_P(DecodeVideo, StopsBetweenTiles) {
  watcher_.signal = &signal_;
  try {
    run();
    ADD_FAILURE() << "went on to the end";
  } catch (const Interrupted& interrupted) {
    EXPECT_EQ(interrupted.signal(), 2);
  }
  EXPECT_EQ(watcher_.num_tiles, plan_.num_tiles() / 2);
}

INSTANTIATE_TEST_SUITE_P(Devices, DecodeVideo, ::testing::Values(at::kCPU, at::kCUDA),
                         [](const auto& device) {
                           return device.param == at::kCPU ? "Cpu" : "Gpu";
                         });

}  // namespace
}  // namespace reel::pipeline
