// Filling tensors from weight files with several threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "weights/mapped_file.h"
#include "weights/published_layout.h"
#include "weights/tensor_source.h"

namespace reel::weights {

/// A run of a file's bytes and the elements that it becomes.
struct Transfer {
  std::shared_ptr<const MappedFile> file;
  uint64_t offset = 0;   ///< of the first byte
  uint64_t bytes = 0;    ///< at most kTransferBytes
  at::ScalarType dtype;  ///< in the file
  at::Tensor into;       ///< [elements], contiguous, of any float dtype, on the host or a GPU
};

/// Large enough for the disk and the bus, small enough for many to be on their way.
inline constexpr uint64_t kTransferBytes = 8U << 20;

/// What fills `target`, a contiguous tensor of the recipe's shape, in the order of the recipe's
/// parts. None if the elements of a part do not lie in its file one after the other.
std::optional<std::vector<Transfer>> plan_transfers(const TensorSource& source,
                                                    const Recipe& recipe, const at::Tensor& target);

/// Does all transfers with `num_threads` threads, in the order of their files, and returns when the
/// tensors are filled: those on a GPU (one for all) may be used on any of its streams. Bytes go to
/// a GPU as they are and change their dtype there; on the way they lie in pinned memory, two
/// transfers a thread. `done`, called from this thread, takes the bytes that are through so far;
/// what it throws ends the work. Throws WeightError for a file that cannot be read.
void run_transfers(std::vector<Transfer> transfers, int num_threads,
                   const std::function<void(uint64_t)>& done);

}  // namespace reel::weights
