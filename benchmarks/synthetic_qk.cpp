#include "benchmarks/synthetic_qk.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include <array>
#include <cmath>

#include "core/error.h"

namespace reel::benchmarks {
namespace {

// The gains make the mixture keep about .346 of the full grid's blocks at tau .9 and .447 at .95.
// A token is common * direction + content * field + noise * normal, rotated, times gain.
struct Recipe {
  double common, content, noise, gain;
  std::array<double, 3> bands;  // share of the direction in the time, row and column dimensions
};

Recipe recipe_of(HeadKind kind) {
  switch (kind) {
    case HeadKind::kLocal:
      return {1.6, 0.5, 0.6, 1.4, {1, 1, 1}};
    case HeadKind::kTemporal:
      return {1.6, 0.5, 0.6, 1.38, {0, 1, 1}};
    case HeadKind::kFrame:
      return {2.6, 0.6, 0.6, 1.2, {1, 0.25, 0.25}};
    case HeadKind::kSemantic:
      return {0.4, 1.3, 0.6, 1.25, {1, 1, 1}};
    case HeadKind::kSink:
      return {0.8, 0.6, 0.8, 1.15, {1, 1, 1}};
    case HeadKind::kDiffuse:
      return {0.3, 0.4, 1.0, 1.0, {1, 1, 1}};
  }
  fail<ShapeError>("recipe_of: unknown kind of head");
}

// Standard normal fp32 numbers of the device's own generator.
class Normals {
 public:
  Normals(uint64_t seed, at::Device device)
      : options_(at::TensorOptions(at::kFloat).device(device)),
        generator_(at::globalContext().defaultGenerator(device).clone()) {
    generator_.set_current_seed(seed);
  }

  at::Tensor next(at::IntArrayRef shape) { return at::randn(shape, generator_, options_); }
  const at::TensorOptions& options() const { return options_; }

