#include "attention/device_attend.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <array>
#include <cmath>
#include <utility>

#include "core/device.h"
#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::attention {
namespace {

using kernels::AttendVariant;

constexpr int64_t kBlock = 128;
constexpr std::array kVariants = {
    std::pair{AttendVariant::kSimple, "simple"},
    std::pair{AttendVariant::kOverlap, "overlap"},
    std::pair{AttendVariant::kPingPong, "ping_pong"},
    std::pair{AttendVariant::kLazy, "lazy"},
    std::pair{AttendVariant::kThreeStage, "three_stage"},
    std::pair{AttendVariant::kRelaxed, "relaxed"},
    std::pair{AttendVariant::kMma, "mma"},
    std::pair{AttendVariant::kMmaWide, "mma_wide"},
};

bool runs_anywhere(AttendVariant variant) {
  return variant == AttendVariant::kMma || variant == AttendVariant::kMmaWide;
}

// TMA's condition on [B, S, A, D]; strides of single elements are never used.
bool rows_are_aligned(const at::Tensor& x) {
  constexpr int64_t kElements = 8;  // 16 bytes
  for (int64_t dim = 0; dim < 3; ++dim) {
    if (x.size(dim) > 1 && (x.stride(dim) % kElements != 0 || x.stride(dim) <= 0)) return false;
  }
  return x.stride(3) == 1 && reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

kernels::AttendTensor tensor_of(const at::Tensor& x) {
  return {.data = const_cast<void*>(x.const_data_ptr()),
          .batch_stride = x.stride(0),
          .token_stride = x.stride(1),
          .head_stride = x.stride(2)};
}

void check_lists(const DeviceLists& lists, int64_t num_items, int64_t num_blocks) {
  check_tensor("attend_on_device", lists.keys, "keys",
               {{'I', num_items}, {'n', num_blocks}, {'n', num_blocks}}, at::kUInt16);
  check_tensor("attend_on_device", lists.counts, "counts", {{'I', num_items}, {'n', num_blocks}},
               at::kInt);
  if (!lists.keys.is_contiguous() || !lists.counts.is_contiguous()) {
    fail<ShapeError>("attend_on_device: lists: got strides, want contiguous tensors");
  }
}

bool fits_layout(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  if (!q.is_cuda() || q.dim() != 4 || (q.size(3) != 64 && q.size(3) != 128)) return false;
  if (q.scalar_type() != at::kBFloat16 && q.scalar_type() != at::kHalf) return false;
  for (const at::Tensor& x : {q, k, v}) {
    if (x.sizes() != q.sizes() || x.scalar_type() != q.scalar_type() || x.device() != q.device() ||
        !rows_are_aligned(x)) {
      return false;
    }
  }
  return true;
}

// True if a kernel can write the result for `q` there.
bool fits_out(const at::Tensor& out, const at::Tensor& q) {
  return out.sizes() == q.sizes() && out.scalar_type() == q.scalar_type() &&
         out.device() == q.device() && rows_are_aligned(out);
}

}  // namespace

bool fits_attend_sm90(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return fits_layout(q, k, v) && compute_capability_major(q.device()) == 9;
}

bool fits_attend_mma(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return fits_layout(q, k, v) && compute_capability_major(q.device()) >= 8;
}

std::string name_of(AttendVariant variant) {
  for (const auto& [known, name] : kVariants) {
    if (known == variant) return name;
  }
  fail<ShapeError>("name_of: unknown variant");
}

AttendVariant parse_attend_variant(const std::string& name) {
  std::string names;
  for (const auto& [variant, known] : kVariants) {
    if (known == name) return variant;
    names += std::string(" ") + known;
  }
  fail<ConfigError>("attention kernel: got ", name, ", want one of", names);
}

DeviceAttendResult attend_on_device(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                    const std::optional<DeviceLists>& lists, bool causal,
                                    AttendVariant variant, const at::Tensor& out) {
  constexpr std::string_view kWhere = "attend_on_device";
  check_tensor(kWhere, q, "q", {{'B', kAny}, {'S', kAny}, {'A', kAny}, {'D', kAny}});
  const bool portable = runs_anywhere(variant);
  const bool fits = portable ? fits_attend_mma(q, k, v) : fits_attend_sm90(q, k, v);
  if (!fits) {
    fail<ShapeError>(kWhere, ": q, k, v do not fit the kernel: got ", q.dtype().name(), " ",
                     shape_text(q.sizes()), ", want bf16 or fp16 on compute capability ",
                     portable ? "8.0 or later" : "9.0", ", D 64 or 128, rows aligned to 16 bytes");
  }
  const int64_t num_batches = q.size(0);
  const int64_t num_tokens = q.size(1);
  const int64_t num_heads = q.size(2);
  const int64_t num_blocks = (num_tokens + kBlock - 1) / kBlock;
  if (lists) check_lists(*lists, num_batches * num_heads, num_blocks);
  const bool writes_out = out.defined() && fits_out(out, q);
  DeviceAttendResult result = {
      writes_out ? out : at::empty(q.sizes(), q.options()),
      at::empty({num_batches, num_heads, num_tokens}, q.options().dtype(at::kFloat))};
  const at::Tensor next_tile = at::empty({1}, q.options().dtype(at::kInt));
  const kernels::AttendParams params = {
      .q = tensor_of(q),
      .k = tensor_of(k),
      .v = tensor_of(v),
      .out = tensor_of(result.out),
      .lse = result.lse.data_ptr<float>(),
      .keys = lists ? lists->keys.const_data_ptr<uint16_t>() : nullptr,
      .counts = lists ? lists->counts.const_data_ptr<int32_t>() : nullptr,
      .next_tile = next_tile.data_ptr<int32_t>(),
      .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(q.size(3)))),
      .dtype =
          q.scalar_type() == at::kHalf ? kernels::AttendDtype::kFp16 : kernels::AttendDtype::kBf16,
      .num_batches = static_cast<int32_t>(num_batches),
      .num_tokens = static_cast<int32_t>(num_tokens),
      .num_heads = static_cast<int32_t>(num_heads),
      .head_dim = static_cast<int32_t>(q.size(3)),
      .causal = causal};
  const c10::cuda::CUDAGuard guard(q.device());
  const auto stream = c10::cuda::getCurrentCUDAStream(q.device().index()).stream();
  const auto status = portable ? kernels::launch_attend_mma(params, variant, stream)
                               : kernels::launch_attend_sm90(params, variant, stream);
  if (status != cudaSuccess) {
    fail<DeviceError>(kWhere, ": launch failed: ", cudaGetErrorString(status));
  }
  if (out.defined() && !writes_out) {
    out.copy_(result.out);
    result.out = out;
  }
  return result;
}

}  // namespace reel::attention
