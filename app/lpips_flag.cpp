#include "app/lpips_flag.h"

#include "core/printable.h"

namespace reel::app {

std::optional<std::filesystem::path> lpips_file(const ParsedFlags& flags, Problems& problems) {
  const auto text = flags.text("--lpips");
  if (!text) return std::nullopt;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(*text, ignored)) {
    problems.add("--lpips: no such file: got ", printable(*text),
                 ", want one that tools/export_lpips.py made");
  }
  return std::filesystem::path(*text);
}

std::optional<eval::Lpips> open_lpips(const std::optional<std::filesystem::path>& file,
                                      at::Device device) {
  if (!file) return std::nullopt;
  return eval::Lpips(*file, device);
}

}  // namespace reel::app
