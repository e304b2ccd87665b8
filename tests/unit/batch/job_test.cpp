#include "batch/job.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/unit/batch/small_job.h"

namespace reel::batch {
namespace {

pipeline::RunIdentity identity() {
  pipeline::RunIdentity identity;
  identity.model_files = {{"a.safetensors", 10, "aa"}};
  identity.dtype = std::string("fp32");
  identity.vae_dtype = std::string("fp32");
  identity.threads = 2;
  return identity;
}

TEST(JobHash, ChangesWithEverythingThatChangesPixels) {
  const Job job = testing::small_job(0, "a");
  std::set<std::string> hashes = {job_hash(job.request, "s", identity(), "t", job.encoder)};
  const auto differs = [&](const std::function<void(pipeline::GenerationRequest&)>& change) {
    auto request = job.request;
    change(request);
    return hashes.insert(job_hash(request, "s", identity(), "t", job.encoder)).second;
  };
  EXPECT_TRUE(differs([](auto& r) { r.prompt = std::string("a cat "); }));
  EXPECT_TRUE(differs([](auto& r) { r.negative_prompt = std::string("x"); }));
  EXPECT_TRUE(differs([](auto& r) { r.prompt_template = pipeline::PromptTemplate::kImage; }));
  EXPECT_TRUE(differs([](auto& r) { r.seeds = {2}; }));
  EXPECT_TRUE(differs([](auto& r) { r.size.width = 32; }));
  EXPECT_TRUE(differs([](auto& r) { r.size.height = 32; }));
  EXPECT_TRUE(differs([](auto& r) { r.size.frames = 5; }));
  EXPECT_TRUE(differs([](auto& r) { r.num_steps = 3; }));
  EXPECT_TRUE(differs([](auto& r) { r.guidance = 1; }));
  EXPECT_TRUE(differs([](auto& r) { r.cfg_scale = 2; }));
  EXPECT_TRUE(differs([](auto& r) { r.flow_shift = 8; }));
  EXPECT_TRUE(differs([](auto& r) { r.frame_rate = std::string("25"); }));
  EXPECT_TRUE(hashes.insert(job_hash(job.request, "other", identity(), "t", job.encoder)).second);
  EXPECT_TRUE(hashes.insert(job_hash(job.request, "s", identity(), "other", job.encoder)).second);
  auto other_weights = identity();
  other_weights.model_files[0].header_sha256 = std::string("bb");
  EXPECT_TRUE(hashes.insert(job_hash(job.request, "s", other_weights, "t", job.encoder)).second);
  auto other_dtype = identity();
  other_dtype.dtype = std::string("bf16");
  EXPECT_TRUE(hashes.insert(job_hash(job.request, "s", other_dtype, "t", job.encoder)).second);
  auto encoder = job.encoder;
  encoder.crf = 3;
  EXPECT_TRUE(hashes.insert(job_hash(job.request, "s", identity(), "t", encoder)).second);
}

TEST(JobHash, StaysWhereNoPixelChanges) {
  const Job job = testing::small_job(0, "a");
  const std::string hash = job_hash(job.request, "s", identity(), "t", job.encoder);
  auto moved = identity();
  moved.model_name = std::string("elsewhere");
  moved.model_files[0].path = std::string("elsewhere/a.safetensors");
  moved.threads = 1;
  auto request = job.request;
  request.compute.threads = 7;
  EXPECT_EQ(job_hash(request, "s", moved, "t", job.encoder), hash);
}

TEST(Shards, CutAListIntoPartsThatCoverItOnce) {
  Problems problems;
  std::vector<int> counts(10, 0);
  for (const char* text : {"1/3", "2/3", "3/3"}) {
    const Shard shard = parse_shard(text, problems);
    for (size_t i = 0; i < counts.size(); ++i) {
      Job job;
      job.index = i;
      counts[i] += shard.has(job) ? 1 : 0;
    }
  }
  EXPECT_TRUE(problems.empty());
  EXPECT_THAT(counts, ::testing::Each(1));
}

TEST(Shards, RefuseWhatIsNoShard) {
  for (const char* text : {"0/4", "5/4", "1", "1/", "/4", "1/0", "a/b", "1/2/3", "-1/4", ""}) {
    Problems problems;
    parse_shard(text, problems);
    ASSERT_EQ(problems.lines().size(), 1u) << text;
    EXPECT_EQ(problems.lines()[0],
              fmt::format("--shard: not a shard: got {}, want i/n with i from 1 to n", text));
  }
}

}  // namespace
}  // namespace reel::batch
