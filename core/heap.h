// How this process's heap treats freed memory.
#pragma once

namespace reel {

/// Makes the C library keep freed memory for the next allocation instead of handing it back to the
/// kernel. Activations of a VAE are hundreds of megabytes that live for one layer each; fresh pages
/// for every one of them cost a third of the time of a decode on a CPU. A policy of the whole
/// process: for main(), before the first large allocation; a library has no business to call it.
void keep_freed_memory();

}  // namespace reel
