#include "benchmarks/timed_runs.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <fstream>
#include <iostream>

#include "core/error.h"
#include "core/heap.h"
#include "core/stopwatch.h"

namespace reel::benchmarks {
namespace {

double run_ms(const HotPath& path) {
  const Stopwatch watch;
  path.run();
  return watch.elapsed_ms();
}

void print_json(const std::string& name, const RunFlags& flags, const HotPath& path,
                const std::vector<double>& ms) {
  nlohmann::json report = {{"format", 1},
                           {"benchmark", name},
                           {"device", flags.device},
                           {"dtype", flags.dtype},
                           {"threads", flags.threads},
                           {"ms", ms},
                           {"median_ms", median(ms)}};
  report.update(path.facts);
  for (const auto& [unit, amount] : path.amounts) {
    report[unit + "_per_s"] = amount / median(ms) * 1e3;
  }
  std::cout << report.dump() << '\n';
}

void print_text(const std::string& name, const RunFlags& flags, const HotPath& path,
                const std::vector<double>& ms) {
  std::cout << name << ", " << flags.dtype << " on " << flags.device << ", " << flags.threads
            << " threads:";
  for (const auto& fact : path.facts.items()) std::cout << ' ' << fact.key() << '=' << fact.value();
  std::cout << "\n  median " << median(ms) << " ms of " << ms.size() << ", best "
            << *std::min_element(ms.begin(), ms.end()) << " ms";
  for (const auto& [unit, amount] : path.amounts) {
    std::cout << ", " << amount / median(ms) * 1e3 << ' ' << unit << "/s";
  }
  std::cout << '\n';
}

void measure(const std::string& name, const RunFlags& flags,
             const std::function<HotPath()>& prepare) {
  at::set_num_threads(flags.threads);
  const HotPath path = prepare();
  path.run();
  if (flags.paced) {
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) std::cout << run_ms(path) << std::endl;
    return;
  }
  std::vector<double> ms;
  for (int i = 0; i < flags.repeats; ++i) ms.push_back(run_ms(path));
  (flags.json ? print_json : print_text)(name, flags, path, ms);
}

void add_run_flags(CLI::App& app, RunFlags& flags) {
  app.add_option("--device", flags.device, "cpu, cuda or cuda:N");
  app.add_option("--dtype", flags.dtype, "fp32, bf16 or fp16");
  app.add_option("--threads", flags.threads)->check(CLI::PositiveNumber);
  app.add_option("--repeats", flags.repeats)->check(CLI::PositiveNumber);
  app.add_flag("--paced", flags.paced, "run once for every line on standard input");
  app.add_flag("--json", flags.json, "print one JSON object");
}

}  // namespace

int run_program(const std::string& name, CLI::App& app, int argc, char** argv,
                const std::function<void()>& work) {
  CLI11_PARSE(app, argc, argv);
  try {
    const c10::InferenceMode inference;
    work();
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << '\n';
    return 1;
  }
  return 0;
}

void write_report(const std::string& file, const nlohmann::json& report) {
  if (file.empty()) return;
  std::ofstream out(file);
  out << report.dump(1);
  out.close();
  if (!out) fail<IoError>("--json: cannot write ", file);
}

int run_benchmark(const std::string& name, CLI::App& app, RunFlags& flags, int argc, char** argv,
                  const std::function<HotPath()>& prepare) {
  keep_freed_memory();  // as the program does
  add_run_flags(app, flags);
  return run_program(name, app, argc, argv, [&] { measure(name, flags, prepare); });
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace reel::benchmarks
