// Where the models wait changes when they load, and no bit of what they render.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/device.h"
#include "pipeline/generate.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_model.h"

namespace reel::pipeline {
namespace {

using ::testing::ElementsAre;

// Keeps the latents and frames of all clips, and the stages of the last one.
class Clips : public ClipOutputs, private media::FrameSink {
 public:
  void keep_latents(size_t, const at::Tensor& kept) override { latents.push_back(kept); }
  media::FrameSink& frames(size_t) override { return *this; }
  void complete(size_t, const RunIdentity& identity, const ClipReport& report) override {
    stages.clear();
    for (const auto& [name, ms] : report.stages_ms) stages.push_back(name);
    offload = identity.offload;
  }

  std::vector<at::Tensor> latents;
  std::vector<at::Tensor> frames_of_all;
  std::vector<std::string> stages;
  std::string offload;

 private:
  void write(const at::Tensor& frames) override { frames_of_all.push_back(frames.clone()); }
  void finish() override {}
};

class Stages : public Progress {
 public:
  void stage_started(std::string_view stage) override { names.emplace_back(stage); }
  std::vector<std::string> names;
};

// Two clips of one prompt.
GenerationRequest two_clips(at::Device device, Offload offload) {
  GenerationRequest request;
  request.prompt = "a red star";
  request.size = {.frames = 5, .height = 32, .width = 32};
  request.num_steps = 2;
  request.seeds = {1, 2};
  request.guidance = 4.0;
  request.flow_shift = 7.0;
  request.frame_rate = "24";
  request.attention.mode = "dense";
  request.attention.dense_steps = "0";
  request.compute = {.device = device, .threads = num_usable_cores(), .offload = offload};
  return request;
}

class OffloadedRun : public ::testing::TestWithParam<at::DeviceType> {
 protected:
  OffloadedRun() : model_(folder_.path() / "model") {
    testing::write_tiny_model(testing::data_file("tiny_model"), model_, weights::Layout::kOfficial);
  }

  std::vector<std::string> render(Offload offload, Clips& clips) const {
    Stages stages;
    const at::Device device =
        GetParam() == at::kCPU ? at::Device(at::kCPU) : at::Device(at::kCUDA, 0);
    generate(two_clips(device, offload), weights::find_model_folder(model_), clips, stages, {});
    return stages.names;
  }

 private:
  testing::TempFolder folder_;
  std::filesystem::path model_;
};

void expect_same(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(at::equal(got[i], want[i])) << i;
}

TEST_P(OffloadedRun, RendersTheSameBits) {
  if (GetParam() == at::kCUDA) {
    REEL_REQUIRE_GPU();
  }
  Clips resident;
  const auto stages = render(Offload::kNone, resident);
  EXPECT_THAT(stages, ElementsAre("load text encoders", "encode text", "load transformer",
                                  "denoise", "load vae", "decode", "denoise", "decode"));
  EXPECT_EQ(resident.offload, "none");
  for (const Offload offload : {Offload::kModels, Offload::kBlocks}) {
    SCOPED_TRACE(offload_name(offload));
    Clips clips;
    render(offload, clips);
    expect_same(clips.latents, resident.latents);
    expect_same(clips.frames_of_all, resident.frames_of_all);
    EXPECT_EQ(clips.offload, offload_name(offload));
  }
}

TEST_P(OffloadedRun, LoadsEachModelForItsStageAlone) {
  if (GetParam() == at::kCUDA) {
    REEL_REQUIRE_GPU();
  }
  Clips clips;
  EXPECT_THAT(
      render(Offload::kModels, clips),
      ElementsAre("load text encoders", "encode text", "load transformer", "denoise", "load vae",
                  "decode", "load transformer", "denoise", "load vae", "decode"));
  EXPECT_THAT(clips.stages, ElementsAre("load text encoders", "encode text", "load transformer",
                                        "denoise", "load vae", "decode"))
      << "of the second clip: its own loads, not those of the first";
}

INSTANTIATE_TEST_SUITE_P(Device, OffloadedRun, ::testing::Values(at::kCPU, at::kCUDA),
                         [](const auto& one) {
                           return std::string(one.param == at::kCPU ? "cpu" : "gpu");
                         });

}  // namespace
}  // namespace reel::pipeline
