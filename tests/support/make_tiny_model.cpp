// Writes a small random model for demonstrations, without Python.
//
//     make_tiny_model DIR [--layout diffusers|official] [--configs DIR]
//
// Its clips show noise: the weights are drawn, not trained.
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "tests/support/tiny_model.h"

namespace {

constexpr int kUsageError = 2;

int run(const std::vector<std::string>& arguments) {
  std::string folder;
  std::string layout = "diffusers";
  std::string configs = "tests/data/tiny_model";
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool is_flag = arguments[i] == "--layout" || arguments[i] == "--configs";
    if (is_flag && i + 1 < arguments.size()) {
      (arguments[i] == "--layout" ? layout : configs) = arguments[i + 1];
      ++i;
    } else if (folder.empty() && !arguments[i].starts_with("-")) {
      folder = arguments[i];
    } else {
      folder.clear();
      break;
    }
  }
  if (folder.empty() || (layout != "diffusers" && layout != "official")) {
    std::cerr << "usage: make_tiny_model DIR [--layout diffusers|official] [--configs DIR]\n";
    return kUsageError;
  }
  reel::testing::write_tiny_model(
      configs, folder,
      layout == "official" ? reel::weights::Layout::kOfficial : reel::weights::Layout::kDiffusers);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "make_tiny_model: " << error.what() << "\n";
    return 1;
  }
}
