#include "batch/job_list.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "core/nearest_name.h"
#include "core/printable.h"
#include "core/strict_json.h"
#include "core/utf8.h"

namespace reel::batch {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::optional<std::string> read_text(const fs::path& file, Problems& problems) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code ignored;
  std::string text;
  const bool readable = stream.is_open() && !fs::is_directory(file, ignored);
  if (readable) text.assign(std::istreambuf_iterator<char>(stream), {});
  if (!readable || stream.bad()) {
    problems.add(file.string(), ": cannot be read: want a job file");
    return std::nullopt;
  }
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  return text;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::string where_of(const std::string& name, int64_t line_number) {
  return name + ":" + std::to_string(line_number);
}

bool check_utf8(const std::string& where, std::string_view line, Problems& problems) {
  const auto offset = find_invalid_utf8(line);
  if (offset) problems.add(where, ": not UTF-8 at byte ", *offset + 1, " of the line");
  return !offset;
}

// Calls `take(where, number, line)` for every line that counts.
template <typename Take>
void for_each_line(const std::string& name, std::string_view text, const Take& take) {
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!is_blank(line) && !line.starts_with('#')) take(where_of(name, number), number, line);
  }
}

std::optional<json> parse_object(const std::string& where, std::string_view text,
                                 Problems& problems) {
  struct Refused {};
  try {
    json value = parse_strict_json(text, [&](const std::string& message) {
      problems.add(where, ": ", message);
      throw Refused();
    });
    if (value.is_object()) return value;
    problems.add(where, ": not a JSON object: want {\"prompt\": ...}");
  } catch (const Refused&) {
  }
  return std::nullopt;
}

void read_json_lines(const std::string& name, std::string_view text, std::vector<JobLine>& lines,
                     Problems& problems) {
  for_each_line(name, text, [&](const std::string& where, int64_t number, std::string_view line) {
    if (!check_utf8(where, line, problems)) return;
    if (const auto object = parse_object(where, line, problems)) {
      lines.push_back(parse_job_line(where, number, *object, problems));
    }
  });
}

void read_plain_text(const std::string& name, std::string_view text, std::vector<JobLine>& lines,
                     Problems& problems) {
  for_each_line(name, text, [&](const std::string& where, int64_t number, std::string_view line) {
    if (!check_utf8(where, line, problems)) return;
    lines.push_back(parse_job_line(where, number, {{"prompt", line}}, problems));
  });
}

template <typename T>
std::optional<json> number_in(const std::string& cell) {
  T value{};
  const char* end = cell.data() + cell.size();
  const auto parsed = std::from_chars(cell.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return json(value);
}

// A cell as JSON would write it; a cell that is no such value stays text, and is refused as such.
json cell_value(const JobKey& key, const std::string& cell) {
  std::optional<json> value;
  if (key.value == JobValue::kCount) value = number_in<int64_t>(cell);
  if (key.value == JobValue::kSeed) value = number_in<uint64_t>(cell);
  if (key.value == JobValue::kNumber) value = number_in<double>(cell);
  if (key.value == JobValue::kObject) {
    value = try_strict_json(cell);
  }
  if (key.value == JobValue::kSeeds) {
    value = json::array();
    std::istringstream words(cell);
    for (std::string word; words >> word;) {
      value->push_back(number_in<uint64_t>(word).value_or(json(word)));
    }
  }
  return value.value_or(json(cell));
}

const JobKey* find_key(const std::string& name) {
  const auto& keys = job_keys();
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const JobKey& key) { return name == key.name; });
  return found == keys.end() ? nullptr : &*found;
}

void check_header(const std::string& where, const std::vector<std::string>& header,
                  Problems& problems) {
  std::vector<std::string> known;
  for (const auto& key : job_keys()) known.emplace_back(key.name);
  for (const auto& name : header) {
    if (find_key(name) == nullptr) {
      const auto nearest = nearest_name(name, known);
      problems.add(where, ": ", printable(name), ": unknown column",
                   nearest ? "; did you mean " + *nearest + "?" : "");
    }
    if (std::count(header.begin(), header.end(), name) > 1) {
      problems.add(where, ": ", printable(name), ": column comes twice");
    }
  }
}

