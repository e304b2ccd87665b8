#include "vbench/installed.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

namespace reel::vbench {
namespace {

constexpr const char* kScript =
    "import importlib.util as u\n"
    "s = u.find_spec('vbench')\n"
    "print(next(iter(s.submodule_search_locations or []), '') if s else '', end='')";

// What python3 prints; empty if it cannot be run or fails.
std::string ask_python() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string python = "python3";
  std::string flag = "-c";
  std::string script = kScript;
  char* words[] = {python.data(), flag.data(), script.data(), nullptr};
  pid_t id = -1;
  const bool started = posix_spawnp(&id, words[0], &actions, nullptr, words, environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; started && (got = read(ends[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  close(ends[0]);
  int status = 1;
  if (started) waitpid(id, &status, 0);
  return status == 0 ? text : std::string();
}

}  // namespace

std::optional<std::filesystem::path> find_installed_info() {
  const std::string folder = ask_python();
  if (folder.empty()) return std::nullopt;
  const auto file = std::filesystem::path(folder) / "VBench_full_info.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
  return file;
}

}  // namespace reel::vbench
