// What the tests of `batch` share: small job files, and a look into run folders.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/program_fixture.h"

namespace reel::testing {

class BatchTest : public ProgramTest {
 protected:
  /// A job file of `count` lines with different prompts, p0, p1, ...
  std::filesystem::path write_jobs(int count) const;

  /// The arguments of a batch of `jobs` into the folder "run"; flags of `more` replace the usual.
  Arguments batch(const std::filesystem::path& jobs, const Arguments& more = {}) const;

  std::filesystem::path run_folder() const { return folder_ / "run"; }

  /// report.json.
  nlohmann::json report() const;

  /// meta/NAME.json.
  nlohmann::json sidecar(const std::string& name) const;

  /// How often `event` was told, by video.
  std::map<std::string, int> count_events(const std::string& event) const;

  /// Names in videos/, sorted.
  std::vector<std::string> videos() const;

  /// Each of the `count` jobs is a whole video that can be read, was finished once and has its
  /// sidecar, and the folder holds nothing else.
  void expect_complete(int count) const;
};

}  // namespace reel::testing
