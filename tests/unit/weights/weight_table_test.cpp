#include "weights/weight_table.h"

#include <gtest/gtest.h>

namespace reel::weights {
namespace {

using Shape = std::vector<int64_t>;

TEST(WeightTable, DeclaresWhatALayerNeeds) {
  WeightTable table;
  table.add("scale", {3});
  table.add_linear("a", 4, 2);
  table.add_linear("b", 5, 4, /*bias=*/false);
  table.add_conv3d("c", 8, 4, 3, 1, 2);
  table.add_norm("d", 6, /*bias=*/true);
  table.add_norm("e", 7, /*bias=*/false);
  const std::vector<std::pair<std::string, Shape>> want{{"scale", {3}},
                                                        {"a.weight", {4, 2}},
                                                        {"a.bias", {4}},
                                                        {"b.weight", {5, 4}},
                                                        {"c.weight", {8, 4, 3, 1, 2}},
                                                        {"c.bias", {8}},
                                                        {"d.weight", {6}},
                                                        {"d.bias", {6}},
                                                        {"e.weight", {7}}};
  ASSERT_EQ(table.specs().size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(table.specs()[i].name, want[i].first);
    EXPECT_EQ(table.specs()[i].shape, want[i].second) << want[i].first;
  }
  EXPECT_EQ(table.num_parameters(), 3 + 8 + 4 + 20 + 8 * 24 + 8 + 6 + 6 + 7);
}

TEST(WeightTable, CountsElementsBeyondThirtyTwoBits) {
  const WeightSpec spec{"x", {1 << 20, 1 << 20}};
  EXPECT_EQ(spec.num_elements(), int64_t{1} << 40);
  EXPECT_EQ((WeightSpec{"scalar", {}}).num_elements(), 1);
}

}  // namespace
}  // namespace reel::weights
