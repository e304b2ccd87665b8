#include "weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "core/error.h"
#include "core/sha256.h"
#include "tests/support/temp_folder.h"

namespace reel::weights {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// A file of the given header, `data_bytes` bytes of data, and a length field that may lie.
std::string file_bytes(const std::string& header, size_t data_bytes, int64_t length_error = 0) {
  const auto length = static_cast<uint64_t>(static_cast<int64_t>(header.size()) + length_error);
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\1');
}

class Safetensors : public ::testing::Test {
 protected:
  void expect_refusal(const std::string& bytes, const std::string& message) {
    const auto path = folder_.write("broken.safetensors", bytes);
    EXPECT_THAT([&] { open_safetensors(path); },
                ThrowsMessage<WeightError>(::testing::AllOf(HasSubstr("broken.safetensors: "),
                                                            HasSubstr(message),
                                                            ::testing::Not(HasSubstr("\n")))))
        << message;
  }

  reel::testing::TempFolder folder_;
};

TEST_F(Safetensors, ReturnsEveryDtypeAndShapeThatWasSaved) {
  std::map<std::string, at::Tensor> tensors{
      {"bool", at::tensor({1, 0, 1}).to(at::kBool)},
      {"byte", at::arange(7).to(at::kByte)},
      {"long", at::arange(6).reshape({2, 1, 3})},
      {"float", at::randn({3, 5})},
      {"half", at::randn({4}).to(at::kHalf)},
      {"bfloat", at::randn({2, 2}).to(at::kBFloat16)},
      {"scalar", at::randn({})},
      {"empty", at::empty({0, 4})},
      {"strided", at::randn({4, 6}).t()},
  };
  const auto path = folder_.path() / "a.safetensors";
  save_safetensors(path, tensors, {{"prompt", "a \"fox\"\n"}});
  const auto source = open_safetensors(path);
  EXPECT_EQ(source.infos().size(), tensors.size());
  for (const auto& [name, want] : tensors) {
    const at::Tensor got = source.tensor(name);
    EXPECT_EQ(got.scalar_type(), want.scalar_type()) << name;
    EXPECT_TRUE(got.equal(want)) << name;
  }
  EXPECT_EQ(source.metadata().at("prompt"), "a \"fox\"\n");
}

TEST_F(Safetensors, SharesTheMemoryOfTheFileAndKeepsItMapped) {
  const auto path = folder_.path() / "a.safetensors";
  save_safetensors(path, {{"x", at::arange(1000).to(at::kFloat)}});
  at::Tensor x;
  {
    const auto source = open_safetensors(path);
    x = source.tensor("x");
    const auto file = source.find("x")->file->bytes();
    EXPECT_GE(static_cast<char*>(x.data_ptr()), file.data());
    EXPECT_LT(static_cast<char*>(x.data_ptr()), file.data() + file.size());
  }
  EXPECT_EQ(x.sum().item<float>(), 499500.0F);  // the source is gone, its memory is not
}

TEST_F(Safetensors, CopiesElementsAtOddAddresses) {
  std::string bytes = file_bytes(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} )", 0);
  const float values[] = {1.5F, -2.0F};
  bytes.append(reinterpret_cast<const char*>(values), sizeof(values));
  ASSERT_NE((bytes.size() - 8) % 4, 0U);
  const auto x = open_safetensors(folder_.write("odd.safetensors", bytes)).tensor("x");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(x.data_ptr()) % 4, 0U);
  EXPECT_TRUE(x.equal(at::tensor({1.5F, -2.0F})));
}

TEST_F(Safetensors, IdentifiesAFileByItsHeader) {
  const std::string header = R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  const auto path = folder_.write("a.safetensors", file_bytes(header, 2));
  const auto files = open_safetensors(path).files();
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].bytes, 8 + header.size() + 2);
  EXPECT_EQ(files[0].header_sha256, sha256(header));
}

TEST_F(Safetensors, RefusesLengthsThatDoNotFitTheFile) {
  expect_refusal("", "too short");
  expect_refusal("1234567", "too short");
  expect_refusal(file_bytes("{}", 0, 1), "cut off");
  expect_refusal(std::string(8, '\xff'), "cut off");
  expect_refusal(file_bytes(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
                 "is the file complete?");
}

TEST_F(Safetensors, RefusesHeadersThatAreNotCleanJson) {
  expect_refusal(file_bytes("{\"x\":", 0), "not valid JSON");
  expect_refusal(file_bytes("[]", 0), "not a JSON object");
  expect_refusal(file_bytes("{}}", 0), "not valid JSON");
  expect_refusal(file_bytes("{\"\xff\":1}", 0), "not valid JSON");
  expect_refusal(file_bytes(std::string(100'000, '['), 0), "nested too deeply");
  expect_refusal(file_bytes("{\"x\":" + std::string(100'000, '[') + "}", 0), "nested too deeply");
}

TEST_F(Safetensors, RefusesRepeatedNamesAndKeys) {
  const std::string x = R"("x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_refusal(file_bytes("{" + x + "," + x + "}", 1), "a key appears twice in the JSON: x");
  expect_refusal(
      file_bytes(R"({"x":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1),
      "a key appears twice in the JSON: dtype");
}

TEST_F(Safetensors, RefusesEntriesThatContradictThemselves) {
  const auto refuse = [&](const std::string& entry, const std::string& message) {
    expect_refusal(file_bytes("{\"x\":" + entry + "}", 8), "x: " + message);
  };
  refuse("1", "its entry in the header is not an object");
  refuse(R"({"shape":[2],"data_offsets":[0,8]})", "dtype is missing");
  refuse(R"({"dtype":"F32","data_offsets":[0,8]})", "shape is missing");
  refuse(R"({"dtype":"F32","shape":[2]})", "data_offsets is missing");
  refuse(R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})", "unknown dtype: got \"F31\"");
  refuse(R"({"dtype":7,"shape":[2],"data_offsets":[0,8]})", "unknown dtype: got 7");
  refuse(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})", "shape is not an array");
  refuse(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", "shape has something else");
  refuse(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})", "shape has something else");
  refuse(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", "data_offsets is not a pair");
  refuse(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})", "data_offsets is not a pair");
  refuse(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})", "data_offsets has something");
  refuse(R"({"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551608]})",
         "data_offsets has something");
  refuse(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})",
         "shape and byte range disagree: got 8 bytes, want 12");
  refuse(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})",
         "shape and byte range disagree: got 8 bytes, want more than any file has");
  refuse(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})", "unknown key in its entry");
}

