#include "core/pinned_memory.h"

#include <sys/mman.h>

#include "core/error.h"

#if REEL_CUDA
#include <cuda_runtime_api.h>
#endif

namespace reel {

PinnedMemory::PinnedMemory(uint64_t bytes) {
  void* address =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    fail<OutOfMemory>("host memory: too little for offloaded weights: want ", bytes, " bytes more");
  }
  ::madvise(address, bytes, MADV_HUGEPAGE);  // only advice: many small pages are slow to pin
  bytes_ = {static_cast<char*>(address), static_cast<size_t>(bytes)};
}

void PinnedMemory::pin() {
  if (pinned_) return;
#if REEL_CUDA
  const cudaError_t status =
      cudaHostRegister(bytes_.data(), bytes_.size(), cudaHostRegisterPortable);
  if (status != cudaSuccess) {
    cudaGetLastError();  // or the next call would report it once more
    fail<OutOfMemory>("host memory: cannot be pinned for a GPU: got ", cudaGetErrorString(status),
                      " for ", bytes_.size(), " bytes; try --offload models");
  }
  pinned_ = true;
#else
  fail<DeviceError>("host memory: nothing is pinned in a program without CUDA");
#endif
}

PinnedMemory::~PinnedMemory() {
#if REEL_CUDA
  if (pinned_) cudaHostUnregister(bytes_.data());
#endif
  ::munmap(bytes_.data(), bytes_.size());
}

}  // namespace reel
