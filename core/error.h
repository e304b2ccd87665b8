// The one family of exceptions thrown on purpose. Each class belongs to an exit code
// (docs/FORMATS.md, "Exit codes"); what() is one line, or one line a problem, fit for the terminal.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace reel {

/// Base of every exception thrown on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A flag, request, prompt or user's file is wrong; found before work starts. Exit code 2.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// Something in the model folder is missing, unreadable or wrong. Exit code 3.
class WeightError : public Error {
 public:
  using Error::Error;
};

/// Host or device memory does not suffice. Exit code 4.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

/// A result failed a check: not finite, one flat colour, truncated. Exit code 6.
class OutputError : public Error {
 public:
  using Error::Error;
};

/// Reading or writing failed during the work (a full disk, say). Exit code 1.
class IoError : public Error {
 public:
  using Error::Error;
};

/// A device is absent or a call to it failed. Exit code 1.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// A tensor breaks a contract between our own functions: a bug of ours. Exit code 1.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// The user or the system asked to stop. Exit code 128 + signal.
class Interrupted : public Error {
 public:
  explicit Interrupted(int signal) : Error("interrupted"), signal_(signal) {}
  int signal() const { return signal_; }

 private:
  int signal_;
};

/// Throws `Kind` with the streamed parts: fixed text first, values last, as
/// "<where>: <what is wrong>: got <value>, want <value>[; <next step>]".
template <typename Kind, typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Kind(message.str());
}

}  // namespace reel
