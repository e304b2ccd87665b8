#include "app/exit_code.h"

#include <c10/util/Exception.h>

#include <new>

#include "core/error.h"

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

// LibTorch reports failed allocations in several ways.
bool is_about_memory(const std::string& text) {
  for (const char* words :
       {"out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED"}) {
    if (text.find(words) != std::string::npos) return true;
  }
  return false;
}

Failure describe_torch(const c10::Error& error) {
  const std::string line = first_line(error.what_without_backtrace());
  if (is_about_memory(line)) return {kMemory, "out of memory: " + line};
  return {kFailed, "LibTorch: " + line};
}

}  // namespace

Failure describe_failure(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
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
  } catch (const c10::OutOfMemoryError& problem) {
    return {kMemory, "out of memory: " + first_line(problem.what_without_backtrace())};
  } catch (const c10::Error& problem) {
    return describe_torch(problem);
  } catch (const std::bad_alloc&) {
    return {kMemory, "out of memory on the host"};
  } catch (const std::exception& bug) {
    return {kFailed, "internal error, please report: " + first_line(bug.what())};
  } catch (...) {
    return {kFailed, "internal error, please report: unknown exception"};
  }
}

}  // namespace reel::app
