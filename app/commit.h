// Which state of the source tree this program was built from.
#pragma once

namespace reel::app {

/// The first 12 digits of the commit, with "-dirty" if files differed from it; "unknown" where the
/// tree is no git checkout. Written anew by each build (cmake/WriteCommit.cmake).
extern const char* const kCommit;

}  // namespace reel::app
