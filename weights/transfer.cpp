#include "weights/transfer.h"

#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace reel::weights {
namespace {

// Some elements of a part and where in the target they go.
struct Run {
  const WeightSpec* part;
  int64_t first;  // in the part
  int64_t count;
  int64_t place;  // in the target
};

std::vector<Run> runs_of(const Recipe& recipe) {
  if (recipe.assembly == Assembly::kSwapHalves) {
    const WeightSpec& part = recipe.parts.at(0);
    const int64_t half = part.num_elements() / 2;
    return {{&part, half, half, 0}, {&part, 0, half, half}};
  }
  std::vector<Run> runs;
  int64_t place = 0;
  for (const auto& part : recipe.parts) {
    runs.push_back({&part, 0, part.num_elements(), place});
    place += part.num_elements();
  }
  return runs;
}

c10::impl::VirtualGuardImpl gpu_runtime() {
  return c10::impl::VirtualGuardImpl(at::kCUDA);
}

// One thread's way to the GPU: a stream and two buffers, one of which is read into while the other
// one's bytes are copied.
class GpuLane {
 public:
  GpuLane(at::Device device, const c10::Event& targets_ready)
      : stream_(gpu_runtime().getStreamFromGlobalPool(device)) {
    targets_ready.block(stream_);
    for (auto& buffer : buffers_) {
      buffer.bytes = at::empty({static_cast<int64_t>(kTransferBytes)},
                               at::TensorOptions(at::kByte).pinned_memory(true));
    }
  }

  // Nothing may be copied into the targets once the caller has them back.
  ~GpuLane() {
    try {
      finish();
    } catch (const std::exception&) {  // the stream's error has ended the work already
    }
  }

  GpuLane(const GpuLane&) = delete;
  GpuLane& operator=(const GpuLane&) = delete;

  void move(const Transfer& transfer) {
    Buffer& buffer = buffers_[turn_];
    turn_ = (turn_ + 1) % buffers_.size();
    buffer.copied.synchronize();
    const at::Tensor bytes = buffer.bytes.narrow(0, 0, static_cast<int64_t>(transfer.bytes));
    transfer.file->read(transfer.offset, {static_cast<char*>(bytes.data_ptr()), transfer.bytes});
    const c10::StreamGuard guard(stream_);
    at::Tensor stored = bytes.view(transfer.dtype);
    if (transfer.dtype != transfer.into.scalar_type()) {
      stored = stored.to(transfer.into.device(), /*non_blocking=*/true);
    }
    transfer.into.copy_(stored, /*non_blocking=*/true);
    buffer.copied.record(stream_);
  }

  void finish() const { gpu_runtime().synchronizeStream(stream_); }

 private:
  struct Buffer {
    at::Tensor bytes;
    c10::Event copied{at::kCUDA};
  };

  c10::Stream stream_;
  std::array<Buffer, 2> buffers_;
  size_t turn_ = 0;
};

// Reads straight into tensors of the stored dtype, and through a buffer into others.
class HostLane {
 public:
  void move(const Transfer& transfer) {
    const auto size = static_cast<int64_t>(transfer.bytes);
    if (transfer.dtype == transfer.into.scalar_type()) {
      transfer.file->read(transfer.offset,
                          {static_cast<char*>(transfer.into.data_ptr()), transfer.bytes});
      return;
    }
    if (!buffer_.defined()) {
      buffer_ = at::empty({static_cast<int64_t>(kTransferBytes)}, at::TensorOptions(at::kByte));
    }
    const at::Tensor bytes = buffer_.narrow(0, 0, size);
    transfer.file->read(transfer.offset, {static_cast<char*>(bytes.data_ptr()), transfer.bytes});
    const at::Tensor stored = bytes.view(transfer.dtype);
    // Pieces that LibTorch does not share between threads: there are enough of them here.
    constexpr int64_t kPiece = 16'384;
    for (int64_t i = 0; i < stored.size(0); i += kPiece) {
      const int64_t count = std::min(kPiece, stored.size(0) - i);
      transfer.into.narrow(0, i, count).copy_(stored.narrow(0, i, count));
    }
  }

