// The JSON that a finished clip leaves behind.
#include "pipeline/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace reel::pipeline {
namespace {

using nlohmann::json;
using ::testing::UnorderedElementsAre;

ClipReport report() {
  ClipReport report;
  report.seed = 7;
  report.noise_sha256 = "n";
  report.latents_sha256 = "l";
  report.stages_ms = {{"encode text", 10}, {"denoise", 90}};
  report.steps = {{0, 2, 60, true, 1.0}, {1, 2, 30, false, 0.25}};
  report.attention = {{"mode", "xattn"}, {"schedule_hash", "h"}};
  report.density = {{"format", 1},
                    {"mean", 0.5},
                    {"mean_sparse", 0.25},
                    {"by_step", {1.0, 0.25}},
                    {"density", json::array({json::array()})}};
  report.attention_kernels = {{"dense", "cuDNN"}, {"sparse", "sm90 wgmma (lazy)"}};
  report.attention_times = {{"total", {{"score_ms", 1}}}};
  report.total_ms = 100;
  report.peak_host_bytes = 5;
  return report;
}

RunIdentity identity() {
  return {.model_name = "tiny",
          .model_layout = "official",
          .model_files = {{"vae/a.pt", 12, "abc"}},
          .tokenizers_sha256 = "def",
          .device_name = "NVIDIA H200",
          .driver = "580.1",
          .dtype = "bf16",
          .vae_dtype = "fp16",
          .threads = 2};
}

TEST(Metadata, HasExactlyTheDocumentedKeys) {
  GenerationRequest request;
  request.prompt = "a \"cat\"";
  request.frame_rate = "24";
  const json metadata =
      metadata_json(request, identity(), report(), {{"name", "sparsereel"}}, {{"codec", "h264"}});
  std::vector<std::string> keys;
  for (const auto& [key, value] : metadata.items()) keys.push_back(key);
  EXPECT_THAT(keys, UnorderedElementsAre("format", "program", "request", "request_hash",
                                         "attention", "attention_kernels", "model", "noise_sha256",
                                         "latents_sha256", "density", "timing_ms", "memory_bytes",
                                         "device", "encoder", "licence"));
  EXPECT_EQ(metadata["format"], 1);
  EXPECT_EQ(metadata["request"]["prompt"], "a \"cat\"");
  EXPECT_EQ(metadata["request"]["seed"], 7);
  EXPECT_EQ(metadata["attention"]["mode"], "xattn");
  EXPECT_EQ(metadata["attention_kernels"]["sparse"], "sm90 wgmma (lazy)");
  EXPECT_EQ(metadata["model"]["layout"], "official");
  EXPECT_EQ(metadata["model"]["files"][0],
            json({{"name", "vae/a.pt"}, {"bytes", 12}, {"header_sha256", "abc"}}));
  EXPECT_EQ(metadata["density"],
            json({{"mean", 0.5}, {"mean_sparse", 0.25}, {"by_step", {1.0, 0.25}}}));
  EXPECT_EQ(metadata["timing_ms"]["denoise"], 90);
  EXPECT_EQ(metadata["timing_ms"]["steps"], json({60, 30}));
  EXPECT_EQ(metadata["device"]["driver"], "580.1");
}

TEST(PerfJson, TellsStagesAndStepsApart) {
  const json perf = perf_json(identity(), report());
  EXPECT_EQ(perf["format"], 1);
  EXPECT_EQ(perf["total_ms"], 100);
  EXPECT_EQ(perf["stages"][1], json({{"name", "denoise"}, {"ms", 90.0}}));
  EXPECT_EQ(perf["steps"][0]["mode"], "dense");
  EXPECT_EQ(perf["steps"][1],
            json({{"step", 1}, {"ms", 30.0}, {"mode", "sparse"}, {"density", 0.25}}));
  EXPECT_EQ(perf["attention"]["total"]["score_ms"], 1);
  EXPECT_EQ(perf["attention_kernels"]["dense"], "cuDNN");
}

TEST(PeakHostBytes, CountsWhatThisProcessHolds) {
  EXPECT_GT(peak_host_bytes(), 1'000'000);
}

}  // namespace
}  // namespace reel::pipeline
