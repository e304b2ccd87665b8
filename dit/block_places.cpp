#include "dit/block_places.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "dit/weight_table.h"

namespace reel::dit {
namespace {

constexpr int64_t kAlignment = 512;

// The block that a tensor belongs to, in the order of computation.
std::optional<int64_t> block_of(const std::string& name, const Config& config) {
  const auto number_after = [&](std::string_view prefix) -> std::optional<int64_t> {
    if (!name.starts_with(prefix)) return std::nullopt;
    return std::stoll(name.substr(prefix.size()));
  };
  if (const auto number = number_after("double_blocks.")) return number;
  if (const auto number = number_after("single_blocks.")) return config.num_double_blocks + *number;
  return std::nullopt;
}

}  // namespace

std::vector<BlockPlaces> block_places(const Config& config, int64_t element_size) {
  std::vector<BlockPlaces> places(static_cast<size_t>(config.num_layers()));
  const auto table = weight_table(config);
  for (const auto& spec : table.specs()) {
    const auto block = block_of(spec.name, config);
    if (!block) continue;
    BlockPlaces& place = places.at(static_cast<size_t>(*block));
    place.tensors.push_back({spec.name, spec.shape, place.bytes});
    const int64_t end = place.bytes + spec.num_elements() * element_size;
    place.bytes = (end + kAlignment - 1) / kAlignment * kAlignment;
  }
  return places;
}

int64_t largest_block_bytes(const std::vector<BlockPlaces>& places) {
  int64_t most = 0;
  for (const auto& place : places) most = std::max(most, place.bytes);
  return most;
}

int64_t total_block_bytes(const std::vector<BlockPlaces>& places) {
  int64_t sum = 0;
  for (const auto& place : places) sum += place.bytes;
  return sum;
}

}  // namespace reel::dit
