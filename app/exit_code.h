// The one place that turns exceptions into exit codes and lines for the user.
#pragma once

#include <exception>
#include <string>

namespace reel::app {

/// How a run ended; codes: docs/FORMATS.md.
struct Failure {
  int exit_code;
  std::string message;  ///< without a stack trace
};

/// Describes what was thrown. `error` must not be null.
Failure describe_failure(const std::exception_ptr& error);

}  // namespace reel::app
