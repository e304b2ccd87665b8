#include "weights/torch_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/error.h"
#include "core/random.h"
#include "core/sha256.h"
#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_writer.h"
#include "weights/safetensors.h"

namespace reel::weights {
namespace {

using reel::testing::data_file;
using reel::testing::PickleWriter;
using reel::testing::torch_records;
using reel::testing::zip_archive;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

class TorchArchive : public ::testing::Test {
 protected:
  TensorSource open(const std::string& bytes) {
    return open_torch_archive(folder_.write("model.pt", bytes));
  }

  // Opens the archive of `pickle` with one storage of four floats.
  TensorSource open_pickle(const PickleWriter& pickle) {
    return open(zip_archive(torch_records(pickle.finish(), {floats({1, 2, 3, 4})})));
  }

  void expect_refusal(const std::string& bytes, const std::string& message) {
    EXPECT_THAT([&] { open(bytes); },
                ThrowsMessage<WeightError>(::testing::AllOf(
                    HasSubstr("model.pt: "), HasSubstr(message), ::testing::Not(HasSubstr("\n")))))
        << message;
  }

  void expect_pickle_refusal(const PickleWriter& pickle, const std::string& message) {
    expect_refusal(zip_archive(torch_records(pickle.finish(), {floats({1, 2, 3, 4})})), message);
  }

  // A dict whose one value is a view of the storage of four floats.
  void expect_view_refusal(int64_t storage_size, int64_t first, const std::vector<int64_t>& sizes,
                           const std::vector<int64_t>& strides, const std::string& message) {
    PickleWriter pickle;
    pickle.raw("}").text("x").tensor("FloatStorage", "0", storage_size, first, sizes, strides);
    expect_pickle_refusal(pickle.raw("s"), message);
  }

