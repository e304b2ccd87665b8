#include "media/frame_queue.h"

namespace reel::media {

FrameQueue::FrameQueue(FrameSink& sink, size_t capacity)
    : sink_(sink), capacity_(capacity), thread_([this] { run(); }) {}

FrameQueue::~FrameQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void FrameQueue::push(Frames frames) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return error_ || waiting_.size() < capacity_; });
    throw_if_failed();
    waiting_.push_back(std::move(frames));
  }
  changed_.notify_all();
}

bool FrameQueue::await_write() {
  std::unique_lock lock(mutex_);
  const int64_t before = num_writes_;
  const auto is_idle = [this] { return waiting_.empty() && !writing_; };
  changed_.wait(lock, [&] { return error_ || is_idle() || num_writes_ > before; });
  throw_if_failed();
  return !is_idle();
}

int64_t FrameQueue::num_written() const {
  const std::lock_guard lock(mutex_);
  return num_frames_;
}

void FrameQueue::throw_if_failed() const {
  if (error_) std::rethrow_exception(error_);
}

void FrameQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Frames frames = std::move(waiting_.front());
    waiting_.pop_front();
    writing_ = true;
    lock.unlock();
    changed_.notify_all();
    int64_t num_frames = 0;
    std::exception_ptr error;
    try {
      const at::Tensor pixels = frames();
      sink_.write(pixels);
      num_frames = pixels.size(0);
    } catch (...) {
      error = std::current_exception();
    }
    frames = nullptr;  // before anybody is told that it is over
    lock.lock();
    writing_ = false;
    ++num_writes_;
    num_frames_ += num_frames;
    error_ = error;
    changed_.notify_all();
    if (error_) return;
  }
}

}  // namespace reel::media
