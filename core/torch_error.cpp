#include "core/torch_error.h"

#include <c10/util/Exception.h>

#include <new>
#include <string>

#include "core/error.h"

namespace reel {
namespace {

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

}  // namespace

void rethrow_as_ours() {
  try {
    throw;
  } catch (const c10::OutOfMemoryError& problem) {
    fail<OutOfMemory>("out of memory: ", first_line(problem.what_without_backtrace()));
  } catch (const c10::Error& problem) {
    const std::string line = first_line(problem.what_without_backtrace());
    if (is_about_memory(line)) fail<OutOfMemory>("out of memory: ", line);
    fail<DeviceError>("LibTorch: ", line);
  } catch (const std::bad_alloc&) {
    fail<OutOfMemory>("out of memory on the host");
  }
}

}  // namespace reel
