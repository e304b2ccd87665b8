// SIGINT and SIGTERM: once asks the run to stop after its current step, twice leaves at once.
#pragma once

#include <atomic>

namespace reel::app {

/// Installs the handlers; the flag holds the first signal's number, 0 until one came.
const std::atomic<int>& watch_signals();

}  // namespace reel::app
