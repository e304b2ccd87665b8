#include "tests/support/gpu.h"

#include <cstdlib>
#include <string>

#include "core/device.h"

namespace reel::testing {

bool gpu_or_failure() {
  if (has_gpu()) return true;
  const char* required = std::getenv("REEL_TESTS_REQUIRE_GPU");
  if (required != nullptr && std::string(required) == "1") {
    ADD_FAILURE() << "REEL_TESTS_REQUIRE_GPU=1 but this machine has no usable GPU";
  }
  return false;
}

}  // namespace reel::testing
