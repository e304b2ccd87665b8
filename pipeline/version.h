// Which SparseReel this is.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace reel::pipeline {

/// "MAJOR.MINOR.PATCH", that of CMakeLists.txt and of the packages.
extern const char* const kVersion;

/// The first 12 digits of the commit, with "-dirty" if files differed from it; "unknown" where the
/// tree is no git checkout.
extern const char* const kCommit;

/// {name, version, commit} for metadata.
nlohmann::json program_json();

}  // namespace reel::pipeline