TEST_F(Safetensors, RefusesRangesThatOverlapOrLeaveHoles) {
  const auto header = [](int a_begin, int a_end, int b_begin, int b_end) {
    const auto entry = [](int begin, int end) {
      return R"({"dtype":"U8","shape":[)" + std::to_string(end - begin) + R"(],"data_offsets":[)" +
             std::to_string(begin) + "," + std::to_string(end) + "]}";
    };
    return R"({"a":)" + entry(a_begin, a_end) + R"(,"b":)" + entry(b_begin, b_end) + "}";
  };
  expect_refusal(file_bytes(header(0, 5, 4, 8), 8), "b: its bytes overlap those of a");
  expect_refusal(file_bytes(header(0, 8, 0, 8), 8), "b: its bytes overlap those of a");
  expect_refusal(file_bytes(header(0, 3, 4, 8), 8), "b: 1 bytes before it belong to no tensor");
  expect_refusal(file_bytes(header(1, 4, 4, 8), 8), "a: 1 bytes before it belong to no tensor");
  expect_refusal(file_bytes(header(0, 4, 4, 7), 8), "1 bytes at its end belong to no tensor");
}

TEST_F(Safetensors, NeverCrashesOnFlippedBits) {
  const auto path = folder_.path() / "good.safetensors";
  save_safetensors(path, {{"a", at::ones({3, 2})}, {"b", at::arange(4)}}, {{"k", "v"}});
  const std::string good = reel::testing::read_bytes(path);
  std::mt19937 random(3);
  int num_refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::string bytes = good;
    for (int i = 0; i < 2; ++i) {
      bytes[random() % (good.size() - 56)] ^= static_cast<char>(1 << random() % 8);
    }
    try {
      const auto source = open_safetensors(folder_.write("flipped.safetensors", bytes));
      for (const auto& info : source.infos()) {
        if (!c10::isFloat8Type(info.dtype)) source.tensor(info.name).clone();
      }
    } catch (const WeightError&) {
      ++num_refused;
    }
  }
  EXPECT_GT(num_refused, 250);
}

TEST_F(Safetensors, ListsEightBitFloatsButRefusesToUseThem) {
  const auto path =
      folder_.write("fp8.safetensors",
                    file_bytes(R"({"x":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}})", 2));
  const auto source = open_safetensors(path);
  EXPECT_NE(source.find("x"), nullptr);
  EXPECT_THAT([&] { source.tensor("x"); },
              ThrowsMessage<WeightError>(HasSubstr("8-bit floats are not supported")));
}

TEST_F(Safetensors, RefusesBytesThatAreNoTruthValues) {
  std::string bytes = file_bytes(R"({"x":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2);
  bytes.back() = '\2';
  const auto source = open_safetensors(folder_.write("bool.safetensors", bytes));
  EXPECT_THAT([&] { source.tensor("x"); },
              ThrowsMessage<WeightError>(HasSubstr("not a truth value")));
}

TEST_F(Safetensors, NamesAMissingTensorOrFile) {
  save_safetensors(folder_.path() / "a.safetensors", {{"x", at::ones({1})}});
  EXPECT_THAT([&] { open_safetensors(folder_.path() / "a.safetensors").tensor("y"); },
              ThrowsMessage<WeightError>(HasSubstr("no tensor named y")));
  EXPECT_THAT([&] { open_safetensors(folder_.path() / "b.safetensors"); },
              ThrowsMessage<WeightError>(HasSubstr("b.safetensors: cannot be opened: No such")));
  EXPECT_THAT([&] { open_safetensors(folder_.path()); },
              ThrowsMessage<WeightError>(HasSubstr("not a regular file")));
}

TEST_F(Safetensors, SavesAllOrNothing) {
  const auto path = folder_.path() / "a.safetensors";
  save_safetensors(path, {{"x", at::zeros({4})}});
  save_safetensors(path, {{"x", at::ones({4})}});  // replaces
  EXPECT_EQ(open_safetensors(path).tensor("x").sum().item<float>(), 4.0F);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 1);
  const auto absent = folder_.path() / "absent" / "a.safetensors";
  EXPECT_THAT([&] { save_safetensors(absent, {}); },
              ThrowsMessage<ConfigError>(HasSubstr("its folder does not exist")));
}

}  // namespace
}  // namespace reel::weights
