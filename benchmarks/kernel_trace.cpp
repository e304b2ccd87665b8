#include "benchmarks/kernel_trace.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <map>

#include "core/device.h"

namespace reel::benchmarks {

std::vector<KernelTotal> trace_kernels(const std::function<void()>& run) {
  namespace profiler = torch::autograd::profiler;
  using torch::profiler::impl::ActivityType;
  const torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO);
  const std::set<ActivityType> activities = {ActivityType::CPU, ActivityType::CUDA};
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  run();
  synchronize(at::kCUDA);
  const auto result = profiler::disableProfiler();
  std::map<std::string, KernelTotal> by_name;
  for (const auto& event : result->events()) {
    if (event.deviceType() != c10::DeviceType::CUDA) continue;
    auto& total = by_name[event.name()];
    total.name = event.name();
    total.ms += static_cast<double>(event.durationNs()) * 1e-6;
    ++total.calls;
  }
  std::vector<KernelTotal> totals;
  for (const auto& [name, total] : by_name) totals.push_back(total);
  std::sort(totals.begin(), totals.end(), [](const auto& a, const auto& b) { return a.ms > b.ms; });
  return totals;
}

}  // namespace reel::benchmarks
