// The page that shows a comparison: one HTML file that needs no server and no network.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/output_file.h"
#include "eval/comparison.h"

namespace reel::report {

/// Videos of more bytes than this, all together, stay files that the page refers to.
constexpr int64_t kMostEmbeddedBytes = 48LL << 20;

/// What the page's scripts read, all but the videos: {"format": 1, "comparison": compare.json,
/// "density": [settings][clips][steps][layers][heads] in thousandths (null: dense, or a call that
/// never ran), "masks": [settings][clips] of [{"step", "layer", "head", "blocks", "density",
/// "side", "cells": base64 of side * side bytes}]}.
nlohmann::json page_data(const eval::Comparison& comparison);

/// `json` as it may stand inside a <script> element: no '<', '>' or '&', whatever its texts hold.
std::string script_json(const nlohmann::json& json);

/// The whole page. `videos` holds the bytes of the MP4 of each clip, [settings][clips]; where it is
/// empty, the page refers to the clips' files instead and must lie in their folder.
std::string comparison_page(const eval::Comparison& comparison,
                            const std::vector<std::vector<std::string>>& videos);

/// Writes the page as report.html into `folder`, which holds the clips' files. Embeds them unless
/// they are larger than `most_embedded_bytes` together. Throws IoError, also if one cannot be read.
void write_comparison_page(const std::filesystem::path& folder, IfExists if_exists,
                           const eval::Comparison& comparison,
                           int64_t most_embedded_bytes = kMostEmbeddedBytes);

}  // namespace reel::report
