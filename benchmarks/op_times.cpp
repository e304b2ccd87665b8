#include "benchmarks/op_times.h"

#include <utility>
#include <vector>

#include "attention/time_point.h"

namespace reel::benchmarks {
namespace {

using attention::TimePoint;

struct Call {
  std::string name;
  TimePoint start, end;
};

// Callbacks are plain functions, so what they fill lies outside of them.
thread_local std::vector<Call> calls;
thread_local int depth = 0;
thread_local c10::Device watched(at::kCPU);

struct Running : at::ObserverContext {
  bool outermost = false;
  TimePoint start;
};

std::unique_ptr<at::ObserverContext> on_start(const at::RecordFunction& /*function*/) {
  auto running = std::make_unique<Running>();
  running->outermost = depth++ == 0;
  if (running->outermost) running->start = TimePoint::now(watched);
  return running;
}

void on_end(const at::RecordFunction& function, at::ObserverContext* context) {
  --depth;
  const auto* running = static_cast<const Running*>(context);
  if (running == nullptr || !running->outermost) return;
  calls.push_back({function.name(), running->start, TimePoint::now(watched)});
}

}  // namespace

OpTimes::OpTimes(c10::Device device) {
  watched = device;
  calls.clear();
  handle_ = at::addThreadLocalCallback(
      at::RecordFunctionCallback(on_start, on_end).scopes({at::RecordScope::FUNCTION}));
}

OpTimes::~OpTimes() {
  at::removeCallback(handle_);
}

std::map<std::string, OpTime> OpTimes::totals() {
  std::map<std::string, OpTime> totals;
  for (const auto& call : calls) {
    auto& total = totals[call.name];
    total.ms += call.start.ms_until(call.end);
    ++total.calls;
  }
  return totals;
}

}  // namespace reel::benchmarks
