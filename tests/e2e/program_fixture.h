// What all tests of the built program share: a tiny model on the disk and a folder for results.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/program.h"
#include "tests/support/temp_folder.h"
#include "weights/model_folder.h"

namespace reel::testing {

using Arguments = std::vector<std::string>;
using Tensors = std::map<std::string, at::Tensor>;

/// The words of `first`, then those of `more`.
Arguments operator+(Arguments first, const Arguments& more);

/// A file of results: everything in it.
Tensors read_tensors(const std::filesystem::path& file);

class ProgramTest : public ::testing::Test {
 protected:
  static void TearDownTestSuite() { models_.reset(); }

  /// The tiny model in that layout, written when first asked for. Not to be changed.
  static std::filesystem::path model(weights::Layout layout = weights::Layout::kDiffusers);

  /// A copy of the tiny model in the diffusers layout that a test may break.
  std::filesystem::path model_to_break() const;

  /// `probe` of a stage that reads tensors and writes tensors.
  Tensors probe(const std::string& stage, const Tensors& inputs, const Arguments& more = {});

  /// `probe encode` of a file of `prompts`.
  Tensors encode(const std::string& prompts, const Arguments& more = {});

  /// The arguments of a short run that writes `output`; flags of `more` replace the usual ones.
  static Arguments generate(const std::filesystem::path& output, const Arguments& more = {});

  /// The run exits with `exit_code`, prints nothing on stdout and, on stderr, one message (more
  /// lines are indented) that holds all of `texts`.
  static void expect_refused(const Arguments& arguments, int exit_code,
                             const std::vector<std::string>& texts);

  TempFolder folder_;

 private:
  static std::unique_ptr<TempFolder> models_;
};

}  // namespace reel::testing
