#include "tests/support/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <system_error>
#include <thread>

namespace reel::testing {
namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(5);

// What posix_spawn is to open in the child.
class Redirections {
 public:
  Redirections() { posix_spawn_file_actions_init(&actions_); }
  Redirections(const Redirections&) = delete;
  Redirections& operator=(const Redirections&) = delete;
  ~Redirections() { posix_spawn_file_actions_destroy(&actions_); }

  void add(int descriptor, const std::string& file, int flags) {
    posix_spawn_file_actions_addopen(&actions_, descriptor, file.c_str(), flags, 0600);
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

}  // namespace

std::filesystem::path program_file() {
  if (const char* named = std::getenv("SPARSEREEL")) return named;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "sparsereel";
}

Program::Program(const std::vector<std::string>& arguments, const std::string& file) {
  std::vector<std::string> words{file};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  Redirections redirections;
  redirections.add(STDIN_FILENO, "/dev/null", O_RDONLY);
  redirections.add(STDOUT_FILENO, folder_ / "out", O_WRONLY | O_CREAT);
  redirections.add(STDERR_FILENO, folder_ / "err", O_WRONLY | O_CREAT);
  const int failed =
      posix_spawn(&id_, file.c_str(), redirections.get(), nullptr, argv.data(), environ);
  if (failed != 0) throw std::system_error(failed, std::generic_category(), file);
}

Program::~Program() {
  if (has_ended()) return;
  send(SIGKILL);
  waitpid(id_, &status_, 0);
}

bool Program::has_ended() {
  if (!ended_) ended_ = waitpid(id_, &status_, WNOHANG) == id_;
  return ended_;
}

void Program::send(int signal) const {
  if (!ended_) ::kill(id_, signal);
}

bool Program::wait_for_output(const std::string& text, std::chrono::seconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (read_bytes(folder_ / "out").find(text) == std::string::npos) {
    if (has_ended() || std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

ProgramRun Program::wait(std::chrono::seconds timeout) {
  ProgramRun run;
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!has_ended()) {
    if (std::chrono::steady_clock::now() > end && !run.timed_out) {
      run.timed_out = true;
      send(SIGKILL);
    }
    std::this_thread::sleep_for(kPollInterval);
  }
  if (WIFEXITED(status_)) run.exit_code = WEXITSTATUS(status_);
  if (WIFSIGNALED(status_)) run.signal = WTERMSIG(status_);
  run.out = read_bytes(folder_ / "out");
  run.err = read_bytes(folder_ / "err");
  return run;
}

ProgramRun run_program(const std::vector<std::string>& arguments) {
  return Program(arguments).wait();
}

}  // namespace reel::testing
