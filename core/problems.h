// Collects everything that is wrong with one thing, so that a user mends it in one go.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace reel {

/// A list of problems, each one line "<what>: <wrong>: got <value>, want <value>".
class Problems {
 public:
  template <typename... Parts>
  void add(const Parts&... parts) {
    std::ostringstream line;
    (line << ... << parts);
    lines_.push_back(line.str());
  }

  bool empty() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }

  /// "where: line" for one problem, "where: N problems" and an indented line each for more.
  std::string text(const std::string& where) const;

  /// Throws `Kind` with text(where) unless there is no problem.
  template <typename Kind>
  void throw_if_any(const std::string& where) const {
    if (!lines_.empty()) throw Kind(text(where));
  }

 private:
  std::vector<std::string> lines_;
};

}  // namespace reel
