#include "core/heap.h"

#include <malloc.h>

namespace reel {

void keep_freed_memory() {
  ::mallopt(M_MMAP_MAX, 0);         // large blocks come from the heap like all others
  ::mallopt(M_TRIM_THRESHOLD, -1);  // and its top stays
  ::mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace reel
