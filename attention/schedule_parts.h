// The parts that a schedule is read from: texts of flags and the two file formats.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "attention/block_plan.h"

namespace reel::attention {

/// Inclusive ranges of whole numbers.
struct IndexRange {
  int64_t first;
  int64_t last;
};

/// Reads "0-2,57", or "*" for 0..size-1. Throws ConfigError "<where>: ..." for another text or a
/// number outside 0..size-1; `noun` names what is counted.
std::vector<IndexRange> parse_ranges(const std::string& text, int64_t size,
                                     const std::string& where, const std::string& noun);

/// Reads "text,self,sink=2". Throws ConfigError.
Protection parse_protection(const std::string& text, const std::string& where);

/// "N", or "N%" of the steps rounded down. Throws ConfigError.
int64_t parse_step_count(const std::string& text, int64_t num_steps, const std::string& where);

/// One rule of a schedule file.
struct ScheduleRule {
  std::vector<IndexRange> steps;
  std::vector<IndexRange> layers;
  std::vector<IndexRange> heads;
  bool sparse;
  std::optional<double> tau;
  std::optional<int64_t> stride;
  std::optional<int64_t> block;
};

/// Reads {"format":1,"rules":[{"steps","layers","heads","mode",("tau","stride","block")}]}. A
/// selector that is left out means "*". Throws ConfigError with the file and the JSON path.
std::vector<ScheduleRule> read_schedule_file(const std::filesystem::path& file, int64_t num_steps,
                                             int64_t num_layers, int64_t num_heads);

/// The same from such a file's text.
std::vector<ScheduleRule> read_schedule(const std::string& text, int64_t num_steps,
                                        int64_t num_layers, int64_t num_heads);

/// Reads {"format":1,"tau":[layers][heads]}; throws ConfigError with the file and the JSON path.
std::vector<std::vector<double>> read_head_tau_file(const std::filesystem::path& file,
                                                    int64_t num_layers, int64_t num_heads);

/// What is wrong with a setting, or nothing: "out of range: got 2, want ...".
std::optional<std::string> tau_problem(double tau);
std::optional<std::string> stride_problem(int64_t stride);
std::optional<std::string> block_problem(int64_t block);

}  // namespace reel::attention
