// Bad input of every kind: the exit code, and the very line that docs/TESTING.md shows for it.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>

#include "tests/e2e/program_fixture.h"
#include "tests/e2e/small_disk.h"
#include "tests/support/compare.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVae = "vae/diffusion_pytorch_model.safetensors";
constexpr const char* kClip = "text_encoder_2/model.safetensors";
constexpr const char* kFolderInTable = "DIR";

// Where a case puts its files. `out` is where the run may write, `model` a folder to break.
struct Place {
  TempFolder& folder;
  fs::path model;

  fs::path out() const { return folder / "out/clip.mp4"; }
};

struct BadInput {
  const char* name;  // as in the table
  int exit_code;
  std::function<Arguments(const Place&)> prepare;  // flags of `generate`; they replace usual ones
};

std::string safetensors_bytes(const std::string& header, size_t data_bytes, uint64_t length) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> (8 * i) & 0xFF);
  return bytes + header + std::string(data_bytes, '\1');
}

Arguments use(const Place& place) {
  return {"--model", place.model};
}

template <typename Change>
Arguments with_weights(const Place& place, const char* file, const Change& change) {
  Tensors tensors;
  for (const auto& [name, tensor] : read_tensors(place.model / file)) {
    tensors[name] = tensor.clone();
  }
  change(tensors);
  fs::remove(place.model / file);
  weights::save_safetensors(place.model / file, tensors, {{"format", "pt"}});
  return use(place);
}

template <typename Change>
Arguments with_json(const Place& place, const char* file, const Change& change) {
  auto json = nlohmann::json::parse(read_bytes(place.model / file));
  change(json);
  write_bytes(place.model / file, json.dump());
  return use(place);
}

Arguments with_file(const Place& place, const char* file, const std::string& bytes) {
  write_bytes(place.model / file, bytes);
  return use(place);
}

std::vector<BadInput> model_cases() {
  return {
      {"truncated safetensors", 3,
       [](const Place& place) {
         fs::resize_file(place.model / kVae, fs::file_size(place.model / kVae) - 100);
         return use(place);
       }},
      {"overlapping tensors", 3,
       [](const Place& place) {
         const std::string header = R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
                                    R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})";
         return with_file(place, kClip, safetensors_bytes(header, 8, header.size()));
       }},
      {"safetensors header longer than the file", 3,
       [](const Place& place) {
         return with_file(place, kClip, safetensors_bytes("{}", 0, uint64_t{1} << 60U));
       }},
      {"missing, extra and ill-shaped tensors", 3,
       [](const Place& place) {
         return with_weights(place, kClip, [](Tensors& tensors) {
           tensors.erase("final_layer_norm.bias");
           tensors["embeddings.position_embedding.weight"] = at::zeros({76, 32});
           tensors["surprise"] = at::zeros({1});
         });
       }},
      {"NaN in the VAE's weights", 6,
       [](const Place& place) {
         return with_weights(place, kVae, [](Tensors& tensors) {
           for (auto& [name, tensor] : tensors) tensor.fill_(std::nanf(""));
         });
       }},
      {"a pickle that wants to run something", 3,
       [](const Place& place) {
         const fs::path vae = place.folder / "vae";
         fs::create_directory(vae);
         fs::copy_file(place.model / "vae/config.json", vae / "config.json");
         fs::copy_file(data_file("weights/foreign_global.pt"), vae / "pytorch_model.pt");
         return Arguments{"--vae", vae};
       }},
      {"an index that names a missing shard", 3,
       [](const Place& place) {
         fs::remove(place.model / "transformer/diffusion_pytorch_model-00002-of-00002.safetensors");
         return use(place);
       }},
      {"config.json that is no JSON", 3,
       [](const Place& place) {
         return with_file(place, "vae/config.json", "{\"latent_channels\": 4,");
       }},
      {"config.json without a key", 3,
       [](const Place& place) {
         return with_json(place, "transformer/config.json",
                          [](auto& config) { config.erase("num_layers"); });
       }},
      {"a model of another family", 3,
       [](const Place& place) {
         return with_json(place, "model_index.json",
                          [](auto& index) { index["_class_name"] = "StableDiffusionPipeline"; });
       }},
      {"a model folder that is not there", 3,
       [](const Place& place) { return Arguments{"--model", place.folder / "nowhere"}; }},
  };
}

