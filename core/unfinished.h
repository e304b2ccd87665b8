// Where output lies that has a name already but is not complete.
#pragma once

#include <filesystem>

namespace reel {

/// A fresh path for unfinished output that a rename will bring into `folder`: in ".tmp" beside
/// `folder` (made if need be) if that is ours and on the same mount, else a hidden name in
/// `folder`, or beside it if it does not exist yet. The path itself is not made.
std::filesystem::path unfinished_path(const std::filesystem::path& folder);

/// Removes the ".tmp" folder that held `path` if it is empty now.
void leave_unfinished(const std::filesystem::path& path);

}  // namespace reel
