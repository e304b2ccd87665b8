// Against the Python package lpips (tools/goldens/eval.py), with drawn networks.
#include "eval/lpips.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/support/draw_weights.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "weights/safetensors.h"

namespace reel::eval {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSeed = 21;

void add(std::vector<weights::WeightSpec>& specs, int index, int64_t out, int64_t in,
         int64_t kernel) {
  specs.push_back({fmt::format("features.{}.weight", index), {out, in, kernel, kernel}});
  specs.push_back({fmt::format("features.{}.bias", index), {out}});
}

std::vector<weights::WeightSpec> specs_of(const std::string& net) {
  std::vector<weights::WeightSpec> specs;
  std::vector<int64_t> layers;
  if (net == "alex") {
    layers = {64, 192, 384, 256, 256};
    add(specs, 0, 64, 3, 11);
    add(specs, 3, 192, 64, 5);
    add(specs, 6, 384, 192, 3);
    add(specs, 8, 256, 384, 3);
    add(specs, 10, 256, 256, 3);
  } else {
    layers = {64, 128, 256, 512, 512};
    int64_t in = 3;
    int index = 0;
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      for (int i = 0; i < (layer < 2 ? 2 : 3); ++i, index += 2, in = layers[layer]) {
        add(specs, index, layers[layer], in, 3);
      }
      ++index;  // the maximum between two layers
    }
  }
  for (size_t layer = 0; layer < layers.size(); ++layer) {
    specs.push_back({fmt::format("lin.{}.weight", layer), {1, layers[layer], 1, 1}});
  }
  return specs;
}

std::filesystem::path network(const testing::TempFolder& folder, const std::string& net) {
  const auto file = folder / (net + ".safetensors");
  weights::save_safetensors(file, testing::draw(specs_of(net), kSeed),
                            {{"format", "lpips-0.1"}, {"net", net}});
  return file;
}

TEST(Lpips, EqualsThePythonPackage) {
  const auto golden = weights::open_safetensors(testing::data_file("eval/lpips.safetensors"));
  const testing::TempFolder folder;
  for (const char* net : {"alex", "vgg"}) {
    const Lpips lpips(network(folder, net));
    EXPECT_EQ(lpips.net(), net);
    const auto distances = lpips(golden.tensor("reference"), golden.tensor("frames"));
    ASSERT_EQ(distances.size(), 2U);
    for (int64_t i = 0; i < 2; ++i) {
      const double want = golden.tensor(net)[i].item<double>();
      EXPECT_NEAR(distances[static_cast<size_t>(i)], want, 1e-4 * std::abs(want)) << net;
    }
  }
}

TEST(Lpips, IsZeroForEqualFrames) {
  const auto golden = weights::open_safetensors(testing::data_file("eval/lpips.safetensors"));
  const testing::TempFolder folder;
  const Lpips lpips(network(folder, "alex"));
  for (const double distance : lpips(golden.tensor("frames"), golden.tensor("frames"))) {
    EXPECT_EQ(distance, 0.0);
  }
}

TEST(Lpips, RefusesFramesThatAreTooSmallOrDiffer) {
  const testing::TempFolder folder;
  const Lpips lpips(network(folder, "alex"));
  const auto frames = [](int64_t height) { return at::zeros({1, height, 40, 3}, at::kByte); };
  EXPECT_THAT(testing::error_of<ShapeError>([&] { lpips(frames(31), frames(31)); }),
              HasSubstr("got 40x31, want 32 pixels a side or more"));
  EXPECT_THAT(testing::error_of<ShapeError>([&] { lpips(frames(32), frames(33)); }),
              HasSubstr("lpips"));
}

TEST(Lpips, RefusesOtherFiles) {
  const testing::TempFolder folder;
  const auto file = folder / "other.safetensors";
  weights::save_safetensors(file, testing::draw(specs_of("alex"), kSeed), {});
  EXPECT_THAT(testing::error_of<WeightError>([&] { const Lpips lpips(file); }),
              HasSubstr("no weights of LPIPS: want a file that tools/export_lpips.py made"));
  auto tensors = testing::draw(specs_of("alex"), kSeed);
  tensors.erase("lin.4.weight");
  weights::save_safetensors(file, tensors, {{"format", "lpips-0.1"}, {"net", "alex"}});
  EXPECT_THAT(testing::error_of<WeightError>([&] { const Lpips lpips(file); }),
              HasSubstr("lin.4.weight"));
}

}  // namespace
}  // namespace reel::eval
