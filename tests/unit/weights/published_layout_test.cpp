#include "weights/published_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace reel::weights {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// "name[rows]" of every part of every recipe.
std::vector<std::string> spell(const std::vector<Recipe>& recipes) {
  std::vector<std::string> parts;
  for (const auto& recipe : recipes) {
    for (const auto& part : recipe.parts) {
      parts.push_back(part.name + "[" + std::to_string(part.shape.at(0)) + "]");
    }
  }
  return parts;
}

using Names = std::vector<std::string>;

TEST(PublishedLayout, KeepsNamesWithoutARuleAndAddsThePrefix) {
  WeightTable table;
  table.add_linear("in", 4, 2);
  EXPECT_EQ(spell(recipes_for(table, {})), (Names{"in.weight[4]", "in.bias[4]"}));
  EXPECT_EQ(spell(recipes_for(table, {}, "model.")),
            (Names{"model.in.weight[4]", "model.in.bias[4]"}));
}

TEST(PublishedLayout, SplitsFusedRowsEvenlyOrAsGiven) {
  WeightTable table;
  table.add_linear("blocks.12.qkv", 9, 2);
  table.add_linear("blocks.12.both", 10, 2, /*bias=*/false);
  const auto recipes = recipes_for(
      table, {{"blocks.{}.qkv", {{"layers.{}.q"}, {"layers.{}.k"}, {"layers.{}.v"}}},
              {"blocks.{}.both", {{"layers.{}.q", 2}, {"layers.{}.k", 2}, {"layers.{}.mlp"}}}});
  EXPECT_EQ(spell(recipes),
            (Names{"layers.12.q.weight[3]", "layers.12.k.weight[3]", "layers.12.v.weight[3]",
                   "layers.12.q.bias[3]", "layers.12.k.bias[3]", "layers.12.v.bias[3]",
                   "layers.12.q.weight[2]", "layers.12.k.weight[2]", "layers.12.mlp.weight[6]"}));
  EXPECT_EQ(recipes[0].parts[0].shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(recipes[0].target.name, "blocks.12.qkv.weight");
}

TEST(PublishedLayout, TakesTheLongestRule) {
  WeightTable table;
  table.add_norm("a.b.c", 1, false);
  table.add_norm("a.b.d", 1, false);
  table.add_norm("a.e", 1, false);
  const std::vector<Rule> rules{{"a.", {{"x."}}}, {"a.b.", {{"y."}}}, {"a.b.c", {{"z"}}}};
  EXPECT_EQ(spell(recipes_for(table, rules)),
            (Names{"z.weight[1]", "y.d.weight[1]", "x.e.weight[1]"}));
}

TEST(PublishedLayout, MatchesWholeStemsAndNumbersOnly) {
  WeightTable table;
  table.add_norm("block.1.norm2", 1, false);
  table.add_norm("block.x.norm", 1, false);
  table.add_norm("block.10.norm", 1, false);
  EXPECT_EQ(spell(recipes_for(table, {{"block.{}.norm", {{"layer.{}.n"}}}})),
            (Names{"block.1.norm2.weight[1]", "block.x.norm.weight[1]", "layer.10.n.weight[1]"}));
}

TEST(PublishedLayout, RefusesRowsThatDoNotFit) {
  WeightTable table;
  table.add_norm("a", 10, false);
  const auto expect = [&](const Rule& rule) {
    EXPECT_THAT([&] { recipes_for(table, {rule}); },
                ThrowsMessage<ShapeError>(HasSubstr("a.weight: 10 rows do not fit")));
  };
  expect({"a", {{"x"}, {"y"}, {"z"}}});
  expect({"a", {{"x", 5}, {"y", 6}}});
  expect({"a", {{"x", 4}, {"y", 5}}});
  WeightTable odd;
  odd.add_norm("a", 3, false);
  EXPECT_THAT([&] { recipes_for(odd, {{"a", {{"x"}}, Assembly::kSwapHalves}}); },
              ThrowsMessage<ShapeError>(HasSubstr("even number of rows")));
}

}  // namespace
}  // namespace reel::weights
