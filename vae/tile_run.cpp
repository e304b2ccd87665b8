#include "vae/tile_run.h"

#include <algorithm>
#include <vector>

#include "vae/blending.h"

namespace reel::vae {
namespace {

constexpr int64_t kTime = 2;
constexpr int64_t kRows = 3;
constexpr int64_t kColumns = 4;

// A copy of the last `extent` samples along `dim`: all that a later tile fades out of.
at::Tensor tail(const at::Tensor& tile, int64_t dim, int64_t extent) {
  const int64_t length = std::min(extent, tile.size(dim));
  return tile.narrow(dim, tile.size(dim) - length, length).clone();
}

class TileLoop {
 public:
  explicit TileLoop(const TileRun& run) : run_(run), total_(run.plan.num_tiles()) {}

  // The output of one temporal window over the whole area, [B, C, f, .., ..].
  at::Tensor area(const Window& time) {
    const AxisPlan& rows = run_.plan.rows;
    const AxisPlan& columns = run_.plan.columns;
    if (!rows.tiled() && !columns.tiled()) {
      return run_tile(time, rows.windows.front(), columns.windows.front());
    }
    const int64_t space = run_.scale.space;
    const int64_t blend_rows = rows.blend * space;
    const int64_t blend_columns = columns.blend * space;
    at::Tensor joined;
    std::vector<at::Tensor> above(columns.windows.size());  // bottom strips of the row above
    for (size_t i = 0; i < rows.windows.size(); ++i) {
      at::Tensor left;  // right strip of the tile at the left
      for (size_t j = 0; j < columns.windows.size(); ++j) {
        const at::Tensor tile = run_tile(time, rows.windows[i], columns.windows[j]);
        if (i > 0) blend_(tile, above[j], kRows, blend_rows);
        if (j > 0) blend_(tile, left, kColumns, blend_columns);
        if (i + 1 < rows.windows.size()) above[j] = tail(tile, kRows, blend_rows);
        if (j + 1 < columns.windows.size()) left = tail(tile, kColumns, blend_columns);
        if (!joined.defined()) joined = new_area(tile);
        place(joined, tile, rows.windows[i].begin * space, columns.windows[j].begin * space);
      }
    }
    return joined;
  }

 private:
  at::Tensor run_tile(const Window& time, const Window& rows, const Window& columns) {
    at::Tensor tile = run_.tile(time, rows, columns);
    ++done_;
    if (run_.progress) run_.progress(done_, total_);
    return tile;
  }

  at::Tensor new_area(const at::Tensor& tile) const {
    const int64_t space = run_.scale.space;
    return at::empty(
        {tile.size(0), tile.size(1), tile.size(kTime), run_.plan.rows.windows.back().end * space,
         run_.plan.columns.windows.back().end * space},
        tile.options());
  }

  // Copies what the tile keeps to its place.
  void place(const at::Tensor& joined, const at::Tensor& tile, int64_t row, int64_t column) const {
    const int64_t space = run_.scale.space;
    const int64_t height = std::min(run_.plan.rows.keep * space, tile.size(kRows));
    const int64_t width = std::min(run_.plan.columns.keep * space, tile.size(kColumns));
    joined.narrow(kRows, row, height)
        .narrow(kColumns, column, width)
        .copy_(tile.narrow(kRows, 0, height).narrow(kColumns, 0, width));
  }

  const TileRun& run_;
  int64_t total_;
  int64_t done_ = 0;
};

}  // namespace

void run_tiles(const TileRun& run) {
  TileLoop loop(run);
  const AxisPlan& time = run.plan.time;
  const int64_t blend = time.blend * run.scale.time;
  const int64_t keep = time.keep * run.scale.time;
  at::Tensor previous;
  for (size_t k = 0; k < time.windows.size(); ++k) {
    at::Tensor frames = loop.area(time.windows[k]);
    if (!time.tiled()) {
      run.sink(frames);
      return;
    }
    if (k > 0) {
      frames = frames.narrow(kTime, 1, frames.size(kTime) - 1);
      blend_(frames, previous, kTime, blend);
    }
    if (k + 1 < time.windows.size()) previous = tail(frames, kTime, blend);
    const int64_t num_kept = std::min(k == 0 ? keep + 1 : keep, frames.size(kTime));
    run.sink(frames.narrow(kTime, 0, num_kept).contiguous());
  }
}

}  // namespace reel::vae