void read_csv(const std::string& name, std::string_view text, std::vector<JobLine>& lines,
              Problems& problems) {
  const auto records = split_csv(name, text, problems);
  if (records.empty()) return;
  const auto& header = records.front().cells;
  const size_t problems_before = problems.lines().size();
  check_header(where_of(name, records.front().line_number), header, problems);
  const bool header_is_good = problems.lines().size() == problems_before;
  for (size_t i = 1; i < records.size(); ++i) {
    const auto& record = records[i];
    const std::string where = where_of(name, record.line_number);
    if (record.cells.size() != header.size()) {
      problems.add(where, ": wrong number of cells: got ", record.cells.size(), ", want ",
                   header.size());
      continue;
    }
    if (!header_is_good) continue;
    json object = json::object();
    bool good = true;
    for (size_t column = 0; column < header.size(); ++column) {
      const std::string& cell = record.cells[column];
      good = check_utf8(where, cell, problems) && good;
      if (!cell.empty()) object[header[column]] = cell_value(*find_key(header[column]), cell);
    }
    if (good) lines.push_back(parse_job_line(where, record.line_number, object, problems));
  }
}

// Paths of a job file mean what lies beside it.
void anchor_paths(const fs::path& folder, std::vector<JobLine>& lines) {
  for (auto& line : lines) {
    if (!line.schedule) continue;
    line.schedule = folder / *line.schedule;
    line.settings["schedule"] = line.schedule->string();
  }
}

}  // namespace

std::vector<CsvRecord> split_csv(const std::string& name, std::string_view text,
                                 Problems& problems) {
  std::vector<CsvRecord> records;
  CsvRecord record{.line_number = 1, .cells = {}};
  std::string cell;
  bool quoted = false;      // within quotes
  bool was_quoted = false;  // this cell had its quotes
  int64_t line_number = 1;
  const auto end_record = [&] {
    if (!record.cells.empty() || !cell.empty() || was_quoted) {
      record.cells.push_back(std::exchange(cell, {}));
      records.push_back(std::move(record));
    }
    was_quoted = false;
    record = {.line_number = line_number + 1, .cells = {}};
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '"' && text.substr(i + 1).starts_with('"')) {
        cell += text[i++];
      } else if (c == '"') {
        quoted = false;
      } else {
        cell += c;
      }
    } else if (c == '"' && cell.empty() && !was_quoted) {
      quoted = was_quoted = true;
    } else if (c == ',') {
      record.cells.push_back(std::exchange(cell, {}));
      was_quoted = false;
    } else if (c == '\n') {
      end_record();
    } else if (c == '\r' && text.substr(i + 1).starts_with('\n')) {
      continue;
    } else if (c == '"' || was_quoted) {
      problems.add(where_of(name, line_number), ": a quote within a cell: want \"\" within quotes");
      return {};
    } else {
      cell += c;
    }
    if (c == '\n') ++line_number;
  }
  if (quoted) {
    problems.add(where_of(name, record.line_number), ": a quote is opened and never closed");
    return {};
  }
  end_record();
  return records;
}

std::vector<JobLine> read_job_list(const fs::path& file, Problems& problems) {
  const auto text = read_text(file, problems);
  if (!text) return {};
  const std::string name = file.filename().string();
  const std::string ending = file.extension().string();
  const size_t problems_before = problems.lines().size();
  std::vector<JobLine> lines;
  if (ending == ".jsonl" || ending == ".ndjson") {
    read_json_lines(name, *text, lines, problems);
  } else if (ending == ".csv") {
    read_csv(name, *text, lines, problems);
  } else if (ending == ".txt") {
    read_plain_text(name, *text, lines, problems);
  } else {
    problems.add(file.string(), ": unknown kind of job file: want a name that ends in .jsonl, ",
                 ".csv or .txt");
    return {};
  }
  if (lines.empty() && problems.lines().size() == problems_before) {
    problems.add(file.string(), ": holds no job");
  }
  anchor_paths(file.parent_path(), lines);
  return lines;
}

}  // namespace reel::batch
