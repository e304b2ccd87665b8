// Reading files while the program does something else.
#pragma once

#include <thread>

#include "weights/tensor_source.h"

namespace reel::weights {

/// Brings the files of a source into the system's page cache, in the order in which they lie on the
/// disk, with a thread that ends with this object, done or not. Nothing fails if that cannot be
/// done: who reads the files later waits for them then.
class ReadAhead {
 public:
  explicit ReadAhead(const TensorSource& source);

  /// Waits until the system has been asked for the last byte.
  void wait();

 private:
  std::jthread thread_;
};

}  // namespace reel::weights
