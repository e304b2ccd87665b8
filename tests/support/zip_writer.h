// Writes zip archives as torch.save does: every file stored as it is, its bytes at a multiple
// of 64.
#pragma once

#include <string>
#include <vector>

namespace reel::testing {

struct ZipFile {
  std::string name;
  std::string bytes;
};

/// Where sizes and offsets stand: in 32 bits, or all in the 64-bit fields of archives above 4 GiB.
enum class ZipFields { k32, k64 };

/// A complete archive of `files` in this order, with CRC-32 sums.
std::string zip_archive(const std::vector<ZipFile>& files, ZipFields fields = ZipFields::k32);

}  // namespace reel::testing
