// Attention on a GPU by our own kernels, over listed key blocks or all of them. Nothing here waits
// for the device. Letters (docs/SHAPES.md): B batch, S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "attention/device_plan.h"
#include "attention/kernels/attend.h"

namespace reel::attention {

/// True if the Hopper kernel takes q, k, v [B, S, A, D]: bf16 or fp16 on a GPU of compute
/// capability 9.0, D 64 or 128, D contiguous, rows aligned to 16 bytes.
bool fits_attend_sm90(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// True if the mma.sync kernel takes them: the same on compute capability 8.0 or later.
bool fits_attend_mma(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

/// The fastest variants as measured (docs/kernels/sparse_forward.md), on Hopper and of those that
/// run on other GPUs too.
inline constexpr auto kBestAttendVariant = kernels::AttendVariant::kLazy;
inline constexpr auto kBestMmaVariant = kernels::AttendVariant::kMmaWide;

/// "simple", "overlap", "ping_pong", "lazy", "three_stage", "relaxed", "mma" or "mma_wide".
std::string name_of(kernels::AttendVariant variant);
/// Throws ConfigError for another name.
kernels::AttendVariant parse_attend_variant(const std::string& name);

/// Ascending lists of 128-token key blocks for every item (b, a) and query block.
struct DeviceLists {
  at::Tensor keys;    ///< [B * A, n, n] uint16
  at::Tensor counts;  ///< [B * A, n] int32
};

struct DeviceAttendResult {
  at::Tensor out;  ///< [B, S, A, D], contiguous unless the caller gave it
  at::Tensor lse;  ///< [B, A, S] fp32, natural log
};

/// softmax(q k^T / sqrt(D)) v over the listed blocks, or over every visible one without lists.
/// Query blocks with an empty list give 0 and lse = -inf. Tensors must fit the variant:
/// fits_attend_mma for kMma and kMmaWide, fits_attend_sm90 for the others. Throws ShapeError if
/// they do not, DeviceError if the launch fails. `out` [B, S, A, D] takes the result unless it is
/// undefined; D contiguous, other strides multiples of 16 bytes save a copy.
DeviceAttendResult attend_on_device(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                    const std::optional<DeviceLists>& lists, bool causal,
                                    kernels::AttendVariant variant = kBestAttendVariant,
                                    const at::Tensor& out = {});

}  // namespace reel::attention
