#include "tests/unit/vae/goldens.h"

#include "core/random.h"
#include "tests/support/compare.h"
#include "tests/support/draw_weights.h"
#include "vae/weight_table.h"
#include "weights/safetensors.h"

namespace reel::vae::testing {
namespace {

constexpr uint64_t kWeightSeed = 7;

constexpr Tiling kSmallTiles{.size = 32, .stride = 24, .frames = 8, .frame_stride = 4};
constexpr Tiling kWideBlends{.size = 24, .stride = 8, .frames = 8, .frame_stride = 8};

}  // namespace

std::vector<Case> decode_cases() {
  return {{"t1", {1, 4, 1, 3, 5}, std::nullopt},
          {"t2_batch2", {2, 4, 2, 2, 3}, std::nullopt},
          {"t5", {1, 4, 5, 4, 3}, std::nullopt},
          {"tiled_every_axis", {1, 4, 4, 5, 7}, kSmallTiles},
          {"tiled_space_batch2", {2, 4, 1, 5, 7}, kSmallTiles},
          {"tiled_odd_blend", {1, 4, 3, 5, 4}, kWideBlends},
          {"tiled_diffusers", {1, 4, 7, 2, 3}, kDiffusersTiling},
          {"tiled_official_time", {1, 4, 18, 1, 2}, kOfficialTiling},
          {"tiled_official_space", {1, 4, 1, 2, 34}, kOfficialTiling}};
}

std::vector<Case> encode_cases() {
  return {{"f1", {1, 3, 1, 24, 40}, std::nullopt},
          {"f5_batch2", {2, 3, 5, 16, 24}, std::nullopt},
          {"f17", {1, 3, 17, 32, 24}, std::nullopt},
          {"tiled_every_axis", {1, 3, 13, 40, 56}, kSmallTiles},
          {"tiled_space_batch2", {2, 3, 1, 40, 56}, kSmallTiles},
          {"tiled_diffusers", {1, 3, 25, 16, 24}, kDiffusersTiling}};
}

Config golden_config() {
  return Config::read(
      JsonReader::open(reel::testing::data_file("vae/config.json"), JsonOwner::kModel));
}

weights::WeightStore drawn_weights(const Config& config, at::Device device, at::ScalarType dtype) {
  auto specs = decoder_table(config).specs();
  const auto encoder_specs = encoder_table(config).specs();
  specs.insert(specs.end(), encoder_specs.begin(), encoder_specs.end());
  auto tensors = reel::testing::draw(specs, kWeightSeed);
  for (auto& [name, tensor] : tensors) tensor = tensor.to(device, dtype);
  return weights::WeightStore(std::move(tensors));
}

at::Tensor drawn_input(const std::vector<int64_t>& shape) {
  return NormalStream(kInputSeed).next(shape);
}

weights::TensorSource open_goldens(const std::string& file) {
  return weights::open_safetensors(reel::testing::data_file("vae/" + file + ".safetensors"));
}

}  // namespace reel::vae::testing
