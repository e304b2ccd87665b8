#include "dit/block_stream.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <exception>

namespace reel::dit {
namespace {

c10::impl::VirtualGuardImpl runtime(at::Device device) {
  return c10::impl::VirtualGuardImpl(device.type());
}

at::Tensor as_tensor(const std::shared_ptr<PinnedMemory>& memory) {
  const auto bytes = memory->bytes();
  return at::from_blob(
      bytes.data(), {static_cast<int64_t>(bytes.size())}, [memory](void*) {},
      at::TensorOptions(at::kByte));
}

}  // namespace

BlockStream::BlockStream(const Config& config, const at::TensorOptions& options)
    : dtype_(c10::typeMetaToScalarType(options.dtype())),
      device_(options.device()),
      places_(block_places(config, static_cast<int64_t>(options.dtype().itemsize()))),
      held_(config.num_layers(), kBlockSlots) {
  for (const auto& place : places_) {
    memory_.push_back(std::make_shared<PinnedMemory>(static_cast<uint64_t>(place.bytes)));
    host_bytes_.push_back(as_tensor(memory_.back()));
  }
  for (int64_t i = 0; i < kBlockSlots; ++i) {
    slots_.push_back({at::empty({largest_block_bytes(places_)}, options.dtype(at::kByte)),
                      c10::Event(device_.type()), c10::Event(device_.type())});
  }
  if (device_.is_cpu()) return;
  device_ = slots_.front().bytes.device();  // with its number
  copy_stream_ = runtime(device_).getStreamFromGlobalPool(device_, /*isHighPriority=*/true);
  // What had the slots' memory before may still be at work.
  for (auto& slot : slots_) slot.free.record(runtime(device_).getStream(device_));
}

// The host memory must stay until the copies that were ahead of the last block have ended.
BlockStream::~BlockStream() {
  try {
    if (copy_stream_) runtime(device_).synchronizeStream(*copy_stream_);
  } catch (const std::exception&) {  // the device has failed: nothing is copied any more
  }
}

at::Tensor BlockStream::view(const at::Tensor& bytes, const TensorPlace& place) const {
  int64_t size = static_cast<int64_t>(c10::elementSize(dtype_));
  for (const int64_t count : place.shape) size *= count;
  return bytes.narrow(0, place.offset, size).view(dtype_).view(place.shape);
}

std::map<std::string, at::Tensor> BlockStream::host_tensors() const {
  std::map<std::string, at::Tensor> tensors;
  for (size_t block = 0; block < places_.size(); ++block) {
    for (const auto& place : places_[block].tensors) {
      tensors[place.name] = view(host_bytes_[block], place);
    }
  }
  return tensors;
}

std::map<std::string, at::Tensor> BlockStream::slot_tensors() const {
  std::map<std::string, at::Tensor> tensors;
  for (size_t block = 0; block < places_.size(); ++block) {
    const auto slot = static_cast<size_t>(held_.slot_of(static_cast<int64_t>(block)));
    for (const auto& place : places_[block].tensors) {
      tensors[place.name] = view(slots_[slot].bytes, place);
    }
  }
  return tensors;
}

void BlockStream::pin() {
  if (device_.is_cpu()) return;
  for (const auto& memory : memory_) memory->pin();
}

void BlockStream::copy(int64_t block) {
  const auto index = static_cast<size_t>(block);
  Slot& slot = slots_[static_cast<size_t>(held_.slot_of(block))];
  const at::Tensor target = slot.bytes.narrow(0, 0, places_[index].bytes);
  if (!copy_stream_) {
    target.copy_(host_bytes_[index]);
    return;
  }
  slot.free.block(*copy_stream_);
  const c10::StreamGuard guard(*copy_stream_);
  target.copy_(host_bytes_[index], /*non_blocking=*/true);
  slot.filled.record(*copy_stream_);
}

void BlockStream::before(int64_t block) {
  for (const int64_t next : held_.start(block)) copy(next);
  if (!copy_stream_) return;
  const Slot& slot = slots_[static_cast<size_t>(held_.slot_of(block))];
  slot.filled.block(runtime(device_).getStream(device_));
}

void BlockStream::after(int64_t block) {
  if (!copy_stream_) return;
  Slot& slot = slots_[static_cast<size_t>(held_.slot_of(block))];
  slot.free.record(runtime(device_).getStream(device_));
}

}  // namespace reel::dit
