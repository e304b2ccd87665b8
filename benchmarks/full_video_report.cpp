#include "benchmarks/full_video_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace reel::benchmarks {
namespace {

constexpr double kGigabyte = 1e9;

const std::string kStepPrefix = "step, ";

double gigabytes(int64_t bytes) {
  return static_cast<double>(bytes) / kGigabyte;
}

// Nothing where nothing was counted, as on a CPU.
std::string gigabytes_cell(int64_t bytes) {
  return bytes > 0 ? fmt::format("{:.2f}", gigabytes(bytes)) : "";
}

std::string split_cells(const StageFigures& stage) {
  if (!stage.step) return "| | | | | |";
  const MeasuredStep& step = *stage.step;
  return fmt::format("| {:.3f} | {:.0f} | {:.0f} | {:.0f} | {:.0f} ({:.0f}) | {:.0f}", step.density,
                     step.score_ms, step.select_ms, step.attend_ms, step.products_ms,
                     step.product_rate(), step.rest_ms());
}

std::string memory_cells(const FullVideoFigures& figures, const StageFigures& stage) {
  const int64_t planned = figures.planned_bytes(stage);
  const int64_t used = stage.peak.tensor_bytes;
  const std::string ratio =
      used > 0 ? fmt::format("{:.3f}", static_cast<double>(used) / static_cast<double>(planned))
               : "";
  return fmt::format("| {} | {} | {} | {} |", gigabytes_cell(planned), gigabytes_cell(used), ratio,
                     gigabytes_cell(stage.peak.reserved_bytes));
}

std::string row(const FullVideoFigures& figures, const StageFigures& stage) {
  if (!stage.failure.empty()) {
    return fmt::format("| {} | failed: {} | | | | | | | | | | |\n", stage.name, stage.failure);
  }
  return fmt::format("| {} | {:.3f} {} {}\n", stage.name, stage.seconds, split_cells(stage),
                     memory_cells(figures, stage));
}

std::string total_name(const FullVideoFigures& figures, const std::string& mode) {
  const std::string kind = mode == "dense"
                               ? "all dense"
                               : fmt::format("{} dense, then {}", figures.num_dense_steps, mode);
  return fmt::format("whole clip, {} steps ({}), extrapolated", figures.num_steps, kind);
}

nlohmann::json stage_json(const FullVideoFigures& figures, const StageFigures& stage) {
  nlohmann::json json = {{"name", stage.name},
                         {"seconds", stage.seconds},
                         {"planned_gb", gigabytes(figures.planned_bytes(stage))},
                         {"peak_gb", gigabytes(stage.peak.tensor_bytes)},
                         {"reserved_gb", gigabytes(stage.peak.reserved_bytes)},
                         {"device_gb", gigabytes(stage.device_bytes)},
                         {"host_gb", gigabytes(stage.peak.host_bytes)}};
  if (!stage.failure.empty()) json["failure"] = stage.failure;
  return json;
}

}  // namespace

const StageFigures* FullVideoFigures::find(const std::string& name) const {
  const auto found = std::ranges::find_if(stages, [&](const StageFigures& stage) {
    return stage.name == name && stage.failure.empty();
  });
  return found == stages.end() ? nullptr : &*found;
}

std::map<std::string, double> FullVideoFigures::totals() const {
  const auto* text = find("text");
  const auto* together = find("decode and encode");
  const auto* decode = together != nullptr ? together : find("decode");
  const auto* dense = find(kStepPrefix + "dense");
  std::map<std::string, double> totals;
  if (text == nullptr || decode == nullptr || dense == nullptr) return totals;
  const auto first = static_cast<double>(std::min(num_dense_steps, num_steps));
  const auto rest = static_cast<double>(num_steps) - first;
  for (const auto& stage : stages) {
    if (!stage.step || !stage.failure.empty()) continue;
    totals[stage.name.substr(kStepPrefix.size())] =
        text->seconds + first * dense->seconds + rest * stage.seconds + decode->seconds;
  }
  return totals;
}

int64_t FullVideoFigures::planned_bytes(const StageFigures& stage) const {
  for (const auto& planned : plan.stages) {
    if (planned.stage == stage.planned) return planned.tensor_bytes();
  }
  return 0;
}

bool FullVideoFigures::any_failed() const {
  return std::ranges::any_of(stages, [](const auto& stage) { return !stage.failure.empty(); });
}

std::string table_text(const FullVideoFigures& figures) {
  std::string text =
      "| stage | s | density | score ms | select | attend | products (TFLOP/s) | element-wise, "
      "copies, gaps | planned GB | used GB | used / planned | held by the allocator GB |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  StageFigures peak;
  for (const auto& stage : figures.stages) {
    text += row(figures, stage);
    if (stage.peak.tensor_bytes > peak.peak.tensor_bytes) peak = stage;
  }
  if (figures.encode) {
    text += fmt::format("| encode, its thread's work | {:.3f} | | | | | | | | | | |\n",
                        figures.encode->busy_seconds);
  }
  for (const auto& [mode, seconds] : figures.totals()) {
    text +=
        fmt::format("| {} | {:.1f} | | | | | | | | | | |\n", total_name(figures, mode), seconds);
  }
  if (peak.peak.tensor_bytes > 0) {
    text += fmt::format("| peak: {} | | | | | | | {}\n", peak.name, memory_cells(figures, peak));
  }
  return text;
}

std::string stage_text(const StageFigures& stage) {
  if (!stage.failure.empty()) return fmt::format("{:<20} failed: {}", stage.name, stage.failure);
  std::string text = fmt::format("{:<20} {:9.3f} s", stage.name, stage.seconds);
  if (stage.peak.tensor_bytes > 0) {
    text += fmt::format("   tensors {:6.2f} GB, allocator {:6.2f} GB, GPU in use {:6.2f} GB",
                        gigabytes(stage.peak.tensor_bytes), gigabytes(stage.peak.reserved_bytes),
                        gigabytes(stage.device_bytes));
  }
  return text;
}

nlohmann::json to_json(const FullVideoFigures& figures) {
  nlohmann::json json = {{"format", 2},
                         {"benchmark", "full_video"},
                         {"image_tokens", grid_of(figures.shape).num_tokens()},
                         {"text_tokens", figures.shape.text_tokens},
                         {"double_blocks", figures.shape.num_double_blocks},
                         {"single_blocks", figures.shape.num_single_blocks},
                         {"density", figures.density},
                         {"steps", figures.num_steps},
                         {"dense_steps", figures.num_dense_steps},
                         {"measured_steps", figures.repeats},
                         {"device", figures.compute.device.str()},
                         {"offload", pipeline::offload_name(figures.compute.offload)},
                         {"max_vram_gb", gigabytes(figures.compute.max_vram_bytes)},
                         {"memory_plan", pipeline::memory_json(figures.plan)},
                         {"stages", nlohmann::json::array()},
                         {"split", nlohmann::json::object()},
                         {"extrapolated", figures.totals()}};
  for (const auto& stage : figures.stages) {
    json["stages"].push_back(stage_json(figures, stage));
    if (stage.step) json["split"][stage.name.substr(kStepPrefix.size())] = stage.step->json();
  }
  if (const auto& encode = figures.encode) {
    json["encode"] = {{"busy_s", encode->busy_seconds},
                      {"file_bytes", encode->file_bytes},
                      {"encoder", encode->encoder},
                      {"preset", encode->preset},
                      {"crf", encode->crf}};
  }
  return json;
}

}  // namespace reel::benchmarks
