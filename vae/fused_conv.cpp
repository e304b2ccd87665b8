#include "vae/fused_conv.h"

#include <ATen/Parallel.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "vae/config.h"
#include "vae/fold_taps.h"
#include "vae/row_kernels.h"

namespace reel::vae {
namespace {

// Sizes of a padded input, [B, T, h, w + 2, C].
struct Columns {
  explicit Columns(const at::Tensor& columns)
      : data(columns.const_data_ptr<float>()),
        frames(columns.size(1)),
        height(columns.size(2)),
        width(columns.size(3) - 2),
        channels(columns.size(4)) {}

  // The row of frame t, both repeated beyond the edges.
  const float* row(int64_t batch, int64_t t, int64_t y) const {
    const int64_t frame = std::clamp<int64_t>(t, 0, frames - 1);
    const int64_t line = std::clamp<int64_t>(y, 0, height - 1);
    return data + ((batch * frames + frame) * height + line) * (width + 2) * channels;
  }

  const float* data;
  int64_t frames;
  int64_t height;
  int64_t width;
  int64_t channels;
};

// Asks for large pages: activations are hundreds of megabytes that live for one layer each, and the
// kernel would otherwise spend as long on handing them out as a normalisation takes. Only a hint.
void advise_large_pages(const at::Tensor& tensor) {
  constexpr uintptr_t kPage = 4096;
  constexpr size_t kWorthwhile = size_t{8} << 20;
  if (tensor.nbytes() < kWorthwhile) return;
  const auto begin = reinterpret_cast<uintptr_t>(tensor.data_ptr());
  const uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const uintptr_t last = (begin + tensor.nbytes()) / kPage * kPage;
  ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

at::Tensor new_rows(int64_t batch, int64_t frames, int64_t height, int64_t width,
                    int64_t channels) {
  at::Tensor rows =
      at::empty({batch, frames, height, width, channels}, at::TensorOptions().dtype(at::kFloat));
  advise_large_pages(rows);
  return rows;
}

// [B, T, h, w, C] -> [B, C, T, h, w] over the same memory.
at::Tensor channels_first(const at::Tensor& rows) {
  return rows.permute({0, 4, 1, 2, 3});
}

// The opposite; copies unless x is channels last already.
at::Tensor channels_last(const at::Tensor& x) {
  return x.permute({0, 2, 3, 4, 1}).contiguous();
}

// Repeats the first and the last of `width` pixels outwards; `row` begins at the left edge pixel.
void repeat_edges(float* row, int64_t width, int64_t channels) {
  std::copy_n(row + channels, channels, row);
  std::copy_n(row + width * channels, channels, row + (width + 1) * channels);
}

// What normalisation comes down to for each batch item and channel.
struct ScaleAndShift {
  std::vector<float> scale;  // [B, C]
  std::vector<float> shift;  // [B, C]
};

// Sums of x and x^2 per channel over one row, exact enough by adding up in double every few pixels.
void add_row(const float* x, int64_t num_pixels, int64_t channels, double* sums, double* squares) {
  constexpr int64_t kChunk = 16;
  std::vector<float> sum(static_cast<size_t>(channels));
  std::vector<float> square(static_cast<size_t>(channels));
  for (int64_t begin = 0; begin < num_pixels; begin += kChunk) {
    const int64_t end = std::min(begin + kChunk, num_pixels);
    std::fill(sum.begin(), sum.end(), 0.0F);
    std::fill(square.begin(), square.end(), 0.0F);
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const float* __restrict from = x + pixel * channels;
      float* __restrict s = sum.data();
      float* __restrict q = square.data();
      for (int64_t c = 0; c < channels; ++c) {
        s[c] += from[c];
        q[c] += from[c] * from[c];
      }
    }
    for (int64_t c = 0; c < channels; ++c) {
      sums[c] += static_cast<double>(sum[static_cast<size_t>(c)]);
      squares[c] += static_cast<double>(square[static_cast<size_t>(c)]);
    }
  }
}

// Per frame, so that the result does not depend on the number of threads: [B * T, 2, C] fp64.
at::Tensor frame_sums(const at::Tensor& rows) {
  const int64_t num_frames = rows.size(0) * rows.size(1);
  const int64_t row_pixels = rows.size(3);
  const int64_t channels = rows.size(4);
  const float* data = rows.const_data_ptr<float>();
  const at::Tensor sums =
      at::zeros({num_frames, 2, channels}, at::TensorOptions().dtype(at::kDouble));
  double* out = sums.mutable_data_ptr<double>();
  at::parallel_for(0, num_frames, 1, [&](int64_t begin, int64_t end) {
    for (int64_t frame = begin; frame < end; ++frame) {
      for (int64_t y = 0; y < rows.size(2); ++y) {
        add_row(data + (frame * rows.size(2) + y) * row_pixels * channels, row_pixels, channels,
                out + frame * 2 * channels, out + (frame * 2 + 1) * channels);
      }
    }
  });
  return sums;
}

ScaleAndShift normalisation_of(const at::Tensor& rows, const at::Tensor& weight,
                               const at::Tensor& bias, int64_t num_groups) {
  const int64_t batch = rows.size(0);
  const int64_t channels = rows.size(4);
  const double count = static_cast<double>(rows.numel() / batch / num_groups);
  // [B, T, 2, groups, C / groups] -> [B, 2, groups]
  const at::Tensor moments = frame_sums(rows)
                                 .view({batch, rows.size(1), 2, num_groups, channels / num_groups})
                                 .sum(at::IntArrayRef({1, 4}))
                                 .div_(count);
  const at::Tensor mean = moments.select(1, 0);
  const at::Tensor variance = (moments.select(1, 1) - mean * mean).clamp_min_(0.0);
  const at::Tensor deviation = (variance + kGroupNormEpsilon).sqrt_();
  const auto to_channels = [&](const at::Tensor& groups) {
    return groups.repeat_interleave(channels / num_groups, 1);
  };
  const at::Tensor scale = weight.to(at::kDouble) / to_channels(deviation);  // [B, C]
  const at::Tensor shift = bias.to(at::kDouble) - to_channels(mean) * scale;
  const auto to_vector = [](const at::Tensor& values) {
    const at::Tensor floats = values.to(at::kFloat).contiguous();
    const float* data = floats.const_data_ptr<float>();
    return std::vector<float>(data, data + floats.numel());
  };
  return {to_vector(scale), to_vector(shift)};
}

}  // namespace

bool can_fuse(const at::Tensor& weight) {
  return weight.is_cpu() && weight.scalar_type() == at::kFloat;
}

PackedConv::PackedConv(const at::Tensor& weight, const at::Tensor& bias)
    : in_channels_(weight.size(1)),
      out_channels_(weight.size(0)),
      num_rows_(weight.size(2) * weight.size(3)),
      run_(weight.size(4) * weight.size(1)) {
  const int64_t blocks = (out_channels_ + kChannelBlock - 1) / kChannelBlock;
  const int64_t padding = blocks * kChannelBlock - out_channels_;
  bias_ = at::constant_pad_nd(bias, {0, padding}).contiguous();
  weight_ = at::constant_pad_nd(weight.permute({2, 3, 4, 1, 0}), {0, padding})
                .reshape({num_rows_ * run_, blocks, kChannelBlock})
                .transpose(0, 1)
                .contiguous();
}

at::Tensor pad_columns(const at::Tensor& x) {
  const at::Tensor rows = channels_last(x);
  const int64_t width = rows.size(3);
  at::Tensor columns = new_rows(rows.size(0), rows.size(1), rows.size(2), width + 2, rows.size(4));
  columns.narrow(3, 1, width).copy_(rows);
  columns.select(3, 0).copy_(rows.select(3, 0));
  columns.select(3, width + 1).copy_(rows.select(3, width - 1));
  return columns;
}

at::Tensor norm_silu_columns(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             int64_t num_groups) {
  const at::Tensor rows = channels_last(x);
  const int64_t channels = rows.size(4);
  const int64_t width = rows.size(3);
  const int64_t batch_rows = rows.size(1) * rows.size(2);
  const ScaleAndShift norm = normalisation_of(rows, weight, bias, num_groups);
  at::Tensor columns = new_rows(rows.size(0), rows.size(1), rows.size(2), width + 2, channels);
  const float* from = rows.const_data_ptr<float>();
  float* to = columns.mutable_data_ptr<float>();
  const RowKernels& kernels = row_kernels();
  at::parallel_for(0, rows.size(0) * batch_rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const auto batch = static_cast<size_t>(row / batch_rows * channels);
      float* out = to + row * (width + 2) * channels;
      kernels.norm_silu({.x = from + row * width * channels,
                         .scale = norm.scale.data() + batch,
                         .shift = norm.shift.data() + batch,
                         .channels = channels,
                         .num_pixels = width,
                         .out = out + channels});
      repeat_edges(out, width, channels);
    }
  });
  return columns;
}

