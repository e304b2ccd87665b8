#include "report/comparison_page.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string_view>

#include "core/base64.h"
#include "core/error.h"
#include "report/page_template.h"

namespace reel::report {
namespace {

using nlohmann::json;

// Three digits are more than a colour shows, and a long run has 72,000 of these a clip.
json in_thousandths(const json& density) {
  if (density.is_array()) {
    json list = json::array();
    for (const auto& value : density) list.push_back(in_thousandths(value));
    return list;
  }
  return density.is_number() ? json(std::lround(density.get<double>() * 1000)) : json();
}

bool is_dense(const pipeline::ClipReport& report) {
  return std::ranges::all_of(report.steps, [](const auto& step) { return step.dense; });
}

json density_of(const pipeline::ClipReport& report) {
  if (is_dense(report) || !report.density.contains("density")) return {};
  return in_thousandths(report.density["density"]);
}

json masks_of(const pipeline::ClipReport& report) {
  json list = json::array();
  for (const auto& mask : report.masks) {
    const at::Tensor cells = mask.cells.contiguous();
    const std::string_view bytes(static_cast<const char*>(cells.const_data_ptr()),
                                 static_cast<size_t>(cells.numel()));
    list.push_back({{"step", mask.call.step},
                    {"layer", mask.call.layer},
                    {"head", mask.call.head},
                    {"blocks", mask.num_blocks},
                    {"density", mask.density},
                    {"side", cells.size(0)},
                    {"cells", base64(bytes)}});
  }
  return list;
}

// The file that a browser plays.
const std::string& shown_video(const eval::ComparedClip& clip) {
  return clip.preview.empty() ? clip.video : clip.preview;
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  if (!stream.is_open() || stream.bad()) fail<IoError>(file.string(), ": cannot be read");
  return bytes;
}

// Where the template leaves room.
void fill(std::string& page, std::string_view place, const std::string& text) {
  const size_t at = page.find(place);
  if (at == std::string::npos) fail<ShapeError>("report: the template has no ", place);
  page.replace(at, place.size(), text);
}

}  // namespace

json page_data(const eval::Comparison& comparison) {
  json density = json::array();
  json masks = json::array();
  for (const auto& setting : comparison.settings) {
    json densities = json::array();
    json masks_of_clips = json::array();
    for (const auto& clip : setting.clips) {
      densities.push_back(density_of(clip.report));
      masks_of_clips.push_back(masks_of(clip.report));
    }
    density.push_back(std::move(densities));
    masks.push_back(std::move(masks_of_clips));
  }
  return {{"format", 1},
          {"comparison", comparison.to_json()},
          {"density", std::move(density)},
          {"masks", std::move(masks)}};
}

std::string script_json(const json& value) {
  std::string text;
  for (const char c : value.dump(-1, ' ', false, json::error_handler_t::replace)) {
    // These occur within JSON strings only, where the escape means the same.
    if (c == '<' || c == '>' || c == '&') {
      text += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      text += c;
    }
  }
  return text;
}

std::string comparison_page(const eval::Comparison& comparison,
                            const std::vector<std::vector<std::string>>& videos) {
  std::string embedded;
  for (size_t setting = 0; setting < videos.size(); ++setting) {
    for (size_t clip = 0; clip < videos[setting].size(); ++clip) {
      embedded += fmt::format("<script type=\"text/plain\" id=\"video-{}-{}\">", setting, clip);
      embedded += base64(videos[setting][clip]);
      embedded += "</script>\n";
    }
  }
  std::string page = page_template();
  fill(page, "<!-- videos -->", embedded);
  fill(page, "<!-- data -->", script_json(page_data(comparison)));
  return page;
}

void write_comparison_page(const std::filesystem::path& folder, IfExists if_exists,
                           const eval::Comparison& comparison, int64_t most_embedded_bytes) {
  int64_t num_bytes = 0;
  for (const auto& setting : comparison.settings) {
    for (const auto& clip : setting.clips) {
      std::error_code error;
      const auto size = std::filesystem::file_size(folder / shown_video(clip), error);
      if (error) fail<IoError>((folder / shown_video(clip)).string(), ": ", error.message());
      num_bytes += static_cast<int64_t>(size);
    }
  }
  std::vector<std::vector<std::string>> videos;
  if (num_bytes <= most_embedded_bytes) {
    for (const auto& setting : comparison.settings) {
      videos.emplace_back();
      for (const auto& clip : setting.clips) {
        videos.back().push_back(read_file(folder / shown_video(clip)));
      }
    }
  }
  write_output(folder / "report.html", if_exists, comparison_page(comparison, videos));
}

}  // namespace reel::report
