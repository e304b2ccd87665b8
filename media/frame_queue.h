// Frames on their way to a sink that works in a thread of its own. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "media/frame_sink.h"

namespace reel::media {

/// Writes into a sink in order, while the thread that makes the frames goes on. Used by one thread;
/// destroying it drops what waits and returns as soon as the write under way has ended.
class FrameQueue {
 public:
  /// Awaits, in the sink's thread, frames to write: [F, H, W, 3] uint8 RGB, CPU, contiguous. What
  /// it throws is thrown by the queue, and nothing more is written.
  using Frames = std::function<at::Tensor()>;

  /// `sink` must outlive this. At most `capacity` pushes, 1 or more, wait behind the one that is
  /// being written.
  FrameQueue(FrameSink& sink, size_t capacity);
  ~FrameQueue();
  FrameQueue(const FrameQueue&) = delete;
  FrameQueue& operator=(const FrameQueue&) = delete;

  /// Adds the next frames, after waiting for a place. Throws what the sink or earlier frames threw.
  void push(Frames frames);

  /// Waits for the end of a write if any is to come. False once all that was pushed is written.
  /// Throws as push() does. The sink's finish() is left to its owner.
  bool await_write();

  /// Frames that the sink has taken.
  int64_t num_written() const;

 private:
  void run();
  void throw_if_failed() const;

  FrameSink& sink_;
  const size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Frames> waiting_;  // all below guarded by mutex_
  std::exception_ptr error_;
  int64_t num_frames_ = 0;
  int64_t num_writes_ = 0;
  bool writing_ = false;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace reel::media
