#include "attention/gpu_kernels.h"

#include <ATen/ATen.h>

#include "attention/cpu_kernels.h"

#if REEL_CUDA
#include "attention/device_attend.h"
#include "attention/kernels/select.h"
#endif

namespace reel::attention {
namespace {

constexpr const char* kLibTorchName = "LibTorch operators";

#if REEL_CUDA

constexpr int64_t kMaxBlocks = kernels::kMaxSelectBlocks;

std::string sm90_name() {
  return "sm90 wgmma (" + name_of(kBestAttendVariant) + ")";
}

std::string mma_name() {
  return "sm80 mma.sync (" + name_of(kBestMmaVariant) + ")";
}

#else

constexpr int64_t kMaxBlocks = 0;

bool fits_attend_mma(const at::Tensor& /*q*/, const at::Tensor& /*k*/, const at::Tensor& /*v*/) {
  return false;
}

std::string mma_name() {
  return {};
}

bool fits_attend_sm90(const at::Tensor& /*q*/, const at::Tensor& /*k*/, const at::Tensor& /*v*/) {
  return false;
}

std::string sm90_name() {
  return {};
}

#endif

// What the kernels can list: whole blocks of 128 tokens, not too many of them.
bool lists_fit(const at::Tensor& q, int64_t block) {
  constexpr int64_t kBlock = 128;
  return block == kBlock && (q.size(0) + kBlock - 1) / kBlock <= kMaxBlocks;
}

}  // namespace

bool fits_cudnn(const at::Tensor& q, const at::Tensor& k) {
  const bool half = q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf;
  const bool grouped = k.size(2) != q.size(2);
  return q.is_cuda() && half && !grouped && q.size(3) % 8 == 0 && q.size(3) <= 128 && q.size(1) > 1;
}

bool dense_runs_sm90(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     GpuKernels kernels) {
  // as measured: with D 64 cuDNN is up to 8 % faster; shorter sequences were not measured
  constexpr int64_t kMeasuredDim = 128;
  constexpr int64_t kMeasuredTokens = 16'384;
  if (kernels == GpuKernels::kLibTorch || kernels == GpuKernels::kMma ||
      !fits_attend_sm90(q, k, v)) {
    return false;
  }
  return kernels == GpuKernels::kSm90 ||
         (q.size(3) == kMeasuredDim && q.size(1) >= kMeasuredTokens);
}

bool sparse_runs_sm90(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t block,
                      GpuKernels kernels) {
  return (kernels == GpuKernels::kAuto || kernels == GpuKernels::kSm90) && lists_fit(q, block) &&
         fits_attend_sm90(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0));
}

bool dense_runs_mma(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    GpuKernels kernels) {
  return kernels == GpuKernels::kMma && fits_attend_mma(q, k, v);
}

bool sparse_runs_mma(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, int64_t block,
                     GpuKernels kernels) {
  const bool asked = kernels == GpuKernels::kMma ||
                     (kernels == GpuKernels::kAuto && !sparse_runs_sm90(q, k, v, block, kernels));
  return asked && lists_fit(q, block) &&
         fits_attend_mma(q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0));
}

std::string dense_kernel_name(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              GpuKernels kernels) {
  if (dense_runs_sm90(q, k, v, kernels)) return sm90_name();
  if (dense_runs_mma(q, k, v, kernels)) return mma_name();
  return fits_cudnn(q, k) ? "cuDNN" : kLibTorchName;
}

std::string sparse_kernel_name(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               int64_t block, GpuKernels kernels) {
  if (q.is_cpu()) return std::string("cpu ") + best_cpu_kernels().name;
  if (sparse_runs_sm90(q, k, v, block, kernels)) return sm90_name();
  return sparse_runs_mma(q, k, v, block, kernels) ? mma_name() : kLibTorchName;
}

KernelNames gpu_kernel_names(int compute_major) {
  if (compute_major == 9 && kMaxBlocks > 0) return {sm90_name(), sm90_name()};
  if (compute_major >= 8 && kMaxBlocks > 0) return {"cuDNN", mma_name()};
  return {"cuDNN", kLibTorchName};
}

}  // namespace reel::attention
