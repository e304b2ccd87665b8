// Reads job files: JSON lines, CSV, or plain text with a prompt a line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "batch/job_line.h"
#include "core/problems.h"

namespace reel::batch {

/// Reads `file` by its ending: .jsonl or .ndjson (an object a line), .csv (the header names keys;
/// empty cells were not written; seeds are separated by spaces, tags are JSON), .txt (a prompt a
/// line). Lines end at LF or CR LF; blank ones and, but in CSV, those that begin with # are
/// skipped. Adds all problems of all lines to `problems`.
std::vector<JobLine> read_job_list(const std::filesystem::path& file, Problems& problems);

/// A cell of a CSV file and the line on which its record begins.
struct CsvRecord {
  int64_t line_number = 0;  ///< from 1
  std::vector<std::string> cells;
};

/// Splits CSV text (RFC 4180: quotes around cells with commas, quotes or line breaks; a quote
/// within is doubled). Blank lines are skipped. Adds a problem for a quote that never ends or that
/// is not at a cell's edge.
std::vector<CsvRecord> split_csv(const std::string& name, std::string_view text,
                                 Problems& problems);

}  // namespace reel::batch
