// Memory that runs out while a clip is decoded, as a sink that cannot have any more.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "core/error.h"
#include "pipeline/generate.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_model.h"

namespace reel::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Takes a clip; the first `failures` writes after `good` ones find no memory.
class ScarceOutputs : public ClipOutputs, private media::FrameSink {
 public:
  ScarceOutputs(int good, int failures, bool again)
      : good_(good), failures_(failures), again_(again) {}

  void keep_latents(size_t, const at::Tensor&) override { has_latents = true; }
  bool can_start_again(size_t) const override { return again_; }
  media::FrameSink& frames(size_t) override {
    chunks_.clear();
    return *this;
  }
  void complete(size_t, const RunIdentity&, const ClipReport& report) override {
    tiling = report.vae_tiling;
    peaks = report.memory_peaks;
    plan = report.memory_plan;
  }
  at::Tensor clip() const { return at::cat(chunks_); }

  bool has_latents = false;
  std::string tiling;
  std::vector<StagePeak> peaks;
  std::optional<MemoryPlan> plan;

 private:
  void write(const at::Tensor& frames) override {
    if (good_-- <= 0 && failures_-- > 0) throw std::bad_alloc();
    chunks_.push_back(frames.clone());
  }
  void finish() override {}

  int good_;
  int failures_;
  bool again_;
  std::vector<at::Tensor> chunks_;
};

class Warnings : public Progress {
 public:
  void warn(const std::string& line) override { lines.push_back(line); }
  std::vector<std::string> lines;
};

class ScarceMemory : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = std::make_unique<testing::TempFolder>();
    testing::write_tiny_model(testing::data_file("tiny_model"), model_->path(),
                              weights::Layout::kDiffusers);
  }
  static void TearDownTestSuite() { model_.reset(); }

  // 41 frames are 11 latent ones.
  static GenerationRequest request(const VaeTiling& tiling) {
    GenerationRequest request;
    request.prompt = "a red star";
    request.size = {.frames = 41, .height = 32, .width = 32};
    request.num_steps = 2;
    request.seeds = {1};
    request.guidance = 4.0;
    request.flow_shift = 7.0;
    request.frame_rate = "24";
    request.attention.mode = "dense";
    request.attention.dense_steps = "0";
    request.vae_tiling = tiling;
    return request;
  }

  static void render(const VaeTiling& tiling, ScarceOutputs& outputs, Warnings& warnings) {
    generate(request(tiling), weights::find_model_folder(model_->path()), outputs, warnings, {});
  }

  static at::Tensor usual_clip(const VaeTiling& tiling) {
    ScarceOutputs outputs(0, 0, false);
    Warnings warnings;
    render(tiling, outputs, warnings);
    return outputs.clip();
  }

  static std::unique_ptr<testing::TempFolder> model_;
};

std::unique_ptr<testing::TempFolder> ScarceMemory::model_;

const VaeTiling kUsual = {};
const VaeTiling kDiffusers = {VaeTiling::Mode::kOn, vae::kDiffusersTiling};
const VaeTiling kMiddle = {VaeTiling::Mode::kOn,
                           {.size = 256, .stride = 192, .frames = 32, .frame_stride = 24}};

TEST_F(ScarceMemory, DecodesInSmallerTilesAndSaysSo) {
  ScarceOutputs outputs(0, 1, false);
  Warnings warnings;
  render(kUsual, outputs, warnings);
  EXPECT_EQ(outputs.tiling, "256:192:32:24");
  EXPECT_THAT(warnings.lines,
              ElementsAre("decode: out of memory on the host; trying again with smaller tiles: "
                          "--vae-tile 256:192:32:24"));
  EXPECT_TRUE(at::equal(outputs.clip(), usual_clip(kMiddle)));
}

TEST_F(ScarceMemory, StartsAClipAgainWhoseFirstFramesWereWritten) {
  ScarceOutputs outputs(1, 1, true);
  Warnings warnings;
  render(kMiddle, outputs, warnings);
  EXPECT_EQ(outputs.tiling, "256:192:16:12");
  EXPECT_EQ(outputs.clip().size(0), 41);
  EXPECT_TRUE(at::equal(outputs.clip(), usual_clip(kDiffusers)));
}

TEST_F(ScarceMemory, GivesUpWithAdviceAndTheLatentsKept) {
  Warnings warnings;
  ScarceOutputs never(0, 100, true);
  EXPECT_THAT(testing::error_of<OutOfMemory>([&] { render(kUsual, never, warnings); }),
              AllOf(HasSubstr("decode: out of memory on the host; "),
                    HasSubstr(" free on cpu; try "), HasSubstr("--vae-tile 128:96:16:12")));
  EXPECT_TRUE(never.has_latents);
  EXPECT_EQ(warnings.lines.size(), 2U) << "two tilings are smaller";

  ScarceOutputs watched(1, 1, false);  // its frames cannot be taken back
  EXPECT_THROW(render(kMiddle, watched, warnings), OutOfMemory);
}

TEST_F(ScarceMemory, IsMeasuredStageByStageBesideThePlan) {
  ScarceOutputs outputs(0, 0, false);
  Warnings warnings;
  render(kUsual, outputs, warnings);
  std::vector<std::string> names;
  for (const auto& peak : outputs.peaks) {
    names.push_back(peak.stage);
    EXPECT_GT(peak.host_bytes, 0);
  }
  EXPECT_THAT(names, ElementsAre("load text encoders", "encode text", "load transformer", "denoise",
                                 "load vae", "decode"));
  ASSERT_TRUE(outputs.plan);
  EXPECT_GT(outputs.plan->need_bytes(), 0);
}

}  // namespace
}  // namespace reel::pipeline
