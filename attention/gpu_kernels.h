// Which implementation of attention runs on a GPU, and its name for people.
// Letters (docs/SHAPES.md): B batch, S joint tokens, A heads, D head dim.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace reel::attention {

/// Who attends on a GPU. Results differ in rounding alone.
enum class GpuKernels {
  kAuto,      ///< our kernels where they fit and were measured to be no slower than LibTorch's
  kSm90,      ///< our Hopper kernels wherever they fit
  kMma,       ///< our kernels for compute capability 8.0 and later wherever they fit
  kLibTorch,  ///< cuDNN and LibTorch's operators alone
};

/// True if cuDNN's fused attention takes q [B, S_q, A, D] and k [B, S_k, A_kv, D].
bool fits_cudnn(const at::Tensor& q, const at::Tensor& k);

/// True if dense attention of q, k, v [B, S, A, D] runs our Hopper kernel. It fits bf16 and fp16
/// self-attention without grouped queries, D 64 or 128, rows aligned to 16 bytes, on compute
/// capability 9.0. kAuto takes it for D 128 and lengths that were measured
/// (docs/kernels/sparse_forward.md); cuDNN stays where it is as fast.
bool dense_runs_sm90(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     GpuKernels kernels);

/// True if a sparse call over blocks of `block` tokens does; one item, q, k, v [S, A, D].
bool sparse_runs_sm90(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t block,
                      GpuKernels kernels);

/// True if dense attention runs our mma.sync kernel: kMma alone, cuDNN is as good.
bool dense_runs_mma(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    GpuKernels kernels);

/// True if a sparse call does: kAuto takes it where the Hopper kernel does not run, on compute
/// capability 8.0 or later.
bool sparse_runs_mma(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t block,
                     GpuKernels kernels);

/// What dense_attention runs for q, k, v [B, S, A, D]: "sm90 wgmma (lazy)", "sm80 mma.sync
/// (mma_wide)", "cuDNN" or "LibTorch operators".
std::string dense_kernel_name(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              GpuKernels kernels);

/// What a sparse call runs for q, k, v [S, A, D]: "sm90 wgmma (lazy)", "sm80 mma.sync (mma_wide)",
/// "LibTorch operators" or "cpu avx2".
std::string sparse_kernel_name(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               int64_t block, GpuKernels kernels);

struct KernelNames {
  std::string dense, sparse;
};

/// What kAuto runs for long videos in bf16 with D 128 on a GPU of this compute capability.
KernelNames gpu_kernel_names(int compute_major);

}  // namespace reel::attention
