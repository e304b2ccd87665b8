// at::parallel_for is a header: built without OpenMP it would run every loop of ours on one thread,
// silently.
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace reel {
namespace {

TEST(Threads, ParallelLoopsRunOnAsManyThreadsAsAsked) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  std::array<int, 3> thread_of{};

  at::parallel_for(0, 3, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) thread_of[static_cast<size_t>(i)] = at::get_thread_num();
  });

  at::set_num_threads(before);
  EXPECT_THAT(thread_of, ::testing::UnorderedElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace reel
