#include "vbench/evaluate.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "core/error.h"
#include "vbench/score.h"

namespace reel::vbench {
namespace {

namespace fs = std::filesystem;

constexpr auto kPollInterval = std::chrono::milliseconds(20);

pid_t start(const std::vector<std::string>& command) {
  std::vector<char*> words;
  for (const auto& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t id = -1;
  const int failed = posix_spawnp(&id, words[0], nullptr, nullptr, words.data(), environ);
  if (failed != 0) {
    fail<ConfigError>("vbench: ", command[0], " cannot be started: ", std::strerror(failed),
                      "; install VBench, or name its program with --vbench");
  }
  return id;
}

// Waits for the end; passes a stop on, and waits for the end then too.
int wait_for(pid_t id, const std::function<int()>& stop, int& stopped_by) {
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(id, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) {
      fail<Error>("vbench: waiting failed: ", std::strerror(errno));
    }
    if (ended == id) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (stopped_by == 0 && stop() != 0) {
      stopped_by = stop();
      kill(id, stopped_by);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
}

bool has_result(const fs::path& folder, const std::string& dimension) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return false;
  try {
    return read_scores(folder).contains(dimension);
  } catch (const ConfigError&) {
    return false;
  }
}

}  // namespace

std::vector<std::string> command_of(const Evaluation& evaluation, const std::string& dimension,
                                    const fs::path& output) {
  std::vector<std::string> command;
  if (evaluation.program.ends_with(".py")) {
    command = {"python3", evaluation.program};
  } else {
    command = {evaluation.program, "evaluate"};
  }
  command.insert(command.end(), {"--videos_path", evaluation.videos.string(), "--dimension",
                                 dimension, "--output_path", output.string()});
  if (evaluation.info) command.insert(command.end(), {"--full_json_dir", *evaluation.info});
  if (evaluation.num_gpus) {
    command.insert(command.end(), {"--ngpus", std::to_string(*evaluation.num_gpus)});
  }
  return command;
}

std::vector<DimensionRun> evaluate(
    const Evaluation& evaluation,
    const std::function<void(const std::string&, const std::optional<DimensionRun>&)>& told,
    const std::function<int()>& stop) {
  std::error_code failed;
  fs::create_directories(evaluation.results, failed);
  if (failed) {
    fail<ConfigError>(evaluation.results.string(), ": cannot be made: ", failed.message());
  }
  std::vector<DimensionRun> runs;
  for (const auto& dimension : evaluation.dimensions) {
    DimensionRun run{.dimension = dimension, .was_done = false, .exit_code = 0};
    const fs::path result = evaluation.results / dimension;
    run.was_done = has_result(result, dimension);
    if (!run.was_done) {
      if (const int signal = stop(); signal != 0) throw Interrupted(signal);
      told(dimension, std::nullopt);
      const fs::path part = evaluation.results / (dimension + ".part");
      fs::remove_all(part, failed);
      fs::create_directories(part, failed);
      int stopped_by = 0;
      run.exit_code = wait_for(start(command_of(evaluation, dimension, part)), stop, stopped_by);
      if (stopped_by != 0) throw Interrupted(stopped_by);
      if (run.exit_code == 0 && !has_result(part, dimension)) run.exit_code = 1;
      if (run.exit_code == 0) {
        fs::remove_all(result, failed);
        fs::rename(part, result, failed);
        if (failed) fail<IoError>(result.string(), ": naming it failed: ", failed.message());
      }
    }
    told(dimension, run);
    runs.push_back(run);
  }
  return runs;
}

}  // namespace reel::vbench
