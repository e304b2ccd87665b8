#include "pipeline/run_report.h"

#include <sys/resource.h>

namespace reel::pipeline {
namespace {

using nlohmann::json;

constexpr const char* kLicence =
    "Made with model weights whose own licence governs this file; SparseReel is Apache-2.0.";

json device_json(const RunIdentity& identity) {
  json device = {{"name", identity.device_name},
                 {"dtype", identity.dtype},
                 {"vae_dtype", identity.vae_dtype},
                 {"threads", identity.threads},
                 {"offload", identity.offload}};
  if (!identity.driver.empty()) device["driver"] = identity.driver;
  return device;
}

json model_json(const RunIdentity& identity) {
  json files = json::array();
  for (const auto& file : identity.model_files) {
    files.push_back(
        {{"name", file.path}, {"bytes", file.bytes}, {"header_sha256", file.header_sha256}});
  }
  return {{"name", identity.model_name}, {"layout", identity.model_layout}, {"files", files}};
}

json timing_json(const ClipReport& report) {
  json timing = {{"total", report.total_ms}};
  for (const auto& [stage, elapsed_ms] : report.stages_ms) timing[stage] = elapsed_ms;
  json steps = json::array();
  for (const auto& step : report.steps) steps.push_back(step.elapsed_ms);
  timing["steps"] = std::move(steps);
  return timing;
}

// The figures of the whole run, without those of every layer and head.
json density_summary(const json& density) {
  json summary = json::object();
  for (const char* key : {"mean", "mean_sparse", "by_step"}) {
    if (density.contains(key)) summary[key] = density[key];
  }
  return summary;
}

// What was planned, and what every stage really took.
json memory_report(const ClipReport& report) {
  json used = json::array();
  for (const auto& peak : report.memory_peaks) {
    used.push_back({{"stage", peak.stage},
                    {"tensors", peak.tensor_bytes},
                    {"reserved", peak.reserved_bytes},
                    {"host", peak.host_bytes}});
  }
  return {{"planned", report.memory_plan ? memory_json(*report.memory_plan) : json()},
          {"used", std::move(used)}};
}

// The same in two numbers: tensors on a GPU; on a CPU the whole process.
json memory_summary(const ClipReport& report) {
  const bool on_gpu = report.peak_device_bytes > 0;
  json summary = {{"used", on_gpu ? report.peak_device_bytes : report.peak_host_bytes}};
  if (report.memory_plan) {
    const auto& plan = *report.memory_plan;
    summary["planned"] = on_gpu ? plan.peak_tensor_bytes() : plan.need_bytes();
  }
  return summary;
}

}  // namespace

json encoder_json(const media::EncoderPlan& encoder) {
  return {{"codec", encoder.codec},   {"encoder", encoder.encoder},
          {"preset", encoder.preset}, {"pix_fmt", encoder.pix_fmt},
          {"crf", encoder.crf},       {"lossless", encoder.lossless}};
}

json perf_json(const RunIdentity& identity, const ClipReport& report) {
  json stages = json::array();
  for (const auto& [stage, elapsed_ms] : report.stages_ms) {
    stages.push_back({{"name", stage}, {"ms", elapsed_ms}});
  }
  json steps = json::array();
  for (const auto& step : report.steps) {
    steps.push_back({{"step", step.step},
                     {"ms", step.elapsed_ms},
                     {"mode", step.dense ? "dense" : "sparse"},
                     {"density", step.density}});
  }
  return {{"format", 1},
          {"seed", report.seed},
          {"total_ms", report.total_ms},
          {"stages", std::move(stages)},
          {"steps", std::move(steps)},
          {"attention", report.attention_times},
          {"attention_kernels", report.attention_kernels},
          {"density", density_summary(report.density)},
          {"text_tokens", report.num_text_tokens},
          {"tile_plan", report.tile_plan},
          {"memory", memory_report(report)},
          {"peak_device_bytes", report.peak_device_bytes},
          {"peak_host_bytes", report.peak_host_bytes},
          {"device", device_json(identity)}};
}

json metadata_json(const GenerationRequest& request, const RunIdentity& identity,
                   const ClipReport& report, const json& program, const json& encoder) {
  json request_json = request.to_json(report.seed);
  request_json["tile_plan"] = report.tile_plan;
  if (!report.vae_tiling.empty()) request_json["vae_tiling"] = report.vae_tiling;
  json metadata = {{"format", 1},
                   {"program", program},
                   {"request", std::move(request_json)},
                   {"attention", report.attention},
                   {"attention_kernels", report.attention_kernels},
                   {"model", model_json(identity)},
                   {"request_hash", report.request_hash},
                   {"noise_sha256", report.noise_sha256},
                   {"latents_sha256", report.latents_sha256},
                   {"density", density_summary(report.density)},
                   {"timing_ms", timing_json(report)},
                   {"memory_bytes", memory_summary(report)},
                   {"device", device_json(identity)},
                   {"encoder", encoder},
                   {"licence", kLicence}};
  if (!report.recall.is_null()) {
    metadata["recall"] = {{"samples", report.recall.at("samples")},
                          {"mean", report.recall.at("mean")}};
  }
  return metadata;
}

int64_t peak_host_bytes() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace reel::pipeline
