#include "attention/time_point.h"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace reel::attention {

TimePoint TimePoint::now(c10::Device device) {
  TimePoint point;
  point.host_ = std::chrono::steady_clock::now();
  if (!device.is_cpu()) {
    // BACKEND_DEFAULT events carry times; PYTORCH_DEFAULT ones do not
    point.event_ = std::make_shared<c10::Event>(device.type(), c10::EventFlag::BACKEND_DEFAULT);
    point.event_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  }
  return point;
}

double TimePoint::ms_until(const TimePoint& later) const {
  if (!event_) return std::chrono::duration<double, std::milli>(later.host_ - host_).count();
  later.event_->synchronize();
  return event_->elapsedTime(*later.event_);
}

void TimePoint::wait() const {
  if (event_) event_->synchronize();
}

}  // namespace reel::attention
