// XAttention written out in double precision, slow and obvious: what the other implementations are
// tested against. CPU only, a few thousand tokens.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "attention/block_plan.h"

namespace reel::attention {

/// Share of every key block in the scored mass of every query block. q, k [S, A, D] of any dtype.
/// Returns [A, n, n] double over all blocks: scored blocks of a scored row sum to 1, all others are
/// 0.
at::Tensor oracle_block_mass(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid);

/// The blocks that spec/cli-and-vbench.md 2.2 selects from `block_mass` [A, n, n] (any float dtype,
/// over all blocks), forced ones included; `taus`: one a head. Returns [A, n, n] uint8.
at::Tensor oracle_select(const at::Tensor& block_mass, std::span<const double> taus,
                         const BlockGrid& grid, const Protection& protection);

struct OracleAttention {
  at::Tensor out;  ///< [S, A, D] double
  at::Tensor lse;  ///< [A, S] double, natural log
};

/// softmax(q k^T / sqrt(D)) v over the tokens of selected blocks; `mask` [A, n, n].
OracleAttention oracle_attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const at::Tensor& mask, const BlockGrid& grid);

}  // namespace reel::attention
