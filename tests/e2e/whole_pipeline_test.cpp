// Whole models, a tiny drawn one and the bundled one, from the folder on the disk to 8-bit frames,
// against diffusers' HunyuanVideoPipeline with the same weights and noise
// (tools/goldens/pipeline.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/device.h"
#include "pipeline/generate.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_model.h"
#include "weights/safetensors.h"

namespace reel::pipeline {
namespace {

// Keeps everything in memory.
class Recorder : public ClipOutputs, private media::FrameSink {
 public:
  void keep_latents(size_t, const at::Tensor& kept) override { latents = kept; }
  media::FrameSink& frames(size_t) override { return *this; }
  void complete(size_t, const RunIdentity&, const ClipReport& clip_report) override {
    report = clip_report;
    completed = true;
  }

  at::Tensor video() const { return at::cat(chunks_); }

  at::Tensor latents;
  ClipReport report;
  bool completed = false;

 private:
  void write(const at::Tensor& frames) override { chunks_.push_back(frames.clone()); }
  void finish() override {}

  std::vector<at::Tensor> chunks_;
};

double psnr(const at::Tensor& got, const at::Tensor& want) {
  if (got.sizes() != want.sizes()) return 0;
  const double error = (got.to(at::kDouble) - want.to(at::kDouble)).square().mean().item<double>();
  return error == 0 ? std::numeric_limits<double>::infinity()
                    : 10 * std::log10(255.0 * 255.0 / error);
}

std::filesystem::path golden_file(const std::string& name) {
  return testing::data_file("pipeline/" + name + ".safetensors");
}

// The request that a golden's metadata describes, starting from its noise.
GenerationRequest golden_request(const std::string& name, const std::filesystem::path& noise_file) {
  const auto golden = weights::open_safetensors(golden_file(name));
  weights::save_safetensors(noise_file, {{"noise", golden.tensor("noise")}});
  const auto& facts = golden.metadata();
  GenerationRequest request;
  request.prompt = facts.at("prompt");
  request.size = {std::stoll(facts.at("frames")), std::stoll(facts.at("height")),
                  std::stoll(facts.at("width"))};
  request.num_steps = std::stoll(facts.at("steps"));
  request.seeds = {42};
  request.noise_file = noise_file;
  request.guidance = 6.0;
  request.cfg_scale = std::stod(facts.at("cfg_scale"));
  request.flow_shift = 7.0;
  request.frame_rate = "24";
  request.attention.mode = "dense";
  request.attention.dense_steps = "0";
  // diffusers always cuts time into its tiles.
  request.vae_tiling = {VaeTiling::Mode::kOn, vae::kDiffusersTiling};
  request.compute = {at::kCPU, at::kFloat, at::kFloat, num_usable_cores()};
  return request;
}

class TinyPipeline : public ::testing::TestWithParam<std::tuple<weights::Layout, const char*>> {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<testing::TempFolder>();
    for (const auto layout : {weights::Layout::kDiffusers, weights::Layout::kOfficial}) {
      testing::write_tiny_model(testing::data_file("tiny_model"), model(layout), layout);
    }
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::filesystem::path model(weights::Layout layout) {
    return folder_->path() / weights::layout_name(layout);
  }

  static void render(const GenerationRequest& request, weights::Layout layout, Recorder& recorder) {
    Progress silent;
    generate(request, weights::find_model_folder(model(layout)), recorder, silent, {});
  }

