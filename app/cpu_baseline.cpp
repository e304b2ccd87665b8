// Says so where this program cannot run, instead of dying of an illegal instruction. Compiled for
// any x86-64, without the shared flags and header; runs before every other initialiser of ours.
#include <unistd.h>

#include <cstring>

namespace {

// The one level that cmake/ReelWarnings.cmake compiles for; if it lacks, its best known part.
const char* missing_feature() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("x86-64-v3")) return nullptr;
  if (!__builtin_cpu_supports("avx2")) return "AVX2";
  if (!__builtin_cpu_supports("fma")) return "FMA";
  if (!__builtin_cpu_supports("bmi2")) return "BMI2";
  return "x86-64-v3 instructions";
}

void say(const char* text) {
  // Nothing is left to be done if stderr is closed.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
}

// 101 is the first priority that programs may use.
[[gnu::constructor(101)]] void require_baseline() {
  const char* feature = missing_feature();
  if (feature == nullptr) return;
  say("sparsereel: this processor has no ");
  say(feature);
  say(": want x86-64-v3 (Intel Haswell, AMD Zen or later)\n");
  _exit(1);
}

}  // namespace
