// The inner loops of the VAE on a CPU: one row of pixels at a time, channels last, fp32. No
// LibTorch here, so that each instruction set gets a source of its own.
#pragma once

#include <cstdint>

namespace reel::vae {

/// Output channels per block of packed convolution weights.
inline constexpr int64_t kChannelBlock = 16;

/// A convolution's output along one row of pixels.
struct ConvRow {
  const float* const* rows;  ///< [num_rows] input rows, each at the window of output pixel 0
  int64_t num_rows;          ///< taps in time times taps in height
  int64_t run;               ///< floats of a window in each row: taps in width times C_in
  int64_t in_step;           ///< floats from one output pixel's window to the next one's
  const float* weight;       ///< [C_out / 16 rounded up][num_rows * run][16], zeros as padding
  const float* bias;         ///< [C_out rounded up to 16]
  int64_t out_channels;      ///< C_out
  const float* residual;     ///< added to the result, placed like `out`; or null
  float* out;                ///< pixel 0
  int64_t out_step;          ///< floats from one output pixel to the next
  int64_t num_pixels;
};

/// out = silu(x * scale + shift), channel by channel.
struct NormSiluRow {
  const float* x;      ///< [num_pixels, C]
  const float* scale;  ///< [C]
  const float* shift;  ///< [C]
  int64_t channels;
  int64_t num_pixels;
  float* out;  ///< [num_pixels, C]
};

/// The loops for one instruction set.
struct RowKernels {
  void (*conv)(const ConvRow& row);
  void (*norm_silu)(const NormSiluRow& row);
};

extern const RowKernels kRowKernelsAvx2;
extern const RowKernels kRowKernelsAvx512;

/// The widest that this machine can run.
const RowKernels& row_kernels();

}  // namespace reel::vae