  reel::testing::TempFolder folder_;
};

TEST_F(TorchArchive, ReadsWhatPyTorchSaved) {
  const auto want = open_safetensors(data_file("weights/all.safetensors"));
  for (const char* name : {"weights/bare.pt", "weights/module.pt"}) {
    const auto got = open_torch_archive(data_file(name));
    ASSERT_EQ(got.infos().size(), want.infos().size());
    for (const auto& info : want.infos()) {
      const at::Tensor tensor = got.tensor(info.name);
      EXPECT_EQ(tensor.scalar_type(), info.dtype) << info.name;
      EXPECT_TRUE(tensor.equal(want.tensor(info.name))) << info.name;
    }
  }
  const auto layer = open_torch_archive(data_file("weights/state_dict.pt"));
  EXPECT_EQ(layer.infos().size(), 2U);
  NormalStream stream(11);  // in order of names: the bias first
  EXPECT_TRUE(layer.tensor("bias").equal(stream.next({3}).mul_(0.1)));
}

TEST_F(TorchArchive, SharesTheMemoryOfTheFileBetweenViews) {
  const auto source = open_torch_archive(data_file("weights/bare.pt"));
  const at::Tensor whole = source.tensor("whole.weight");
  EXPECT_EQ(source.tensor("rows.weight").data_ptr<float>(), whole.data_ptr<float>() + 2 * 8);
  EXPECT_EQ(source.tensor("columns.weight").data_ptr<float>(), whole.data_ptr<float>());
}

TEST_F(TorchArchive, ReadsZip64) {
  PickleWriter pickle;
  pickle.raw("}").text("x").tensor("FloatStorage", "0", 4, 1, {3}, {1}).raw("s");
  const auto records = torch_records(pickle.finish(), {floats({1, 2, 3, 4})});
  const auto source = open(zip_archive(records, reel::testing::ZipFields::k64));
  EXPECT_TRUE(source.tensor("x").equal(at::tensor({2.0F, 3.0F, 4.0F})));
  EXPECT_EQ(source.files()[0].header_sha256, sha256(pickle.finish()));
}

TEST_F(TorchArchive, PrefersModuleToEmaAndLooksInsideBoth) {
  const auto add = [](PickleWriter& pickle, const char* key, int64_t first) {
    pickle.text(key).raw("}").text("x").tensor("FloatStorage", "0", 4, first, {1}, {1}).raw("ss");
  };
  PickleWriter pickle;
  pickle.raw("}");
  add(pickle, "ema", 3);
  add(pickle, "module", 1);
  EXPECT_EQ(open_pickle(pickle).tensor("x").item<float>(), 2.0F);
  PickleWriter nested;
  nested.raw("}").text("state_dict").raw("}");
  add(nested, "ema", 2);
  EXPECT_EQ(open_pickle(nested.raw("s")).tensor("x").item<float>(), 3.0F);
}

TEST_F(TorchArchive, WritesWhatItReads) {
  const std::map<std::string, at::Tensor> tensors{{"a.weight", at::randn({3, 5})},
                                                  {"b", at::randn({2, 2}).to(at::kBFloat16)}};
  const auto path = folder_.path() / "a.pt";
  reel::testing::save_torch_archive(path, tensors, {"state_dict", "module"});
  const auto source = open_torch_archive(path);
  for (const auto& [name, want] : tensors) EXPECT_TRUE(source.tensor(name).equal(want));
}

TEST_F(TorchArchive, RefusesEveryGlobalThatStateDictsDoNotNeed) {
  PickleWriter attack;
  attack.global("posix", "system").raw("(").text("touch /tmp/owned").raw("tR");
  expect_pickle_refusal(attack, "data.pkl: wants to use posix.system");
  expect_pickle_refusal(PickleWriter().global("builtins", "eval"), "builtins.eval");
  expect_pickle_refusal(PickleWriter().global("__builtin__", "getattr"), "__builtin__.getattr");
  expect_pickle_refusal(PickleWriter().global("torch", "load"), "torch.load");
  expect_pickle_refusal(PickleWriter().global("torch.storage\x1b[2J", "x"), "\\x1b[2J.x");
  EXPECT_THAT([] { open_torch_archive(data_file("weights/foreign_global.pt")); },
              ThrowsMessage<WeightError>(HasSubstr("wants to use collections.Counter")));
}

TEST_F(TorchArchive, RefusesOpcodesThatStateDictsDoNotNeed) {
  for (const char* opcode : {"i", "o", "\x81", "\x82", "\x93", "\x94", "B", "V", "I", "F", "2"}) {
    expect_pickle_refusal(PickleWriter().raw("}").raw(opcode), "which a state dict does not need");
  }
  EXPECT_THAT([] { open_torch_archive(data_file("weights/protocol_4.pt")); },
              ThrowsMessage<WeightError>(HasSubstr("pickle protocol 4: want 2")));
}

TEST_F(TorchArchive, RefusesPicklesThatMisuseTheStack) {
  expect_pickle_refusal(PickleWriter(), "the stack is empty");
  expect_pickle_refusal(PickleWriter().raw("s"), "the stack is empty");
  expect_pickle_refusal(PickleWriter().raw("}("), "the stack is empty");
  expect_pickle_refusal(PickleWriter().raw("N(\x85"), "the stack is empty");
  expect_pickle_refusal(PickleWriter().raw("}}"), "values are left on the stack");
  expect_pickle_refusal(PickleWriter().raw("}."), "bytes follow the end");
  expect_pickle_refusal(PickleWriter().raw("}u"), "there is no mark");
  expect_pickle_refusal(PickleWriter().raw("}(Nu"), "a key has no value");
  expect_pickle_refusal(PickleWriter().raw("N(NNu"), "something else than a dict");
  expect_pickle_refusal(PickleWriter().raw("}Na"), "something else than a list");
  expect_pickle_refusal(PickleWriter().raw("h\x07"), "memo 7 is used before it is set");
  expect_pickle_refusal(PickleWriter().raw("j\xff\xff\xff\xff"), "memo 4294967295 is used");
  expect_pickle_refusal(PickleWriter().raw("NNR"), "the tuple of arguments that a call needs");
  expect_pickle_refusal(PickleWriter().raw("N)R"), "a function that can be called");
  expect_pickle_refusal(PickleWriter().raw("N}b"), "attributes are set on something");
}

TEST_F(TorchArchive, RefusesPicklesThatEndEarly) {
  PickleWriter good;
  good.raw("}").text("x").tensor("FloatStorage", "0", 4, 0, {2, 2}, {2, 1}).raw("s");
  const std::string bytes = good.finish();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto records = torch_records(bytes.substr(0, length), {floats({1, 2, 3, 4})});
    EXPECT_THROW(open(zip_archive(records)), WeightError) << length;
  }
  expect_pickle_refusal(PickleWriter().raw("X\xff\xff\xff\xff"), "the pickle ends early");
  expect_pickle_refusal(PickleWriter().raw("\x8a\xff"), "the pickle ends early");
}

TEST_F(TorchArchive, SurvivesBombs) {
  // 200,000 lists inside each other; nothing recurses into them.
  std::string nested;
  for (int i = 0; i < 200'000; ++i) nested += "]";
  for (int i = 1; i < 200'000; ++i) nested += "a";
  PickleWriter deep;
  deep.raw("}").text("x").raw(nested).raw("s");
  EXPECT_TRUE(open_pickle(deep).infos().empty());
  // Each dict holds the one before twice.
  PickleWriter laughs;
  laughs.raw("}q\x01");
  for (int i = 0; i < 100; ++i)
    laughs.raw("}(").text("a").raw("h\x01").text("b").raw("h\x01uq\x01");
  expect_pickle_refusal(laughs, "values are left on the stack");
  // A dict that is its own module.
  expect_pickle_refusal(PickleWriter().raw("}q\x01").text("module").raw("h\x01s"), "without end");
  expect_pickle_refusal(PickleWriter().raw(std::string(1'100'000, 'N')),
                        "more than 1000000 values");
  expect_pickle_refusal(PickleWriter().raw(std::string(1'100'000, '(')), "the stack is too high");
  const std::string huge(17 << 20, 'N');
  expect_pickle_refusal(PickleWriter().raw(huge), "data.pkl is too long");
}

TEST_F(TorchArchive, RefusesViewsThatLeaveTheirStorage) {
  expect_view_refusal(4, 0, {5}, {1}, "x: it reaches beyond its storage: got 5 elements");
  expect_view_refusal(4, 1, {4}, {1}, "x: it reaches beyond its storage");
  expect_view_refusal(4, 5, {0}, {1}, "x: it reaches beyond its storage");
  expect_view_refusal(4, 0, {2}, {4}, "x: it reaches beyond its storage");
  expect_view_refusal(4, 0, {2}, {int64_t{1} << 62}, "x: it reaches beyond its storage");
  expect_view_refusal(4, int64_t{1} << 62, {1}, {1}, "x: it reaches beyond its storage");
  expect_view_refusal(4, 0, {2}, {-1}, "x: its strides is not a whole number");
  expect_view_refusal(4, -1, {2}, {1}, "x: its offset is not a whole number");
  expect_view_refusal(4, 0, {-2}, {1}, "x: its shape is not a whole number");
  expect_view_refusal(4, 0, {2, 2}, {1}, "x: its shape and strides differ in length");
  expect_view_refusal(4, 0, {int64_t{1} << 40, int64_t{1} << 40}, {0, 0}, "larger than any file");
  expect_view_refusal(4, 0, std::vector<int64_t>(17, 1), std::vector<int64_t>(17, 1),
                      "a tuple of at most 16 numbers");
}

TEST_F(TorchArchive, RefusesStoragesThatAreNotAsThePickleSays) {
  expect_view_refusal(3, 0, {2}, {1}, "has another size: got 16 bytes, want 12");
  expect_view_refusal(5, 0, {2}, {1}, "has another size: got 16 bytes, want 20");
  expect_view_refusal(int64_t{1} << 62, 0, {2}, {1}, "want more than any file has");
  PickleWriter absent;
  absent.raw("}").text("x").tensor("FloatStorage", "../1", 4, 0, {4}, {1}).raw("s");
  expect_pickle_refusal(absent, "its storage data/../1 is not in the archive");
  PickleWriter no_storage;
  no_storage.raw("}").text("x").global("torch._utils", "_rebuild_tensor_v2").raw("(NNNNNNtRs");
  expect_pickle_refusal(no_storage, "x: it has no storage");
  PickleWriter no_arguments;
  no_arguments.raw("}").text("x").global("torch._utils", "_rebuild_tensor_v2").raw(")Rs");
  expect_pickle_refusal(no_arguments, "x: too few arguments");
}

TEST_F(TorchArchive, RefusesStateDictsThatAreNone) {
  expect_pickle_refusal(PickleWriter().raw("]"), "not a dict of tensors");
  expect_pickle_refusal(PickleWriter().raw("}NNs"), "a key of the state dict is not text");
  PickleWriter twice;
  for (const char* begin : {"}", ""}) {
    twice.raw(begin).text("x").tensor("FloatStorage", "0", 4, 0, {4}, {1}).raw("s");
  }
  expect_pickle_refusal(twice, "two tensors have the same name: x in model.pt");
}

TEST_F(TorchArchive, NeverCrashesOnFlippedBits) {
  const std::string good = reel::testing::read_bytes(data_file("weights/module.pt"));
  const size_t pickle_at = good.find("\x80\x02}");
  std::mt19937 random(2);
  int num_refused = 0;
  for (int round = 0; round < 500; ++round) {
    std::string bytes = good;
    // Most of the structure is in the pickle, the first record.
    for (int i = 0; i < 2; ++i) {
      bytes[pickle_at + random() % 1500] ^= static_cast<char>(1 << random() % 8);
    }
    try {
      const auto source = open(bytes);
      for (const auto& info : source.infos()) {
        if (info.dtype == at::kFloat && info.bytes < 4096) source.tensor(info.name).sum();
      }
    } catch (const WeightError&) {
      ++num_refused;
    }
  }
  EXPECT_GT(num_refused, 100);
}

TEST_F(TorchArchive, RefusesFilesThatAreNoArchives) {
  expect_refusal("", "not a PyTorch file");
  expect_refusal("garbage", "not a PyTorch file");
  expect_refusal(zip_archive({{"a/b", "c"}}), "a zip archive without data.pkl");
  expect_refusal(zip_archive({{"a/data.pkl", ""}, {"b/data.pkl", ""}}), "two pickles");
  expect_refusal(zip_archive({{"a/data.pkl", ""}}), "data.pkl: not a pickle");
  expect_refusal(zip_archive({{"a/data.pkl", "\x80\x02}."}, {"a/byteorder", "big"}}),
                 "wrong byte order: got big, want little");
  EXPECT_THAT([] { open_torch_archive(data_file("weights/before_1_6.pt")); },
              ThrowsMessage<WeightError>(HasSubstr("before version 1.6")));
}

TEST_F(TorchArchive, ListsEightBitFloatsButRefusesToUseThem) {
  const auto source = open_torch_archive(data_file("weights/fp8.pt"));
  EXPECT_EQ(source.tensor("y").sum().item<float>(), 2.0F);
  EXPECT_EQ(source.find("x")->shape, std::vector<int64_t>{4});
  EXPECT_THAT([&] { source.tensor("x"); },
              ThrowsMessage<WeightError>(HasSubstr("8-bit floats are not supported")));
}

}  // namespace
}  // namespace reel::weights
