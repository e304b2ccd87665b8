// What every fuzz target needs: its input as a file, and the contract of all readers.
//
// A target is LLVMFuzzerTestOneInput() over one reader. Whatever the bytes are, reading ends in
// success or in an error of core/error.h whose text a terminal can show; everything else (another
// exception, a sanitizer's report, a hang, too much memory) is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace reel::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The folder that this process writes its inputs to; removed at its end.
const std::filesystem::path& input_folder();

/// Writes `bytes` to the file `name` of input_folder(), in place of an earlier one.
std::filesystem::path input_file(const std::string& name, std::string_view bytes);

/// The parts of an input that stands for several files or texts: cut at NUL bytes, `count` in all;
/// those that are missing are empty.
std::vector<std::string_view> split_input(std::string_view input, size_t count);

/// Ends the process unless `message` is text without control characters but line breaks.
void check_message(std::string_view message);

/// Runs `read`, which may refuse its input with a typed error. A ShapeError is a bug of ours and
/// goes on, as every other exception does, to the fuzzer.
template <typename Read>
void may_refuse(const Read& read) {
  try {
    read();
  } catch (const ShapeError&) {
    throw;
  } catch (const Error& error) {
    check_message(error.what());
  }
}

}  // namespace reel::fuzz
