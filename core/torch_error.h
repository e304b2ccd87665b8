// Other libraries' exceptions as ours.
#pragma once

namespace reel {

/// Called where an exception is being handled: throws it again, LibTorch's as OutOfMemory or
/// DeviceError with the first line of its message, std::bad_alloc as OutOfMemory, any other as it
/// is.
[[noreturn]] void rethrow_as_ours();

}  // namespace reel
