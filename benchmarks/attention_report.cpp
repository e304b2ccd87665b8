#include "benchmarks/attention_report.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <cuda_runtime_api.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <torch/headeronly/version.h>

#include <cstdio>
#include <fstream>
#include <utility>

#include "benchmarks/timed_runs.h"
#include "core/error.h"

namespace reel::benchmarks {
namespace {

// "580.159.04" of the first line of /proc/driver/nvidia/version.
std::string driver_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  for (std::string word; file >> word;) {
    if (!word.empty() && word.find_first_not_of("0123456789.") == std::string::npos &&
        word.find('.') != std::string::npos) {
      return word;
    }
  }
  return "unknown";
}

}  // namespace

nlohmann::json machine_facts() {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    fail<DeviceError>("attention benchmark: no CUDA device");
  }
  return {{"gpu", properties.name},
          {"driver", driver_version()},
          {"torch", TORCH_VERSION},
          {"cudnn", at::detail::getCUDAHooks().versionRuntimeCuDNN()},
          {"date", fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)))}};
}

double dense_work(const AttentionCase& test, int64_t length) {
  const auto tokens = static_cast<double>(length);
  return 4e-12 * tokens * tokens * static_cast<double>(test.head_dim) *
         static_cast<double>(test.num_heads * test.batch) * (test.causal ? 0.5 : 1.0);
}

AttentionReport::AttentionReport(std::string path, nlohmann::json facts) : path_(std::move(path)) {
  report_ = {{"format", 2}, {"benchmark", "attention"}, {"machine", machine_facts()}};
  report_.update(facts);
  report_["rows"] = nlohmann::json::array();
  report_["left_out"] = nlohmann::json::array();
}

void AttentionReport::set_dense(double cudnn_ms, double unragged_ms) {
  dense_ms_ = cudnn_ms;
  unragged_ms_ = unragged_ms;
}

void AttentionReport::add(const AttentionCase& test, const AttentionRow& row) {
  const auto& details = row.details;
  const bool scored = details.contains("score_ms");
  const double plan_ms =
      scored ? details["score_ms"].get<double>() + details["select_ms"].get<double>() : 0.0;
  const double total_ms = row.attend_ms + plan_ms;
  const double rate = dense_work(test, test.length) * row.density / row.attend_ms * 1e3;
  nlohmann::json json = {{"group", test.group},     {"inputs", test.mixture ? "mixture" : "random"},
                         {"length", test.length},   {"text_length", test.text_length},
                         {"heads", test.num_heads}, {"head_dim", test.head_dim},
                         {"batch", test.batch},     {"causal", test.causal},
                         {"kernel", row.kernel},    {"method", row.method},
                         {"density", row.density},  {"attend_ms", row.attend_ms},
                         {"total_ms", total_ms},    {"tflops", rate}};
  if (details.is_object()) json.update(details);
  std::string name = row.kernel + ' ' + row.method;
  if (details.contains("scoring")) {
    name += fmt::format(" {} S={}", details["scoring"].get<std::string>(),
                        details["stride"].get<int64_t>());
    if (details.contains("tau")) name += fmt::format(" tau {:.4f}", details["tau"].get<double>());
  }
  std::string line = fmt::format(
      "{:<11} L {:>7} A {:>2} D {:>3} {}{} {:<38} density {:.4f} attend {:9.3f} ms {:6.1f} TFLOP/s",
      test.group, test.length, test.num_heads, test.head_dim, test.mixture ? "mix" : "rnd",
      test.causal ? " causal" : "", name, row.density, row.attend_ms, rate);
  if (dense_ms_ > 0) {
    const double share = rate * dense_ms_ * 1e-3 / dense_work(test, test.length);
    json["cudnn_ms"] = dense_ms_;
    json["share_of_dense_rate"] = share;
    json["speed_up"] = dense_ms_ / total_ms;
    line += fmt::format(" {:5.1f}% of cuDNN", 100 * share);
    if (unragged_ms_ > 0) {
      const double unragged =
          rate * unragged_ms_ * 1e-3 / dense_work(test, test.length / 128 * 128);
      json["share_of_unragged_rate"] = unragged;
      line += fmt::format(" ({:5.1f}% unragged)", 100 * unragged);
    }
    line += fmt::format(" x{:.3f}", dense_ms_ / total_ms);
  }
  if (scored) {
    json["overhead_share"] = plan_ms / total_ms;
    line +=
        fmt::format(" score {:.3f} select {:.3f} share {:.1f}%", details["score_ms"].get<double>(),
                    details["select_ms"].get<double>(), 100 * plan_ms / total_ms);
  }
  if (details.contains("recall")) {
    line += fmt::format(" recall {:.4f}", details["recall"].get<double>());
  }
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  report_["rows"].push_back(std::move(json));
  write();
}

void AttentionReport::leave_out(const AttentionCase& test, const std::string& why) {
  const std::string name =
      fmt::format("{} L {} A {} D {} {}{}", test.group, test.length, test.num_heads, test.head_dim,
                  test.mixture ? "mixture" : "random", test.causal ? " causal" : "");
  std::printf("left out: %s: %s\n", name.c_str(), why.c_str());
  report_["left_out"].push_back({{"case", name}, {"why", why}});
  write();
}

void AttentionReport::write() const {
  write_report(path_, report_);
}

}  // namespace reel::benchmarks
