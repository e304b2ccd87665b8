// Rows of the attention benchmark: a line for people and a JSON object for tools, written after
// every row so that a run that is cut short leaves what it has.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "benchmarks/attention_cases.h"

namespace reel::benchmarks {

/// GPU, driver, versions and date: what a table of measured times has to say.
nlohmann::json machine_facts();

/// What one kernel or call took.
struct AttentionRow {
  std::string kernel = {};  ///< "cudnn", or a variant of ours
  std::string method = {};  ///< "dense", "mask" or "xattention"
  double attend_ms = 0;
  double density = 1;           ///< of the visible blocks
  nlohmann::json details = {};  ///< scoring, stride, tau, score_ms, select_ms, recall; or null
};

class AttentionReport {
 public:
  /// `path`: where the JSON goes, "" for nowhere. `facts` are added to machine_facts().
  AttentionReport(std::string path, nlohmann::json facts);

  /// Rows that follow are compared with these dense times; 0: not measured.
  void set_dense(double cudnn_ms, double unragged_ms);

  /// Prints and stores. Throws IoError if the file cannot be written.
  void add(const AttentionCase& test, const AttentionRow& row);

  /// Says that a case was not measured.
  void leave_out(const AttentionCase& test, const std::string& why);

 private:
  void write() const;

  std::string path_;
  nlohmann::json report_;
  double dense_ms_ = 0;
  double unragged_ms_ = 0;
};

/// TFLOP of attention over all visible pairs of tokens.
double dense_work(const AttentionCase& test, int64_t length);

}  // namespace reel::benchmarks
