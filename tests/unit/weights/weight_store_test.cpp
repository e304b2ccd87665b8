#include "weights/weight_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace reel::weights {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(WeightStore, HandsOutEachTensorOnce) {
  WeightStore store({{"a.weight", at::ones({2})}, {"a.bias", at::zeros({2})}});
  EXPECT_EQ(store.take_weight("a").sum().item<float>(), 2.0F);
  EXPECT_EQ(store.left(), std::vector<std::string>{"a.bias"});
  EXPECT_THAT([&] { store.take("a.weight"); },
              ThrowsMessage<ShapeError>(HasSubstr("no tensor left named a.weight")));
  EXPECT_EQ(store.take_bias("a").sum().item<float>(), 0.0F);
  EXPECT_TRUE(store.left().empty());
}

class Assemble : public ::testing::Test {
 protected:
  at::Tensor one(const Recipe& recipe, at::ScalarType dtype = at::kFloat) {
    return assemble_one(
        recipe, [&](const std::string& name) { return parts_.at(name); }, at::kCPU, dtype);
  }

  std::map<std::string, at::Tensor> parts_{
      {"q", at::arange(4).reshape({2, 2}).to(at::kFloat)},
      {"k", at::arange(4, 10).reshape({3, 2}).to(at::kFloat)},
  };
};

TEST_F(Assemble, StacksPartsInOrder) {
  const Recipe recipe{{"qk", {5, 2}}, {{"q", {2, 2}}, {"k", {3, 2}}}};
  EXPECT_TRUE(one(recipe).equal(at::arange(10).reshape({5, 2}).to(at::kFloat)));
  const Recipe reversed{{"kq", {5, 2}}, {{"k", {3, 2}}, {"q", {2, 2}}}};
  EXPECT_TRUE(one(reversed).equal(at::cat({parts_["k"], parts_["q"]})));
}

TEST_F(Assemble, SwapsHalves) {
  const Recipe recipe{{"q", {2, 2}}, {{"q", {2, 2}}}, Assembly::kSwapHalves};
  EXPECT_TRUE(one(recipe).equal(at::tensor({2.0F, 3.0F, 0.0F, 1.0F}).reshape({2, 2})));
}

TEST_F(Assemble, SharesAWholePartButNeverOneThatChanges) {
  const Recipe recipe{{"q", {2, 2}}, {{"q", {2, 2}}}};
  EXPECT_TRUE(one(recipe).is_alias_of(parts_["q"]));
  EXPECT_EQ(one(recipe, at::kBFloat16).scalar_type(), at::kBFloat16);
  EXPECT_FALSE(one(recipe, at::kBFloat16).is_alias_of(parts_["q"]));
  parts_["q"] = parts_["q"].t();
  EXPECT_TRUE(one(recipe).is_contiguous());
  EXPECT_TRUE(one(recipe).equal(parts_["q"]));
}

TEST_F(Assemble, RoundsOnceWhenItStacks) {
  parts_["q"] = at::full({2, 2}, 1.00390625F + 1e-4F);
  const Recipe recipe{{"qk", {5, 2}}, {{"q", {2, 2}}, {"k", {3, 2}}}};
  const at::Tensor got = one(recipe, at::kBFloat16);
  EXPECT_TRUE(got.narrow(0, 0, 2).equal(parts_["q"].to(at::kBFloat16)));
}

}  // namespace
}  // namespace reel::weights
