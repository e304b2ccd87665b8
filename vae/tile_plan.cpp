#include "vae/tile_plan.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/error.h"
#include "core/problems.h"

namespace reel::vae {
namespace {

// Windows of `size` latents every `stride` latents, while any latent is left.
AxisPlan cut_space(int64_t length, int64_t size, int64_t stride) {
  AxisPlan axis{.windows = {}, .blend = size - stride, .keep = stride};
  for (int64_t begin = 0; begin < length; begin += stride) {
    axis.windows.push_back({begin, std::min(begin + size, length)});
  }
  return axis;
}

// The same with one latent more a window, whose first frame is dropped but for the first window.
// The references also run a last window of a single latent; nothing would be left of it.
AxisPlan cut_time(int64_t length, int64_t size, int64_t stride) {
  AxisPlan axis{.windows = {}, .blend = size - stride, .keep = stride};
  for (int64_t begin = 0; begin == 0 || begin + 1 < length; begin += stride) {
    axis.windows.push_back({begin, std::min(begin + size + 1, length)});
  }
  return axis;
}

AxisPlan whole(int64_t length) {
  return {.windows = {{0, length}}, .blend = 0, .keep = length};
}

std::vector<int64_t> parse_numbers(const std::string& text) {
  std::vector<int64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    int64_t number = 0;
    const auto [rest, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return {};
    numbers.push_back(number);
    if (rest == end) return numbers;
    if (*rest != ':') return {};
    at = rest + 1;
  }
}

void check_pair(Problems& problems, const char* what, int64_t size, int64_t stride,
                int64_t multiple) {
  if (size < 1 || size % multiple != 0) {
    problems.add(what, ": not a positive multiple of ", multiple, ": got ", size);
  }
  if (stride < 1 || stride % multiple != 0) {
    problems.add(what, " stride: not a positive multiple of ", multiple, ": got ", stride);
  }
  if (stride > size) {
    problems.add(what, " stride: leaves gaps: got ", stride, ", want at most ", size);
  }
}

std::string axis_text(const AxisPlan& axis) {
  std::ostringstream text;
  for (const auto& window : axis.windows) text << "[" << window.begin << "," << window.end << ")";
  if (axis.tiled()) text << " blend " << axis.blend;
  return text.str();
}

int64_t largest_window(const AxisPlan& axis) {
  int64_t largest = 0;
  for (const auto& window : axis.windows) largest = std::max(largest, window.size());
  return largest;
}

}  // namespace

Tiling parse_tiling(const std::string& text, const std::string& where) {
  if (text == "official") return kOfficialTiling;
  if (text == "diffusers") return kDiffusersTiling;
  const auto numbers = parse_numbers(text);
  if (numbers.size() != 4) {
    fail<ConfigError>(where, ": not a tiling: got ", text,
                      ", want official, diffusers or SIZE:STRIDE:FRAMES:FRAME_STRIDE");
  }
  const Tiling tiling{
      .size = numbers[0], .stride = numbers[1], .frames = numbers[2], .frame_stride = numbers[3]};
  Problems problems;
  check_pair(problems, "size", tiling.size, tiling.stride, kSpatialRatio);
  check_pair(problems, "frames", tiling.frames, tiling.frame_stride, kTemporalRatio);
  problems.throw_if_any<ConfigError>(where);
  return tiling;
}

std::string tiling_text(const Tiling& tiling) {
  std::ostringstream text;
  text << tiling.size << ":" << tiling.stride << ":" << tiling.frames << ":" << tiling.frame_stride;
  return text.str();
}

int64_t TilePlan::num_tiles() const {
  return static_cast<int64_t>(time.windows.size() * rows.windows.size() * columns.windows.size());
}

std::string TilePlan::text() const {
  std::ostringstream text;
  text << num_tiles() << (num_tiles() == 1 ? " tile" : " tiles") << ": frames " << axis_text(time)
       << "; rows " << axis_text(rows) << "; columns " << axis_text(columns);
  return text.str();
}

TilePlan plan_whole(const LatentSize& size) {
  return {whole(size.frames), whole(size.rows), whole(size.columns)};
}

TilePlan plan_tiles(const LatentSize& size, const Tiling& tiling) {
  TilePlan plan = plan_whole(size);
  const int64_t frames = tiling.frames / kTemporalRatio;
  const int64_t side = tiling.size / kSpatialRatio;
  if (size.frames > frames) {
    plan.time = cut_time(size.frames, frames, tiling.frame_stride / kTemporalRatio);
  }
  if (size.rows > side || size.columns > side) {
    plan.rows = cut_space(size.rows, side, tiling.stride / kSpatialRatio);
    plan.columns = cut_space(size.columns, side, tiling.stride / kSpatialRatio);
  }
  return plan;
}

TilePlan plan_automatically(const LatentSize& size) {
  return plan_tiles(size, kOfficialTiling);
}

void check_tile_size(const TilePlan& plan, const Config& config, int64_t batch) {
  constexpr int64_t kLimit = int64_t{1} << 31;
  const int64_t pixels =
      largest_window(plan.rows) * largest_window(plan.columns) * kSpatialRatio * kSpatialRatio;
  // The first residual block at full resolution still has the width of the block before it.
  const int64_t elements =
      batch * config.block_channels[1] * num_video_frames(largest_window(plan.time)) * pixels;
  if (elements >= kLimit) {
    fail<ConfigError>("VAE tiles: too large: got an activation of ", elements,
                      " elements, want fewer than ", kLimit, "; use smaller tiles");
  }
}

}  // namespace reel::vae
