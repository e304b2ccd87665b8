#include "core/torch_error.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <new>
#include <string>
#include <string_view>

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

// "tried to allocate 2.00 GiB" of LibTorch's long sentences, which differ by device; else all of
// it.
std::string attempt(const std::string& text) {
  constexpr std::string_view kWords = "ried to allocate ";
  const size_t at = text.find(kWords);
  if (at == std::string::npos) return text;
  const size_t size = at + kWords.size();
  const size_t number_end = text.find(' ', size);
  if (number_end == std::string::npos) return text;
  const size_t end = text.find_first_of(" .,", number_end + 1);
  return "tried to allocate " + text.substr(size, std::min(end, text.size()) - size);
}

}  // namespace

void rethrow_as_ours() {
  try {
    throw;
  } catch (const c10::OutOfMemoryError& problem) {
    fail<OutOfMemory>("out of memory: ", attempt(first_line(problem.what_without_backtrace())));
  } catch (const c10::Error& problem) {
    const std::string line = first_line(problem.what_without_backtrace());
    if (is_about_memory(line)) fail<OutOfMemory>("out of memory: ", attempt(line));
    fail<DeviceError>("LibTorch: ", line);
  } catch (const std::bad_alloc&) {
    fail<OutOfMemory>("out of memory on the host");
  }
}

}  // namespace reel
