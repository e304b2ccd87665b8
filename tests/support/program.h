// Runs the built program as a user does: a child process, judged by what it prints and leaves.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

namespace reel::testing {

/// What a child process left behind.
struct ProgramRun {
  int exit_code = -1;  ///< -1 if it did not exit by itself
  int signal = 0;      ///< that ended it; 0 if it exited
  bool timed_out = false;
  std::string out;  ///< all of stdout
  std::string err;  ///< all of stderr
};

/// The program under test: the environment's SPARSEREEL, else `sparsereel` beside the test program.
std::filesystem::path program_file();

/// A child process that runs; one that is still there at the end of this object's life is killed.
class Program {
 public:
  /// Starts the program, or another `file`, with `arguments`, stdin empty. Throws
  /// std::system_error if it cannot.
  explicit Program(const std::vector<std::string>& arguments,
                   const std::string& file = program_file());
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  /// Sends `signal`.
  void send(int signal) const;

  /// Waits until stdout holds `text`; false if the program ends or `timeout` passes before.
  bool wait_for_output(const std::string& text,
                       std::chrono::seconds timeout = std::chrono::seconds(60));

  /// Waits for its end; after `timeout` it is killed.
  ProgramRun wait(std::chrono::seconds timeout = std::chrono::seconds(120));

 private:
  bool has_ended();

  TempFolder folder_;  // takes stdout and stderr: files never fill up as pipes do
  pid_t id_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

/// Runs the program with `arguments` to its end.
ProgramRun run_program(const std::vector<std::string>& arguments);

}  // namespace reel::testing
