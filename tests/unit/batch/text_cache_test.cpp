#include "batch/text_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace reel::batch {
namespace {

using pipeline::PromptTemplate;

pipeline::RunIdentity identity(const std::string& dtype = "bf16") {
  pipeline::RunIdentity identity;
  identity.model_files = {{"a.safetensors", 10, "aa"}};
  identity.dtype = dtype;
  return identity;
}

text_encoder::EncodedPrompt encoded() {
  return {at::randn({3, 8}).to(at::kBFloat16), at::randn({4}).to(at::kBFloat16), {"cut"}};
}

TEST(TextCache, ReturnsEveryBitAndTheWarnings) {
  const testing::TempFolder folder;
  const TextCache cache(folder.path(), identity(), "t", false);
  const auto kept = encoded();
  cache.keep("a cat", PromptTemplate::kVideo, kept);
  const auto found = cache.find("a cat", PromptTemplate::kVideo);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->states.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(found->states.equal(kept.states));
  EXPECT_TRUE(found->pooled.equal(kept.pooled));
  EXPECT_THAT(found->warnings, ::testing::ElementsAre("cut"));
}

TEST(TextCache, TellsPromptsTemplatesAndEncodersApart) {
  const testing::TempFolder folder;
  const TextCache cache(folder.path(), identity(), "t", false);
  cache.keep("a cat", PromptTemplate::kVideo, encoded());
  EXPECT_FALSE(cache.has("a cat ", PromptTemplate::kVideo));
  EXPECT_FALSE(cache.has("a cat", PromptTemplate::kImage));
  EXPECT_FALSE(
      TextCache(folder.path(), identity("fp32"), "t", false).has("a cat", PromptTemplate::kVideo));
  EXPECT_FALSE(
      TextCache(folder.path(), identity(), "other", false).has("a cat", PromptTemplate::kVideo));
  EXPECT_FALSE(
      TextCache(folder.path(), identity(), "t", true).has("a cat", PromptTemplate::kVideo));
}

TEST(TextCache, DoesNotBelieveADamagedFile) {
  const testing::TempFolder folder;
  const TextCache cache(folder.path(), identity(), "t", false);
  cache.keep("a cat", PromptTemplate::kVideo, encoded());
  const auto file = folder / folder.names().at(0);
  auto bytes = testing::read_bytes(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  testing::write_bytes(file, bytes);
  EXPECT_FALSE(cache.has("a cat", PromptTemplate::kVideo));
  testing::write_bytes(file, bytes.substr(0, 20));
  EXPECT_FALSE(cache.has("a cat", PromptTemplate::kVideo));
}

}  // namespace
}  // namespace reel::batch
