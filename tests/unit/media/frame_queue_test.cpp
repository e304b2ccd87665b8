#include "media/frame_queue.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <vector>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel::media {
namespace {

using ::testing::ElementsAre;
using testing::error_of;

at::Tensor frame_of(int64_t value) {
  return at::full({1, 2, 2, 3}, value, at::kByte);
}

// Keeps the first byte of every write; fails where it is told to.
class Recorder : public FrameSink {
 public:
  void write(const at::Tensor& frames) override {
    thread = std::this_thread::get_id();
    if (std::ssize(bytes) == num_good) fail<IoError>("disk: full");
    bytes.push_back(*frames.const_data_ptr<uint8_t>());
  }
  void finish() override { ADD_FAILURE() << "finish() is the owner's"; }

  std::vector<int> bytes;
  int64_t num_good = -1;
  std::thread::id thread;
};

TEST(FrameQueue, WritesEverythingInOrderInAThreadOfItsOwn) {
  Recorder sink;
  FrameQueue queue(sink, 2);
  std::vector<int> want;
  for (int i = 0; i < 200; ++i) {
    want.push_back(i);
    queue.push([i] { return frame_of(i).expand({1 + i % 2, 2, 2, 3}).contiguous(); });
  }
  while (queue.await_write()) EXPECT_LT(queue.num_written(), 300);
  EXPECT_EQ(sink.bytes, want);
  EXPECT_EQ(queue.num_written(), 300);
  EXPECT_NE(sink.thread, std::this_thread::get_id());
  EXPECT_FALSE(queue.await_write());  // nothing more to come
}

TEST(FrameQueue, HoldsNoMoreThanItsCapacity) {
  constexpr size_t kCapacity = 3;
  Recorder sink;
  FrameQueue queue(sink, kCapacity);
  std::promise<void> open;
  const std::shared_future<void> gate = open.get_future();
  const auto token = std::make_shared<int>();  // one more owner for every push that is held
  std::atomic<int64_t> num_pushed = 0;
  const auto pusher = std::async(std::launch::async, [&] {
    for (int i = 0; i < 50; ++i) {
      queue.push([i, gate, held = token] {
        gate.wait();
        return frame_of(i);
      });
      ++num_pushed;
    }
  });
  // One being written, kCapacity waiting: the next one finds no place until the gate opens.
  while (num_pushed < int64_t{1 + kCapacity}) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_EQ(num_pushed, int64_t{1 + kCapacity});
  open.set_value();
  pusher.wait();
  while (queue.await_write()) {
  }
  EXPECT_EQ(queue.num_written(), 50);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(FrameQueue, ThrowsWhatTheSinkThrewAndWritesNothingMore) {
  Recorder sink;
  sink.num_good = 2;
  FrameQueue queue(sink, 2);
  const auto push_many = [&] {
    for (int i = 0; i < 50; ++i) queue.push([i] { return frame_of(i); });
  };
  EXPECT_EQ(error_of<IoError>(push_many), "disk: full");
  EXPECT_EQ(error_of<IoError>([&] { queue.await_write(); }), "disk: full");
  EXPECT_THAT(sink.bytes, ElementsAre(0, 1));
  EXPECT_EQ(queue.num_written(), 2);
}

TEST(FrameQueue, ThrowsWhatTheFramesThrew) {
  Recorder sink;
  FrameQueue queue(sink, 2);
  queue.push([] { return frame_of(7); });
  queue.push([]() -> at::Tensor { fail<OutputError>("frames: bad"); });
  EXPECT_EQ(error_of<OutputError>([&] {
              while (queue.await_write()) {
              }
            }),
            "frames: bad");
  EXPECT_THAT(sink.bytes, ElementsAre(7));
}

TEST(FrameQueue, DropsWhatWaitsWhenItGoes) {
  Recorder sink;
  const auto token = std::make_shared<int>();
  std::promise<void> started;
  std::promise<void> open;
  std::future<void> opened = open.get_future();
  {
    FrameQueue queue(sink, 8);
    queue.push([&] {
      started.set_value();
      opened.wait();
      return frame_of(0);
    });
    for (int i = 1; i < 9; ++i) queue.push([i, held = token] { return frame_of(i); });
    started.get_future().wait();
    open.set_value();
  }
  EXPECT_EQ(token.use_count(), 1);
  ASSERT_FALSE(sink.bytes.empty());
  for (int i = 0; i < std::ssize(sink.bytes); ++i) EXPECT_EQ(sink.bytes[static_cast<size_t>(i)], i);
}

}  // namespace
}  // namespace reel::media
