// What core/ must agree with Python on (tools/goldens/core.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "core/random.h"
#include "core/sha256.h"
#include "core/tensor_check.h"
#include "core/utf8.h"
#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"

namespace reel {
namespace {

const nlohmann::json& golden() {
  static const auto value =
      nlohmann::json::parse(testing::read_bytes(testing::data_file("core/python.json")));
  return value;
}

TEST(NormalStream, EqualsTorchRandnBitForBit) {
  for (const auto& stream : golden()["random"]) {
    NormalStream normal(std::stoull(stream["seed"].get<std::string>()));
    for (size_t i = 0; i < stream["shapes"].size(); ++i) {
      const auto shape = stream["shapes"][i].get<std::vector<int64_t>>();
      const at::Tensor drawn = normal.next(shape);
      EXPECT_EQ(drawn.flatten()[0].item<double>(), stream["first"][i].get<double>())
          << "seed " << stream["seed"] << ", shape " << shape_text(shape);
      EXPECT_EQ(sha256(drawn), stream["sha256"][i]) << shape_text(shape);
    }
  }
}

TEST(NormalStream, DrawsFp32OnTheCpu) {
  const at::Tensor drawn = NormalStream(1).next({2, 3});
  EXPECT_EQ(drawn.scalar_type(), at::kFloat);
  EXPECT_TRUE(drawn.device().is_cpu());
  EXPECT_EQ(drawn.sizes(), (at::IntArrayRef{2, 3}));
}

TEST(Sha256, EqualsPythons) {
  for (const auto& sum : golden()["sha256"]) {
    EXPECT_EQ(sha256(sum["text"].get<std::string>()), sum["sha256"]);
  }
}

TEST(Sha256, OfATensorIsThatOfItsRowMajorBytes) {
  const at::Tensor tensor = at::arange(6, at::kInt).to(at::kByte).view({2, 3});
  EXPECT_EQ(sha256(tensor), sha256(std::string("\0\1\2\3\4\5", 6)));
  EXPECT_EQ(sha256(tensor.t()), sha256(std::string("\0\3\1\4\2\5", 6)));
  const float one = 1;
  EXPECT_EQ(sha256(at::ones({1})), sha256({reinterpret_cast<const char*>(&one), 4}));
}

TEST(StripWhitespace, RemovesExactlyWhatPythonRemoves) {
  const auto spaces = golden()["white_space"].get<std::set<char32_t>>();
  EXPECT_GT(spaces.size(), 20U);
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append_utf8(text, point);
    ASSERT_EQ(strip_whitespace(text).empty(), spaces.contains(point))
        << "U+" << std::hex << uint32_t{point};
  }
}

}  // namespace
}  // namespace reel
