// `sparsereel doctor`: what this machine and a model folder offer, what is wrong, what to do.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "app/commands.h"
#include "app/request_flags.h"
#include "app/step_pace.h"
#include "attention/cpu_kernels.h"
#include "attention/gpu_kernels.h"
#include "core/device.h"
#include "core/printable.h"
#include "media/encoder_plan.h"
#include "media/ffmpeg_version.h"
#include "pipeline/device_facts.h"
#include "pipeline/gpu_facts.h"
#include "pipeline/models.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

// One finding that keeps a run from working, or from working well.
struct Finding {
  bool is_problem;  // false: a run works without it
  std::string what;
  std::string what_to_do;
};

class Examination {
 public:
  void examine_cpu();
  void examine_gpu();
  void examine_media();
  void examine_disk();
  void examine_model(const fs::path& folder, const weights::PartPaths& parts);

  ordered_json to_json() const;
  std::string text() const;
  int exit_code() const { return exit_code_; }

 private:
  void add_line(const std::string& label, const std::string& value) {
    text_ += fmt::format("{:<20} {}\n", label, value);
  }
  void add_problem(const std::string& what, const std::string& what_to_do, int exit_code) {
    findings_.push_back({true, what, what_to_do});
    exit_code_ = std::max(exit_code_, exit_code);
  }

  ordered_json facts_ = {{"format", 1}};
  std::string text_;
  std::vector<Finding> findings_;
  int exit_code_ = 0;
};

// What follows a key of /proc/cpuinfo, the same for every core that the program may run on.
std::string cpu_info(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line.substr(std::min(line.find(':') + 2, line.size()));
  }
  return "unknown";
}

// Instruction sets that kernels of ours or LibTorch's choose by, as Linux names them.
std::vector<std::string> cpu_features() {
  constexpr std::array kKnown = {"sse4_2",   "avx2",     "fma",         "f16c",     "avx512f",
                                 "avx512bw", "avx512vl", "avx512_bf16", "amx_bf16", "amx_int8"};
  std::istringstream words(cpu_info("flags"));
  const std::set<std::string> present{std::istream_iterator<std::string>(words), {}};
  std::vector<std::string> features;
  for (const char* name : kKnown) {
    if (present.count(name) > 0) features.emplace_back(name);
  }
  return features;
}

double gigabytes(int64_t bytes) {
  constexpr double kGigabyte = 1e9;
  return static_cast<double>(bytes) / kGigabyte;
}

void Examination::examine_cpu() {
  const int64_t free = pipeline::free_bytes(at::kCPU);
  const std::string kernels = attention::best_cpu_kernels().name;
  const std::string model = cpu_info("model name");
  const auto features = cpu_features();
  facts_["cpu"] = {{"model", model},
                   {"features", features},
                   {"usable_cores", num_usable_cores()},
                   {"attention_kernels", kernels},
                   {"free_bytes", free}};
  add_line("CPU", fmt::format("{}, {} usable cores", model, num_usable_cores()));
  add_line("CPU features", fmt::format("{}", fmt::join(features, " ")));
  add_line("CPU attention", "dense: LibTorch; sparse: " + kernels + " kernels");
  add_line("host memory", fmt::format("{:.1f} GB can be taken", gigabytes(free)));
}

void Examination::examine_gpu() {
  const auto libraries = pipeline::gpu_libraries();
  const auto gpus = pipeline::gpu_facts();
  facts_["gpu"] = {{"driver", libraries.driver},
                   {"cuda_runtime", libraries.cuda_runtime},
                   {"cudnn", libraries.cudnn},
                   {"devices", ordered_json::array()}};
  if (gpus.empty()) {
    const std::string why = pipeline::why_no_gpu();
    facts_["gpu"]["why_none"] = why;
    add_line("GPU", "none: " + why);
    findings_.push_back({false, "no GPU: " + why,
                         "the CPU renders small models; a 13B model wants a GPU of 45 GB and its "
                         "driver"});
    return;
  }
  for (const auto& gpu : gpus) {
    const auto kernels = attention::gpu_kernel_names(gpu.compute_major);
    facts_["gpu"]["devices"].push_back(
        {{"name", gpu.name},
         {"compute_capability", fmt::format("{}.{}", gpu.compute_major, gpu.compute_minor)},
         {"total_bytes", gpu.total_bytes},
         {"free_bytes", gpu.free_bytes},
         {"attention_kernels", {{"dense", kernels.dense}, {"sparse", kernels.sparse}}}});
    add_line("GPU", fmt::format("{}, compute capability {}.{}, {:.1f} of {:.1f} GB free", gpu.name,
                                gpu.compute_major, gpu.compute_minor, gigabytes(gpu.free_bytes),
                                gigabytes(gpu.total_bytes)));
    add_line("GPU attention",
             fmt::format("long dense: {}; sparse: {}", kernels.dense, kernels.sparse));
  }
  add_line("GPU libraries",
           fmt::format("driver {}, CUDA {}, cuDNN {}", libraries.driver, libraries.cuda_runtime,
                       libraries.cudnn.empty() ? "none" : libraries.cudnn));
  if (libraries.cudnn.empty()) {
    add_problem("LibTorch sees no cuDNN, without which dense attention is slow",
                "run scripts/setup again", 1);
  }
}