 private:
  at::TensorOptions options_;
  at::Generator generator_;
};

// Head dimensions that turn with time, rows and columns: one eighth, and the rest in halves.
std::array<int64_t, 3> band_sizes(int64_t head_dim) {
  const int64_t time = head_dim / 8;
  return {time, (head_dim - time) / 2, (head_dim - time) / 2};
}

// Time, row and column of every token: [N] fp32 each.
std::array<at::Tensor, 3> positions(const TokenGrid& grid, const at::TensorOptions& options) {
  const auto axes =
      at::meshgrid({at::arange(grid.num_frames, options), at::arange(grid.num_rows, options),
                    at::arange(grid.num_columns, options)},
                   "ij");
  return {axes[0].flatten(), axes[1].flatten(), axes[2].flatten()};
}

// Angle of every pair of dimensions: [N, D / 2].
at::Tensor rotation_angles(const TokenGrid& grid, int64_t head_dim,
                           const at::TensorOptions& options) {
  constexpr double kTheta = 256.0;
  std::vector<at::Tensor> parts;
  const auto at_axis = positions(grid, options);
  for (size_t axis = 0; axis < 3; ++axis) {
    const int64_t pairs = band_sizes(head_dim)[axis] / 2;
    const at::Tensor exponent = at::arange(pairs, options) / -static_cast<double>(pairs);
    parts.push_back(at::outer(at_axis[axis], at::pow(kTheta, exponent)));
  }
  return at::cat(parts, 1);
}

// Neighbouring dimensions turn as pairs.
at::Tensor rotate(const at::Tensor& x, const at::Tensor& angles) {
  const at::Tensor pairs = x.view({x.size(0), -1, 2});
  const at::Tensor a = pairs.select(2, 0), b = pairs.select(2, 1);
  const at::Tensor cos = angles.cos(), sin = angles.sin();
  return at::stack({a * cos - b * sin, b * cos + a * sin}, 2).view(x.sizes());
}

// Reads `field` along one dimension at `position` by linear interpolation.
at::Tensor interpolate(const at::Tensor& field, int64_t dim, const at::Tensor& position) {
  const at::Tensor below = position.floor();
  std::vector<int64_t> shape(static_cast<size_t>(field.dim()), 1);
  shape[static_cast<size_t>(dim)] = position.size(0);
  const at::Tensor share = (position - below).view(shape);
  const at::Tensor index = below.to(at::kLong);
  return at::lerp(field.index_select(dim, index), field.index_select(dim, index + 1), share);
}

// Content that changes smoothly over the grid, in 3 x 5 x 8 cells: [N, D].
at::Tensor smooth_content(const TokenGrid& grid, int64_t head_dim, Normals& normals) {
  constexpr int64_t kChannels = 32;
  constexpr std::array<int64_t, 3> kCells = {3, 5, 8};
  const std::array<int64_t, 3> sizes = {grid.num_frames, grid.num_rows, grid.num_columns};
  at::Tensor field = normals.next({kChannels, kCells[0] + 2, kCells[1] + 2, kCells[2] + 2});
  for (size_t axis = 0; axis < 3; ++axis) {
    const double cells_per_token =
        static_cast<double>(kCells[axis]) / static_cast<double>(sizes[axis]);
    field = interpolate(field, static_cast<int64_t>(axis) + 1,
                        at::arange(sizes[axis], normals.options()) * cells_per_token);
  }
  const at::Tensor mixing = normals.next({kChannels, head_dim}) / std::sqrt(double{kChannels});
  return at::matmul(field.view({kChannels, -1}).t(), mixing);
}

// The slowest pair of each band, which hardly turns over the grid: [D], ones there.
at::Tensor slow_dimensions(int64_t head_dim, const at::TensorOptions& options) {
  at::Tensor slow = at::zeros({head_dim}, options);
  int64_t end = 0;
  for (const int64_t size : band_sizes(head_dim)) {
    end += size;
    slow.slice(0, end - 2, end).fill_(1.0);
  }
  return slow;
}

at::Tensor normalised(const at::Tensor& x) {
  return x / x.square().mean(1, /*keepdim=*/true).sqrt();
}

QueriesAndKeys draw_head(const TokenGrid& grid, HeadKind kind, int64_t head_dim,
                         const at::Tensor& angles, Normals& normals) {
  constexpr int64_t kSinks = 200;  // of the full grid's tokens
  const Recipe recipe = recipe_of(kind);
  std::vector<at::Tensor> bands;
  for (size_t axis = 0; axis < 3; ++axis) {
    bands.push_back(at::full({band_sizes(head_dim)[axis]}, recipe.bands[axis], normals.options()));
  }
  // signs alone: the sizes of normal numbers would make the density of a head a matter of luck
  const at::Tensor direction = normals.next({head_dim}).sign() * at::cat(bands);
  const at::Tensor shared =
      recipe.common * direction + recipe.content * smooth_content(grid, head_dim, normals);
  const auto noisy = [&] {
    return shared + recipe.noise * normals.next({grid.num_tokens(), head_dim});
  };
  at::Tensor q = noisy();
  at::Tensor k = noisy();
  if (kind == HeadKind::kSink) {
    const at::Tensor slow = slow_dimensions(head_dim, normals.options());
    q = q + 2.0 * slow;
    const int64_t count = std::max<int64_t>(kSinks * grid.num_tokens() / kFullGrid.num_tokens(), 1);
    const at::Tensor where = normals.next({grid.num_tokens()}).argsort().slice(0, 0, count);
    k.index_add_(0, where, (6.0 * slow).expand({count, head_dim}));
  }
  return {rotate(normalised(q), angles) * recipe.gain, rotate(normalised(k), angles) * recipe.gain};
}

}  // namespace

std::string name_of(HeadKind kind) {
  switch (kind) {
    case HeadKind::kLocal:
      return "local";
    case HeadKind::kTemporal:
      return "temporal";
    case HeadKind::kFrame:
      return "frame";
    case HeadKind::kSemantic:
      return "semantic";
    case HeadKind::kSink:
      return "sink";
    case HeadKind::kDiffuse:
      return "diffuse";
  }
  fail<ShapeError>("name_of: unknown kind of head");
}

std::vector<HeadKind> mixture(int64_t num_heads) {
  constexpr std::array<int64_t, 6> kWeights = {8, 5, 4, 5, 1, 1};
  std::array<int64_t, 6> given{};
  std::vector<HeadKind> kinds;
  for (int64_t head = 0; head < num_heads; ++head) {
    // the kind that is furthest behind its share
    size_t next = 0;
    double most = -1;
    for (size_t kind = 0; kind < kWeights.size(); ++kind) {
      const double due = static_cast<double>(kWeights[kind] * (head + 1)) / 24.0 -
                         static_cast<double>(given[kind]);
      if (due > most) {
        most = due;
        next = kind;
      }
    }
    ++given[next];
    kinds.push_back(static_cast<HeadKind>(next));
  }
  return kinds;
}

QueriesAndKeys draw_queries_and_keys(const TokenGrid& grid, const std::vector<HeadKind>& kinds,
                                     int64_t head_dim, uint64_t seed,
                                     const at::TensorOptions& options) {
  if (head_dim % 16 != 0) {
    fail<ShapeError>("draw_queries_and_keys: head dim: got ", head_dim, ", want a multiple of 16");
  }
  Normals normals(seed, options.device());
  const at::Tensor angles = rotation_angles(grid, head_dim, normals.options());
  const auto num_heads = std::ssize(kinds);
  const at::Tensor q = at::empty({num_heads, grid.num_tokens(), head_dim}, options);
  const at::Tensor k = at::empty_like(q);
  for (int64_t head = 0; head < num_heads; ++head) {
    const auto drawn = draw_head(grid, kinds[static_cast<size_t>(head)], head_dim, angles, normals);
    q[head].copy_(drawn.q);
    k[head].copy_(drawn.k);
  }
  return {q.transpose(0, 1), k.transpose(0, 1)};
}

}  // namespace reel::benchmarks
