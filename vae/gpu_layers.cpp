#include "vae/gpu_layers.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "core/device.h"
#include "core/error.h"
#include "vae/config.h"
#include "vae/fold_taps.h"
#include "vae/kernels/layers.h"

namespace reel::vae::gpu {
namespace {

constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast3d;

// Samples that are repeated on each side of an axis.
struct Border {
  int32_t front = 0, top = 0, bottom = 0, left = 0, right = 0;
};

constexpr Border kCausal = {.front = 2, .top = 1, .bottom = 1, .left = 1, .right = 1};

kernels::Dtype dtype_of(const at::Tensor& x) {
  return x.scalar_type() == at::kHalf ? kernels::Dtype::kFp16 : kernels::Dtype::kBf16;
}

cudaStream_t stream_of(const at::Tensor& x) {
  return c10::cuda::getCurrentCUDAStream(x.device().index()).stream();
}

void check_launch(std::string_view where, cudaError_t status) {
  if (status == cudaSuccess) return;
  fail<DeviceError>(where, ": launch failed: ", cudaGetErrorString(status));
}

int32_t to_int(int64_t value) {
  return static_cast<int32_t>(value);
}

kernels::Grid grid_of(const at::Tensor& x) {
  return {.batch = to_int(x.size(0)),
          .frames = to_int(x.size(2)),
          .height = to_int(x.size(3)),
          .width = to_int(x.size(4)),
          .channels = to_int(x.size(1))};
}

const void* data_or_null(const at::Tensor& x) {
  return x.defined() ? x.const_data_ptr() : nullptr;
}

at::Tensor empty_like(const at::Tensor& x, int64_t frames, int64_t height, int64_t width) {
  return at::empty({x.size(0), x.size(1), frames, height, width},
                   x.options().memory_format(kChannelsLast));
}

at::Tensor pad(const at::Tensor& from, const at::Tensor& scale, const at::Tensor& shift,
               ScaleFactor factor, const Border& border) {
  const at::Tensor x = channels_last(from);
  const at::Tensor out = empty_like(x, (x.size(2) - 1) * factor.time + 1 + border.front,
                                    x.size(3) * factor.space + border.top + border.bottom,
                                    x.size(4) * factor.space + border.left + border.right);
  const kernels::PadParams params = {
      .x = x.const_data_ptr(),
      .out = out.data_ptr(),
      .grid = grid_of(x),
      .scale = scale.defined() ? scale.const_data_ptr<float>() : nullptr,
      .shift = shift.defined() ? shift.const_data_ptr<float>() : nullptr,
      .time = to_int(factor.time),
      .space = to_int(factor.space),
      .front = border.front,
      .top = border.top,
      .bottom = border.bottom,
      .left = border.left,
      .right = border.right,
      .dtype = dtype_of(x)};
  const c10::cuda::CUDAGuard guard(x.device());
  check_launch("vae pad", kernels::launch_pad(params, stream_of(x)));
  return out;
}

}  // namespace

bool can_fuse(const at::Tensor& weight) {
  const bool half = weight.scalar_type() == at::kHalf || weight.scalar_type() == at::kBFloat16;
  return weight.is_cuda() && half && weight.size(1) % kernels::kChannelPack == 0 &&
         weight.size(1) <= kernels::kMaxChannels && compute_capability_major(weight.device()) >= 8;
}

bool can_normalise(int64_t channels, int64_t num_groups) {
  constexpr int64_t kQuad = 4;
  return channels % (num_groups * kQuad) == 0;
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(kChannelsLast);
}

at::Tensor pack_weight(const at::Tensor& weight) {
  const int64_t missing = (8 - weight.size(0) % 8) % 8;
  at::Tensor filled = weight;
  if (missing > 0) {
    auto shape = weight.sizes().vec();
    shape[0] = missing;
    filled = at::cat({weight, at::zeros(shape, weight.options())});
  }
  return filled.contiguous(kChannelsLast);
}

at::Tensor convolve(const at::Tensor& x, const at::Tensor& packed_weight, ScaleFactor stride) {
  return channels_last(at::conv3d(x, packed_weight, {}, {stride.time, stride.space, stride.space}));
}

at::Tensor pad_causally(const at::Tensor& x) {
  return pad(x, {}, {}, {}, kCausal);
}

at::Tensor norm_silu_pad(const at::Tensor& from, const at::Tensor& input_bias,
                         const at::Tensor& weight, const at::Tensor& bias, int64_t num_groups) {
  const at::Tensor x = channels_last(from);
  const kernels::Grid grid = grid_of(x);
  const auto fp32 = x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous);
  const at::Tensor sums = at::empty({x.size(0), kernels::num_pieces(grid), x.size(1) / 4, 2}, fp32);
  const at::Tensor scale = at::empty({x.size(0), x.size(1)}, fp32);
  const at::Tensor shift = at::empty_like(scale);
  const kernels::GroupNormParams params = {.x = x.const_data_ptr(),
                                           .grid = grid,
                                           .input_bias = data_or_null(input_bias),
                                           .weight = weight.const_data_ptr(),
                                           .bias = bias.const_data_ptr(),
                                           .sums = sums.data_ptr<float>(),
                                           .scale = scale.data_ptr<float>(),
                                           .shift = shift.data_ptr<float>(),
                                           .num_groups = to_int(num_groups),
                                           .epsilon = static_cast<float>(kGroupNormEpsilon),
                                           .dtype = dtype_of(x)};
  const c10::cuda::CUDAGuard guard(x.device());
  check_launch("vae group_norm", kernels::launch_group_norm(params, stream_of(x)));
  return pad(x, scale, shift, {}, kCausal);
}

