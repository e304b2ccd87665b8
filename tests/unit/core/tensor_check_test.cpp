#include "core/tensor_check.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel {
namespace {

using testing::error_of;

TEST(CheckTensor, AcceptsMatchingShapes) {
  const at::Tensor tensor = at::zeros({2, 5, 3});
  EXPECT_NO_THROW(check_tensor("f", tensor, "x", {{'B', kAny}, {'N', kAny}, {'C', 3}}));
  EXPECT_NO_THROW(check_tensor("f", tensor, "x", {{'B', 2}, {'N', kAny}, {'C', 3}}, at::kFloat));
  EXPECT_NO_THROW(check_tensor("f", at::zeros({}), "x", {}));
  EXPECT_NO_THROW(check_tensor("f", at::zeros({0}), "x", {{'N', kAny}}));
}

TEST(CheckTensor, NamesPlaceTensorAndBothShapes) {
  const auto text = error_of<ShapeError>(
      [] { check_tensor("forward", at::zeros({2, 5}), "image", {{'B', kAny}, {'M', 4}}); });
  EXPECT_EQ(text, "forward: image: wrong shape: got [2, 5], want [B, M = 4]");
}

TEST(CheckTensor, RefusesAnotherNumberOfDimensions) {
  EXPECT_EQ(error_of<ShapeError>(
                [] { check_tensor("f", at::zeros({2, 5, 1}), "x", {{'B', kAny}, {'M', kAny}}); }),
            "f: x: wrong shape: got [2, 5, 1], want [B, M]");
}

TEST(CheckTensor, RefusesAnotherDtypeAndNone) {
  EXPECT_EQ(error_of<ShapeError>([] {
              check_tensor("f", at::zeros({2}, at::kDouble), "x", {{'B', 2}}, at::kFloat);
            }),
            "f: x: wrong dtype: got Double, want Float");
  EXPECT_EQ(error_of<ShapeError>([] { check_tensor("f", at::Tensor(), "x", {{'B', 2}}); }),
            "f: x: undefined tensor: want [B = 2]");
}

TEST(ShapeText, ReadsLikeAList) {
  EXPECT_EQ(shape_text({2, 16, 5}), "[2, 16, 5]");
  EXPECT_EQ(shape_text({}), "[]");
}

}  // namespace
}  // namespace reel
