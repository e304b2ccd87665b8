// What all benchmark programs share: how they run and fail, flags, warm-up, repetition, pacing by a
// peer, the report.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace reel::benchmarks {

/// Parses the command line and runs `work`, for inference alone. Returns the exit code; errors go
/// to standard error, behind `name`.
int run_program(const std::string& name, CLI::App& app, int argc, char** argv,
                const std::function<void()>& work);

/// Writes `report` to `file`, or nothing if that is empty. Throws IoError.
void write_report(const std::string& file, const nlohmann::json& report);

/// Flags of a benchmark of one hot path: --device, --dtype, --threads, --repeats, --paced, --json.
struct RunFlags {
  std::string device = "cpu";
  std::string dtype = "fp32";
  int threads = 2;
  int repeats = 9;
  bool paced = false;
  bool json = false;
};

/// One hot path, made ready.
struct HotPath {
  std::function<void()> run;              ///< once, until the device is done
  nlohmann::json facts;                   ///< what runs: sizes and modes, an object
  std::map<std::string, double> amounts;  ///< work of one run, in units of 1e9: {"GB", 0.5}
};

/// Adds RunFlags to `app` and runs it as run_program() does: sets the threads, calls `prepare`,
/// runs it once to warm up and then --repeats times, and prints the median with the rates of all
/// amounts, or with --json one object:
/// {"format":1,"benchmark":name, ..facts.., "ms":[..],"median_ms":..,"GB_per_s":..}.
///
/// --paced lets a peer run in turn with this one: after the warm-up it prints "ready", then for
/// every line on standard input runs once and prints that run's milliseconds.
///
/// Returns the exit code.
int run_benchmark(const std::string& name, CLI::App& app, RunFlags& flags, int argc, char** argv,
                  const std::function<HotPath()>& prepare);

/// The middle value, or the mean of the two middle ones. `values` must not be empty.
double median(std::vector<double> values);

}  // namespace reel::benchmarks
