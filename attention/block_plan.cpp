#include "attention/block_plan.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdlib>
#include <numeric>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::attention {
namespace {

// Candidates of one row, the most massive first; equal ones by distance, then by index.
std::vector<int32_t> sorted_candidates(const float* mass, int64_t count, int64_t query) {
  std::vector<int32_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  const auto distance = [&](int32_t key) { return std::abs(key - query); };
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    if (mass[a] != mass[b]) return mass[a] > mass[b];
    if (distance(a) != distance(b)) return distance(a) < distance(b);
    return a < b;
  });
  return order;
}

// Marks what one scored query block takes of its candidates by mass alone.
void mark_selected(const float* mass, int64_t count, double tau, int64_t query,
                   std::vector<bool>& taken) {
  if (tau == 1.0) {
    std::fill(taken.begin(), taken.begin() + count, true);
    return;
  }
  const double wanted = tau * std::accumulate(mass, mass + count, 0.0);
  double sum = 0;
  for (const int32_t key : sorted_candidates(mass, count, query)) {
    if (sum >= wanted) break;
    sum += static_cast<double>(mass[key]);
    taken[static_cast<size_t>(key)] = true;
  }
}

bool all_finite(const float* mass, int64_t count) {
  return std::all_of(mass, mass + count, [](float value) { return std::isfinite(value); });
}

}  // namespace

std::string protection_text(const Protection& protection) {
  std::string text;
  const auto append = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
  if (protection.text) append("text");
  if (protection.self) append("self");
  if (protection.sink > 0) append("sink=" + std::to_string(protection.sink));
  return text.empty() ? "none" : text;
}

void check_grid(const BlockGrid& grid) {
  if (grid.num_tokens < 1 || grid.text_length < 0 || grid.text_length > grid.num_tokens) {
    fail<ShapeError>("BlockGrid: impossible lengths: got ", grid.num_tokens, " tokens of which ",
                     grid.text_length, " are text");
  }
  if (grid.stride < 1 || grid.block < 1 || grid.block % grid.stride != 0) {
    fail<ShapeError>("BlockGrid: block is no multiple of stride: got ", grid.block, " and ",
                     grid.stride);
  }
}

bool is_forced(const BlockGrid& grid, const Protection& protection, int64_t query, int64_t key) {
  if (key >= grid.num_visible(query)) return false;
  if (key >= grid.num_scored() || key < protection.sink) return true;
  return key == query && (protection.self || grid.causal);
}

BlockLists::BlockLists(int64_t num_heads, int64_t num_blocks)
    : num_heads_(num_heads),
      num_blocks_(num_blocks),
      counts_(static_cast<size_t>(num_heads * num_blocks)),
      keys_(static_cast<size_t>(num_heads * num_blocks * num_blocks)) {}

BlockLists BlockLists::from_mask(const at::Tensor& mask) {
  check_tensor("BlockLists", mask, "mask", {{'A', kAny}, {'n', kAny}, {'n', kAny}});
  if (mask.size(1) != mask.size(2)) {
    fail<ShapeError>("BlockLists: mask is not square: got ", shape_text(mask.sizes()));
  }
  BlockLists lists(mask.size(0), mask.size(1));
  const at::Tensor host = mask.to(at::kCPU).ne(0).contiguous();
  const bool* row = host.const_data_ptr<bool>();
  std::vector<int32_t> keys;
  for (int64_t head = 0; head < lists.num_heads_; ++head) {
    for (int64_t query = 0; query < lists.num_blocks_; ++query, row += lists.num_blocks_) {
      keys.clear();
      for (int64_t key = 0; key < lists.num_blocks_; ++key) {
        if (row[key]) keys.push_back(static_cast<int32_t>(key));
      }
      lists.set(head, query, keys);
    }
  }
  return lists;
}

BlockLists BlockLists::dense(const BlockGrid& grid, int64_t num_heads) {
  BlockLists lists(num_heads, grid.num_blocks());
  std::vector<int32_t> keys(static_cast<size_t>(grid.num_blocks()));
  std::iota(keys.begin(), keys.end(), 0);
  for (int64_t head = 0; head < num_heads; ++head) {
    for (int64_t query = 0; query < grid.num_blocks(); ++query) {
      lists.set(head, query, std::span(keys).first(static_cast<size_t>(grid.num_visible(query))));
    }
  }
  return lists;
}

void BlockLists::set(int64_t head, int64_t query, std::span<const int32_t> keys) {
  const int64_t row = head * num_blocks_ + query;
  counts_[static_cast<size_t>(row)] = static_cast<int32_t>(keys.size());
  std::copy(keys.begin(), keys.end(), keys_.begin() + row * num_blocks_);
}

std::span<const int32_t> BlockLists::keys(int64_t head, int64_t query) const {
  const int64_t row = head * num_blocks_ + query;
  return {keys_.data() + row * num_blocks_, static_cast<size_t>(counts_[static_cast<size_t>(row)])};
}

at::Tensor BlockLists::mask() const {
  at::Tensor mask = at::zeros({num_heads_, num_blocks_, num_blocks_}, at::kByte);
  uint8_t* row = mask.data_ptr<uint8_t>();
  for (int64_t head = 0; head < num_heads_; ++head) {
    for (int64_t query = 0; query < num_blocks_; ++query, row += num_blocks_) {
      for (const int32_t key : keys(head, query)) row[key] = 1;
    }
  }
  return mask;
}

std::vector<double> BlockLists::density() const {
  std::vector<double> densities;
  for (int64_t head = 0; head < num_heads_; ++head) {
    int64_t count = 0;
    for (int64_t query = 0; query < num_blocks_; ++query) count += std::ssize(keys(head, query));
    densities.push_back(static_cast<double>(count) /
                        static_cast<double>(num_blocks_ * num_blocks_));
  }
  return densities;
}

BlockLists select_blocks(const at::Tensor& block_mass, std::span<const double> taus,
                         const BlockGrid& grid, const Protection& protection) {
  check_grid(grid);
  const int64_t num_scored = grid.num_scored();
  const int64_t num_heads = std::ssize(taus);
  check_tensor("select_blocks", block_mass, "block_mass",
               {{'A', num_heads}, {'n', num_scored}, {'n', num_scored}}, at::kFloat);
  BlockLists lists = BlockLists::dense(grid, num_heads);
  const float* mass = block_mass.const_data_ptr<float>();
  std::vector<int32_t> keys;
  for (int64_t head = 0; head < num_heads; ++head) {
    for (int64_t query = 0; query < num_scored; ++query, mass += num_scored) {
      const int64_t count = grid.num_candidates(query);
      if (!all_finite(mass, count)) continue;
      std::vector<bool> taken(static_cast<size_t>(grid.num_visible(query)), false);
      mark_selected(mass, count, taus[static_cast<size_t>(head)], query, taken);
      keys.clear();
      for (int64_t key = 0; key < std::ssize(taken); ++key) {
        if (taken[static_cast<size_t>(key)] || is_forced(grid, protection, query, key)) {
          keys.push_back(static_cast<int32_t>(key));
        }
      }
      lists.set(head, query, keys);
    }
  }
  return lists;
}

}  // namespace reel::attention