  static std::unique_ptr<testing::TempFolder> folder_;
};

std::unique_ptr<testing::TempFolder> TinyPipeline::folder_;

TEST_P(TinyPipeline, RendersWhatDiffusersRenders) {
  const auto [layout, name] = GetParam();
  const auto golden = weights::open_safetensors(golden_file(name));
  Recorder recorder;

  render(golden_request(name, folder_->path() / "noise.safetensors"), layout, recorder);

  ASSERT_TRUE(recorder.completed);
  EXPECT_LE(testing::relative_error(recorder.latents, golden.tensor("latents")), 5e-5);
  EXPECT_GE(psnr(recorder.video(), golden.tensor("frames")), 60.0);
}

INSTANTIATE_TEST_SUITE_P(Layouts, TinyPipeline,
                         ::testing::Combine(::testing::Values(weights::Layout::kDiffusers,
                                                              weights::Layout::kOfficial),
                                            ::testing::Values("dense", "cfg", "one_frame")),
                         [](const auto& param) {
                           return weights::layout_name(std::get<0>(param.param)) + "_" +
                                  std::get<1>(param.param);
                         });

class BundledModel : public ::testing::TestWithParam<const char*> {};

TEST_P(BundledModel, RendersWhatDiffusersRenders) {
  const testing::TempFolder folder;
  const auto golden = weights::open_safetensors(golden_file(GetParam()));
  Recorder recorder;
  Progress silent;

  generate(golden_request(GetParam(), folder.path() / "noise.safetensors"),
           weights::find_model_folder("models/demo"), recorder, silent, {});

  ASSERT_TRUE(recorder.completed);
  EXPECT_LE(testing::relative_error(recorder.latents, golden.tensor("latents")), 5e-5);
  EXPECT_GE(psnr(recorder.video(), golden.tensor("frames")), 60.0);
}

INSTANTIATE_TEST_SUITE_P(Clips, BundledModel, ::testing::Values("bundled", "bundled_cfg"),
                         [](const auto& param) { return param.param; });

class TinyPipelineAlone : public TinyPipeline {};

TEST_P(TinyPipelineAlone, SparseAttentionThatKeepsAllMassChangesNothing) {
  const auto [layout, name] = GetParam();
  auto request = golden_request(name, folder_->path() / "noise.safetensors");
  request.attention.mode = "xattn";
  request.attention.tau = 1.0;
  Recorder sparse;
  render(request, layout, sparse);

  const auto golden = weights::open_safetensors(golden_file(name));
  EXPECT_LE(testing::relative_error(sparse.latents, golden.tensor("latents")), 5e-5);
}

TEST_P(TinyPipelineAlone, RendersWhatDiffusersRendersOnAGpuInFp32) {
  REEL_REQUIRE_GPU();
  const auto [layout, name] = GetParam();
  auto request = golden_request(name, folder_->path() / "noise.safetensors");
  request.compute = {at::Device(at::kCUDA, 0), at::kFloat, at::kFloat, 1};
  Recorder recorder;
  render(request, layout, recorder);

  const auto golden = weights::open_safetensors(golden_file(name));
  EXPECT_LE(testing::relative_error(recorder.latents, golden.tensor("latents")), 5e-4);
  EXPECT_GE(psnr(recorder.video(), golden.tensor("frames")), 50.0);
}

// Against our own fp32 run on the CPU, with a guidance that bf16 embeds exactly: the golden's 6
// becomes 6016 there. Four steps of a random model multiply the rounding of one, which the
// transformer's own test bounds.
TEST_P(TinyPipelineAlone, StaysCloseInBf16OnAGpu) {
  REEL_REQUIRE_GPU();
  const auto [layout, name] = GetParam();
  auto request = golden_request(name, folder_->path() / "noise.safetensors");
  request.guidance = 4.0;
  Recorder exact;
  render(request, layout, exact);
  request.compute = {at::Device(at::kCUDA, 0), at::kBFloat16, at::kHalf, 1};
  Recorder rounded;
  render(request, layout, rounded);

  EXPECT_GE(testing::cosine(rounded.latents, exact.latents), 0.99);
  EXPECT_GE(psnr(rounded.video(), exact.video()), 20.0);
}

INSTANTIATE_TEST_SUITE_P(OneClip, TinyPipelineAlone,
                         ::testing::Values(std::tuple(weights::Layout::kDiffusers, "dense")));

}  // namespace
}  // namespace reel::pipeline