at::Tensor convolve_causally(const at::Tensor& columns, const PackedConv& conv, ScaleFactor stride,
                             const at::Tensor& residual) {
  const Columns in(columns);
  const int64_t frames = (in.frames - 1) / stride.time + 1;
  const int64_t height = in.height / stride.space;
  const int64_t width = in.width / stride.space;
  const int64_t row_size = width * conv.out_channels();
  at::Tensor out = new_rows(columns.size(0), frames, height, width, conv.out_channels());
  float* to = out.mutable_data_ptr<float>();
  const at::Tensor added = residual.defined() ? channels_last(residual) : at::Tensor();
  const float* addend = added.defined() ? added.const_data_ptr<float>() : nullptr;
  const RowKernels& kernels = row_kernels();
  at::parallel_for(0, columns.size(0) * frames * height, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t y = row % height;
      const int64_t t = row / height % frames;
      std::array<const float*, 9> taps{};
      for (int64_t i = 0; i < 9; ++i) {
        taps[static_cast<size_t>(i)] = in.row(row / height / frames, t * stride.time + i / 3 - 2,
                                              y * stride.space + i % 3 - 1);
      }
      kernels.conv({.rows = taps.data(),
                    .num_rows = conv.num_rows(),
                    .run = conv.run(),
                    .in_step = stride.space * in.channels,
                    .weight = conv.weight(),
                    .bias = conv.bias(),
                    .out_channels = conv.out_channels(),
                    .residual = addend == nullptr ? nullptr : addend + row * row_size,
                    .out = to + row * row_size,
                    .out_step = conv.out_channels(),
                    .num_pixels = width});
    }
  });
  return channels_first(out);
}