void add_(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual) {
  const at::Tensor added = residual.defined() ? channels_last(residual) : residual;
  const kernels::AddParams params = {.x = x.data_ptr(),
                                     .bias = bias.const_data_ptr(),
                                     .residual = data_or_null(added),
                                     .num_pixels = x.numel() / x.size(1),
                                     .channels = to_int(x.size(1)),
                                     .dtype = dtype_of(x)};
  const c10::cuda::CUDAGuard guard(x.device());
  check_launch("vae add", kernels::launch_add(params, stream_of(x)));
}

at::Tensor convolve_pointwise(const at::Tensor& x, const at::Tensor& weight,
                              const at::Tensor& bias) {
  const at::Tensor pixels = channels_last(x).permute({0, 2, 3, 4, 1});
  return at::linear(pixels, weight.flatten(1), bias).permute({0, 4, 1, 2, 3});
}

UpsampleConv::UpsampleConv(const at::Tensor& weight, const at::Tensor& bias, ScaleFactor factor,
                           bool folded)
    : factor_(factor), folded_(folded), bias_(bias) {
  if (!folded) {
    weight_ = pack_weight(weight);
    return;
  }
  for (int64_t phase = 0; phase < 4 * factor.time; ++phase) {
    const at::Tensor taps = fold_taps(weight.to(at::kFloat), factor, phase).to(weight.options());
    phases_[static_cast<size_t>(phase)] = pack_weight(taps);
  }
}

at::Tensor UpsampleConv::forward(const at::Tensor& x) const {
  if (folded_) return forward_folded(x);
  const at::Tensor out = convolve(pad(x, {}, {}, factor_, kCausal), weight_);
  add_(out, bias_, {});
  return out;
}

at::Tensor UpsampleConv::forward_folded(const at::Tensor& from) const {
  const at::Tensor x = channels_last(from);
  const at::Tensor out =
      empty_like(x, (x.size(2) - 1) * factor_.time + 1, 2 * x.size(3), 2 * x.size(4));
  for (int32_t phase = 0; phase < 4 * factor_.time; ++phase) {
    const int32_t frame = phase / 4;  // odd ones see no frame before the first
    const int32_t row = phase / 2 % 2;
    const int32_t column = phase % 2;
    if (frame == 1 && x.size(2) == 1) continue;
    const Border border = {.front = factor_.time == 1 ? 2 : 1 - frame,
                           .top = 1 - row,
                           .bottom = row,
                           .left = 1 - column,
                           .right = column};
    const at::Tensor part =
        convolve(pad(x, {}, {}, {}, border), phases_[static_cast<size_t>(phase)]);
    const kernels::SpreadParams params = {.x = part.const_data_ptr(),
                                          .bias = bias_.const_data_ptr(),
                                          .out = out.data_ptr(),
                                          .grid = grid_of(part),
                                          .out_frames = to_int(out.size(2)),
                                          .time = to_int(factor_.time),
                                          .frame = frame,
                                          .row = row,
                                          .column = column,
                                          .dtype = dtype_of(x)};
    const c10::cuda::CUDAGuard guard(x.device());
    check_launch("vae spread", kernels::launch_spread(params, stream_of(x)));
  }
  return out;
}

}  // namespace reel::vae::gpu
