// The selection kernel for rows that fit into the registers of one warp (docs/kernels/select.md).
#pragma once

#include "attention/kernels/select.h"

namespace reel::attention::kernels {

/// Largest num_blocks that launch_select_by_warp takes.
inline constexpr int32_t kMaxWarpSelectBlocks = 1024;

/// launch_select (select.h) for up to kMaxWarpSelectBlocks blocks.
cudaError_t launch_select_by_warp(const SelectParams& params, cudaStream_t stream);

}  // namespace reel::attention::kernels
