#include "tests/e2e/program_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "tests/support/compare.h"
#include "tests/support/tiny_model.h"
#include "weights/safetensors.h"

namespace reel::testing {

namespace fs = std::filesystem;

std::unique_ptr<TempFolder> ProgramTest::models_;

Arguments operator+(Arguments first, const Arguments& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

Tensors read_tensors(const fs::path& file) {
  const auto source = weights::open_safetensors(file);
  Tensors tensors;
  for (const auto& info : source.infos()) tensors[info.name] = source.tensor(info.name);
  return tensors;
}

fs::path ProgramTest::model(weights::Layout layout) {
  if (!models_) models_ = std::make_unique<TempFolder>();
  const fs::path folder = models_->path() / weights::layout_name(layout);
  if (!fs::exists(folder)) write_tiny_model(data_file("tiny_model"), folder, layout);
  return folder;
}

fs::path ProgramTest::model_to_break() const {
  const fs::path copy = folder_ / "model";
  fs::copy(model(), copy, fs::copy_options::recursive);
  return copy;
}

Tensors ProgramTest::probe(const std::string& stage, const Tensors& inputs, const Arguments& more) {
  const fs::path in = folder_ / "in.safetensors";
  const fs::path out = folder_ / "out.safetensors";
  weights::save_safetensors(in, inputs);
  const bool has_model = stage == "xattn" || std::count(more.begin(), more.end(), "--model") > 0;
  const Arguments arguments{"probe", stage, "--in", in, "--out", out, "--overwrite"};
  const auto run =
      run_program(arguments + (has_model ? Arguments{} : Arguments{"--model", model()}) + more);
  EXPECT_EQ(run.exit_code, 0) << stage << ": " << run.err;
  return run.exit_code == 0 ? read_tensors(out) : Tensors{};
}

Tensors ProgramTest::encode(const std::string& prompts, const Arguments& more) {
  const fs::path in = folder_.write("prompts.txt", prompts);
  const fs::path out = folder_ / "encoded.safetensors";
  const bool has_model = std::count(more.begin(), more.end(), "--model") > 0;
  const Arguments arguments{"probe", "encode", "--in", in, "--out", out, "--overwrite"};
  const auto run =
      run_program(arguments + (has_model ? Arguments{} : Arguments{"--model", model()}) + more);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return run.exit_code == 0 ? read_tensors(out) : Tensors{};
}

Arguments ProgramTest::generate(const fs::path& output, const Arguments& more) {
  const std::pair<const char*, std::string> usual[] = {
      {"--model", model()}, {"-p", "a blue star spins"}, {"-W", "64"},
      {"-H", "64"},         {"--frames", "5"},           {"--steps", "2"},
      {"--attn", "dense"},  {"--preset", "veryfast"},    {"-o", output}};
  Arguments arguments{"generate"};
  for (const auto& [flag, value] : usual) {
    if (std::count(more.begin(), more.end(), flag) > 0) continue;
    arguments.push_back(flag);
    arguments.push_back(value);
  }
  return arguments + more;
}

void ProgramTest::expect_refused(const Arguments& arguments, int exit_code,
                                 const std::vector<std::string>& texts) {
  const auto run = run_program(arguments);
  EXPECT_EQ(run.exit_code, exit_code) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(run.err.starts_with("sparsereel: ")) << run.err;
  std::istringstream lines(run.err);
  std::string line;
  for (int i = 0; std::getline(lines, line); ++i) {
    EXPECT_TRUE(i == 0 || line.starts_with("  ")) << run.err;
  }
  for (const auto& text : texts) EXPECT_THAT(run.err, ::testing::HasSubstr(text));
}

}  // namespace reel::testing