at::Tensor convolve_pointwise(const at::Tensor& x, const PackedConv& conv) {
  const at::Tensor rows = channels_last(x);
  const int64_t width = rows.size(3);
  const int64_t in_channels = conv.in_channels();
  const int64_t out_channels = conv.out_channels();
  at::Tensor out = new_rows(rows.size(0), rows.size(1), rows.size(2), width, out_channels);
  const float* from = rows.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const RowKernels& kernels = row_kernels();
  const int64_t num_rows = rows.size(0) * rows.size(1) * rows.size(2);
  at::parallel_for(0, num_rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* pixels = from + row * width * in_channels;
      kernels.conv({.rows = &pixels,
                    .num_rows = 1,
                    .run = in_channels,
                    .in_step = in_channels,
                    .weight = conv.weight(),
                    .bias = conv.bias(),
                    .out_channels = out_channels,
                    .residual = nullptr,
                    .out = to + row * width * out_channels,
                    .out_step = out_channels,
                    .num_pixels = width});
    }
  });
  return channels_first(out);
}

FoldedUpsampleConv::FoldedUpsampleConv(const at::Tensor& weight, const at::Tensor& bias,
                                       ScaleFactor factor)
    : factor_(factor) {
  for (int64_t phase = 0; phase < 4 * factor.time; ++phase) {
    phases_[static_cast<size_t>(phase)] = PackedConv(fold_taps(weight, factor, phase), bias);
  }
}

at::Tensor FoldedUpsampleConv::forward(const at::Tensor& columns) const {
  const Columns in(columns);
  at::Tensor out = new_rows(columns.size(0), (in.frames - 1) * factor_.time + 1, 2 * in.height,
                            2 * in.width, phases_[0].out_channels());
  at::parallel_for(0, out.size(0) * out.size(1) * out.size(2), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) run_row(columns, out, row);
  });
  return channels_first(out);
}

void FoldedUpsampleConv::run_row(const at::Tensor& columns, const at::Tensor& out,
                                 int64_t row) const {
  const Columns in(columns);
  const int64_t y = row % out.size(2);
  const int64_t t = row / out.size(2) % out.size(1);
  const int64_t batch = row / out.size(2) / out.size(1);
  // Both taps of a folded axis: the sample before and the one at (odd: at and behind) the output's.
  const int64_t time_taps = factor_.time == 2 ? 2 : 3;
  const int64_t first_frame = factor_.time == 2 ? (t + 1) / 2 - 1 : t - 2;
  const int64_t first_line = y / 2 - 1 + y % 2;
  std::array<const float*, 6> taps{};
  for (int64_t i = 0; i < 2 * time_taps; ++i) {
    taps[static_cast<size_t>(i)] = in.row(batch, first_frame + i / 2, first_line + i % 2);
  }
  float* to = out.mutable_data_ptr<float>() + row * out.size(3) * out.size(4);
  const int64_t frame_phase = factor_.time == 2 ? 4 * (t % 2) : 0;
  for (int64_t x_phase = 0; x_phase < 2; ++x_phase) {
    const PackedConv& conv = phases_[static_cast<size_t>(frame_phase + 2 * (y % 2) + x_phase)];
    row_kernels().conv({.rows = taps.data(),
                        .num_rows = conv.num_rows(),
                        .run = conv.run(),
                        .in_step = in.channels,
                        .weight = conv.weight(),
                        .bias = conv.bias(),
                        .out_channels = conv.out_channels(),
                        .residual = nullptr,
                        .out = to + x_phase * conv.out_channels(),
                        .out_step = 2 * conv.out_channels(),
                        .num_pixels = in.width});
    for (auto& tap : taps) {
      if (tap != nullptr) tap += in.channels;
    }
  }
}

}  // namespace reel::vae