 private:
  at::Tensor buffer_;
};

// What the threads share: who takes which transfer, what is done, what went wrong.
class Work {
 public:
  Work(std::vector<Transfer> transfers, int num_threads)
      : transfers_(std::move(transfers)), num_running_(num_threads) {
    const auto file_order = [](const Transfer& a, const Transfer& b) {
      return std::pair(a.file.get(), a.offset) < std::pair(b.file.get(), b.offset);
    };
    std::stable_sort(transfers_.begin(), transfers_.end(), file_order);
    const auto on_gpu = std::find_if(transfers_.begin(), transfers_.end(),
                                     [](const Transfer& one) { return one.into.is_cuda(); });
    if (on_gpu == transfers_.end()) return;
    device_ = on_gpu->into.device();
    // The memory of the targets may still be in use by what was asked for before them.
    targets_ready_.emplace(at::kCUDA);
    targets_ready_->record(gpu_runtime().getStream(*device_));
  }

  // One thread's share.
  void run() {
    try {
      move_all();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
      stop_ = true;
    }
    const std::lock_guard lock(mutex_);
    --num_running_;
    changed_.notify_one();
  }

  // Until all threads have ended. The caller's exceptions stop them.
  void watch(const std::function<void(uint64_t)>& done) {
    uint64_t told = 0;
    std::unique_lock lock(mutex_);
    while (num_running_ > 0 || told < done_bytes_) {
      changed_.wait(lock, [&] { return num_running_ == 0 || told < done_bytes_; });
      if (told == done_bytes_) continue;
      told = done_bytes_;
      lock.unlock();
      done(told);
      lock.lock();
    }
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // None when all are taken or the work has been stopped. Asks for bytes that come much later.
  const Transfer* take() {
    constexpr size_t kAhead = 32;
    size_t index = 0;
    {
      const std::lock_guard lock(mutex_);
      if (stop_ || next_ == transfers_.size()) return nullptr;
      index = next_++;
    }
    if (index + kAhead < transfers_.size()) {
      const Transfer& later = transfers_[index + kAhead];
      later.file->prefetch(later.offset, later.bytes);
    }
    return &transfers_[index];
  }

  void move_all() {
    const c10::InferenceMode inference;  // tensors made in this mode may not be written to outside
    HostLane host;
    std::optional<GpuLane> gpu;
    while (const Transfer* transfer = take()) {
      if (transfer->into.is_cuda()) {
        if (!gpu) gpu.emplace(*device_, *targets_ready_);
        gpu->move(*transfer);
      } else {
        host.move(*transfer);
      }
      const std::lock_guard lock(mutex_);
      done_bytes_ += transfer->bytes;
      changed_.notify_one();
    }
    if (gpu) gpu->finish();
  }

  std::vector<Transfer> transfers_;
  std::optional<at::Device> device_;
  std::optional<c10::Event> targets_ready_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t next_ = 0;
  uint64_t done_bytes_ = 0;
  int num_running_;
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace

std::optional<std::vector<Transfer>> plan_transfers(const TensorSource& source,
                                                    const Recipe& recipe,
                                                    const at::Tensor& target) {
  const at::Tensor flat = target.view({-1});
  std::vector<Transfer> transfers;
  for (const Run& run : runs_of(recipe)) {
    const TensorInfo& info = *source.find(run.part->name);
    if (info.strides != contiguous_strides(info.shape)) return std::nullopt;
    const auto size = static_cast<int64_t>(c10::elementSize(info.dtype));
    const int64_t most = static_cast<int64_t>(kTransferBytes) / size;
    for (int64_t i = 0; i < run.count; i += most) {
      const int64_t count = std::min(most, run.count - i);
      transfers.push_back({.file = info.file,
                           .offset = info.offset + static_cast<uint64_t>((run.first + i) * size),
                           .bytes = static_cast<uint64_t>(count * size),
                           .dtype = info.dtype,
                           .into = flat.narrow(0, run.place + i, count)});
    }
  }
  return transfers;
}

void run_transfers(std::vector<Transfer> transfers, int num_threads,
                   const std::function<void(uint64_t)>& done) {
  Work work(std::move(transfers), num_threads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < num_threads; ++i) threads.emplace_back([&work] { work.run(); });
    try {
      work.watch(done);
    } catch (...) {
      work.stop();
      throw;
    }
  }
  work.rethrow();
}

}  // namespace reel::weights