std::vector<BadInput> request_cases() {
  const auto flags = [](Arguments words) {
    return [words = std::move(words)](const Place& /*place*/) { return words; };
  };
  return {
      {"frames not 4k + 1", 2, flags({"--frames", "128"})},
      {"sizes not multiples of 16", 2, flags({"-W", "1270", "-H", "721"})},
      {"an empty prompt file", 2,
       [](const Place& place) {
         return Arguments{"--prompt-file", place.folder.write("p.txt", "\n")};
       }},
      {"a prompt that is not UTF-8", 2, flags({"-p", "caf\xE9"})},
      {"an unknown flag", 2, flags({"--heigth", "64"})},
      {"an unknown key of a config file", 2,
       [](const Place& place) {
         return Arguments{"--config", place.folder.write("c.json", R"({"format": 1,
  "attention": {"tua": 0.9}})")};
       }},
      {"tau outside (0, 1]", 2, flags({"--attn", "xattn", "--dense-steps", "0", "--tau", "1.5"})},
      {"a folder for the output that is not there", 2,
       [](const Place& place) { return Arguments{"-o", place.folder / "none/clip.mp4"}; }},
      {"an output that is there already", 2,
       [](const Place& place) { return Arguments{"-o", place.folder.write("mine.mp4", "mine")}; }},
      {"latents of another shape", 2,
       [](const Place& place) {
         const fs::path file = place.folder / "noise.safetensors";
         weights::save_safetensors(file, {{"noise", at::zeros({1, 4, 2, 8, 9})}});
         return Arguments{"--latents", file};
       }},
      {"cuda where no GPU is", 2, flags({"--device", "cuda"})},
      {"offloading on a CPU", 2, flags({"--device", "cpu", "--offload", "blocks"})},
      {"a limit of GPU memory on a CPU", 2, flags({"--device", "cpu", "--max-vram", "24"})},
  };
}

std::vector<BadInput> all_cases() {
  auto cases = model_cases();
  for (auto& one : request_cases()) cases.push_back(std::move(one));
  return cases;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// What was printed, as a cell of the table.
std::string cell(std::string printed, const Place& place, const fs::path& usual_model) {
  while (printed.ends_with('\n')) printed.pop_back();
  printed = replaced(printed, place.model.string(), "MODEL");
  printed = replaced(printed, place.folder.path().string(), kFolderInTable);
  printed = replaced(printed, usual_model.string(), "MODEL");
  printed = replaced(printed, fs::current_path().string() + "/", "");
  printed = replaced(printed, "sparsereel: ", "");
  return replaced(replaced(printed, "|", "\\|"), "\n", "<br>");
}

std::string row(const std::string& name, int exit_code, const std::string& printed) {
  return "| " + name + " | " + std::to_string(exit_code) + " | " + printed + " |\n";
}

class BadInputs : public ProgramTest, public ::testing::WithParamInterface<size_t> {};

TEST_P(BadInputs, EndAsTheTableSays) {
  const BadInput input = all_cases()[GetParam()];
  SCOPED_TRACE(input.name);
  if (std::string(input.name).starts_with("cuda") && at::hasCUDA()) {
    GTEST_SKIP() << "a GPU is here";
  }
  const Place place = {folder_, model_to_break()};
  fs::create_directory(folder_ / "out");
  const Arguments more = input.prepare(place) + Arguments{"--progress", "none"};
  const fs::path output = std::count(more.begin(), more.end(), "-o") > 0 ? fs::path() : place.out();
  Arguments arguments = generate(output, more);
  if (std::count(more.begin(), more.end(), "--prompt-file") > 0) {
    const auto prompt = std::find(arguments.begin(), arguments.end(), "-p");
    arguments.erase(prompt, prompt + 2);
  }
  const auto run = run_program(arguments);
  EXPECT_EQ(run.exit_code, input.exit_code) << run.err;
  EXPECT_EQ(run.signal, 0);
  EXPECT_EQ(run.out, "");
  EXPECT_FALSE(fs::exists(place.out()));
  const std::string want = row(input.name, input.exit_code, cell(run.err, place, model()));
  EXPECT_THAT(read_bytes("docs/TESTING.md"), ::testing::HasSubstr(want)) << want;
}

INSTANTIATE_TEST_SUITE_P(Table, BadInputs, ::testing::Range<size_t>(0, all_cases().size()));

TEST(BadInputsTable, HasARowForEveryCase) {
  const std::string page = read_bytes("docs/TESTING.md");
  for (const auto& input : all_cases()) {
    EXPECT_THAT(page, ::testing::HasSubstr("\n| " + std::string(input.name) + " | "));
  }
}

class BadPlaces : public ProgramTest {};

TEST_F(BadPlaces, AFullDiskLeavesNothingHalfWritten) {
  const SmallDisk disk(folder_ / "small", "8k");
  if (!disk.mounted()) GTEST_SKIP() << "no right to mount a small file system";
  const auto run = run_program(generate(folder_ / "small/clip.mp4", {"--progress", "none"}));
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.err, ::testing::HasSubstr("No space left on device"));
  EXPECT_FALSE(fs::exists(folder_ / "small/clip.mp4"));
}

TEST_F(BadPlaces, TwoProcessesWithOneOutputLoseNothing) {
  const fs::path video = folder_ / "clip.mp4";
  Program slow(generate(video, {"--progress", "json", "--steps", "20"}));
  ASSERT_TRUE(slow.wait_for_output("\"step\""));
  slow.send(SIGSTOP);
  const auto fast = run_program(generate(video, {"--progress", "none"}));
  const std::string bytes = read_bytes(video);
  slow.send(SIGCONT);
  const auto run = slow.wait();
  EXPECT_EQ(fast.exit_code, 0) << fast.err;
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, ::testing::HasSubstr("is there already"));
  EXPECT_THAT(run.err, ::testing::HasSubstr("latents are kept in"));
  EXPECT_EQ(read_bytes(video), bytes);
  EXPECT_TRUE(fs::exists(folder_ / "clip.latents.safetensors"));
}

}  // namespace
}  // namespace reel::testing
