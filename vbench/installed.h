// Where an installed vbench package lies.
#pragma once

#include <filesystem>
#include <optional>

namespace reel::vbench {

/// The package's VBench_full_info.json, as python3 finds it without importing the package; none if
/// there is no python3, no package, or no such file in it.
std::optional<std::filesystem::path> find_installed_info();

}  // namespace reel::vbench