void Examination::examine_media() {
  add_line("FFmpeg", media::ffmpeg_version());
  facts_["ffmpeg"] = {{"version", media::ffmpeg_version()}, {"encoders", ordered_json::object()}};
  std::string names;
  for (const auto& [name, there] : media::video_encoders()) {
    facts_["ffmpeg"]["encoders"][name] = there;
    names += (names.empty() ? "" : ", ") + name + (there ? "" : " (missing)");
    if (there) continue;
    const bool usual = name == "libx264";
    if (usual) {
      add_problem("FFmpeg has no libx264, which every video needs unless --codec h265",
                  "install an FFmpeg with it, such as Debian's", 1);
    } else {
      findings_.push_back(
          {false, "FFmpeg has no " + name,
           name == "libx265" ? "leave --codec at h264" : "do without --pix-fmt rgb24"});
    }
  }
  add_line("encoders", names);
}

void Examination::examine_disk() {
  constexpr double kLittle = 1.0;  // GB
  std::error_code failed;
  const auto space = fs::space(fs::current_path(failed), failed);
  if (failed) return;
  const double free = gigabytes(static_cast<int64_t>(space.available));
  facts_["disk"] = {{"free_bytes", space.available}};
  add_line("disk", fmt::format("{:.1f} GB free here", free));
  if (free < kLittle) {
    findings_.push_back({false, fmt::format("only {:.1f} GB are free here", free),
                         "write elsewhere with --output-dir"});
  }
}

void Examination::examine_model(const fs::path& folder, const weights::PartPaths& parts) {
  constexpr int kModelCode = 3;
  std::optional<weights::ModelFolder> model;
  Problems missing;
  try {
    model = weights::find_model_folder(folder, parts, missing);
  } catch (const WeightError& error) {
    facts_["model"] = {{"folder", folder.string()}, {"layout", nullptr}};
    add_line("model", printable(folder.string()) + ": not usable");
    add_problem(error.what(), "docs/MODELS.md lists the files and where they go", kModelCode);
    return;
  }
  add_line("model", fmt::format("{}, {} layout", printable(model->name),
                                weights::layout_name(model->layout)));
  for (const auto& line : missing.lines()) {
    add_problem(line, "docs/MODELS.md lists the files and where they go", kModelCode);
  }
  ordered_json checks = ordered_json::array();
  for (const auto& part : pipeline::check_models(*model)) {
    checks.push_back({{"name", part.name},
                      {"bytes", part.bytes},
                      {"parameters", part.num_parameters},
                      {"problem", part.problem}});
    const std::string size = part.bytes == 0
                                 ? ""
                                 : fmt::format(": {} parameters, {}", part.num_parameters,
                                               bytes_text(static_cast<double>(part.bytes)));
    const char* state = part.problem.empty() ? "fits" : part.is_missing ? "missing" : "wrong";
    add_line("  " + part.name, state + size);
    if (part.problem.empty() || part.is_missing) continue;
    add_problem(part.problem,
                "fetch this part of the model again; config and weights must belong together",
                kModelCode);
  }
  facts_["model"] = {{"folder", folder.string()},
                     {"layout", weights::layout_name(model->layout)},
                     {"parts", std::move(checks)}};
}

ordered_json Examination::to_json() const {
  ordered_json result = facts_;
  result["findings"] = ordered_json::array();
  for (const auto& finding : findings_) {
    result["findings"].push_back({{"kind", finding.is_problem ? "problem" : "note"},
                                  {"what", finding.what},
                                  {"what_to_do", finding.what_to_do}});
  }
  return result;
}

std::string Examination::text() const {
  std::string text = text_;
  for (const auto& finding : findings_) {
    text += fmt::format("\n{}: {}\n  to do: {}\n", finding.is_problem ? "problem" : "note",
                        finding.what, finding.what_to_do);
  }
  if (exit_code_ == 0) text += "\nNothing here keeps a run from working.\n";
  return text;
}

}  // namespace

int run_doctor(const ParsedFlags& flags, Console& console) {
  Examination examination;
  examination.examine_cpu();
  examination.examine_gpu();
  examination.examine_media();
  examination.examine_disk();
  if (const auto model = flags.text("--model")) {
    examination.examine_model(*model, part_paths(flags));
  }
  if (flags.has("--json")) {
    console.result(
        examination.to_json().dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    const std::string text = examination.text();
    console.result(text.substr(0, text.size() - 1));
  }
  return examination.exit_code();
}

}  // namespace reel::app
