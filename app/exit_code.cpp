#include "app/exit_code.h"

#include "core/error.h"
#include "core/torch_error.h"

namespace reel::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kModel = 3;
constexpr int kMemory = 4;
constexpr int kBadOutput = 6;
constexpr int kSignalBase = 128;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

[[noreturn]] void rethrow_ours(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (...) {
    rethrow_as_ours();
  }
}

}  // namespace

Failure describe_failure(const std::exception_ptr& error) {
  try {
    rethrow_ours(error);
  } catch (const Interrupted& interrupted) {
    return {kSignalBase + interrupted.signal(), interrupted.what()};
  } catch (const ConfigError& problem) {
    return {kUsage, problem.what()};
  } catch (const WeightError& problem) {
    return {kModel, problem.what()};
  } catch (const OutOfMemory& problem) {
    return {kMemory, problem.what()};
  } catch (const OutputError& problem) {
    return {kBadOutput, problem.what()};
  } catch (const ShapeError& bug) {
    return {kFailed, std::string("internal error, please report: ") + bug.what()};
  } catch (const Error& problem) {
    return {kFailed, problem.what()};
  } catch (const std::exception& bug) {
    return {kFailed, "internal error, please report: " + first_line(bug.what())};
  } catch (...) {
    return {kFailed, "internal error, please report: unknown exception"};
  }
}

}  // namespace reel::app
