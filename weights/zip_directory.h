// The table of contents of a zip archive whose files are stored as they are, as torch.save writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weights/mapped_file.h"

namespace reel::weights {

/// A file inside the archive.
struct ZipEntry {
  std::string name;
  uint64_t offset = 0;  ///< of its first byte, from the beginning of the archive
  uint64_t bytes = 0;
};

/// True if `file` begins as a zip archive does.
bool looks_like_zip(const MappedFile& file);

/// Reads the directory, zip64 included, in the order of the bytes. Throws WeightError if it is
/// damaged, if a file is compressed or encrypted, or if files overlap or have the same name.
std::vector<ZipEntry> read_zip_directory(const MappedFile& file);

}  // namespace reel::weights
