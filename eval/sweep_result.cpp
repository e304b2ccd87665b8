#include "eval/sweep_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace reel::eval {
namespace {

constexpr double kPlotWidth = 420;
constexpr double kPlotHeight = 320;
constexpr double kMargin = 60;

// The ends of an axis: all values with a little room on both sides.
struct Range {
  double low, high;

  double share(double value) const { return (value - low) / (high - low); }
};

Range range_of(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  const double room = std::max(0.08 * (high - low), 1e-3);
  return {low - room, high + room};
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else {
      result += c;
    }
  }
  return result;
}

struct Plot {
  std::string title, unit;
  std::vector<double> x, y;
  std::vector<bool> front;
  double left;  // of the drawing, pixels
};

std::string axes(const Plot& plot, const Range& x, const Range& y) {
  const double bottom = kMargin + kPlotHeight;
  std::string text = fmt::format(
      "<rect x='{}' y='{}' width='{}' height='{}' fill='none' stroke='#888'/>\n"
      "<text x='{}' y='{}' text-anchor='middle'>{}</text>\n",
      plot.left, kMargin, kPlotWidth, kPlotHeight, plot.left + kPlotWidth / 2, bottom + 40,
      plot.title);
  constexpr int kTicks = 5;
  for (int i = 0; i < kTicks; ++i) {
    const double share = static_cast<double>(i) / (kTicks - 1);
    text += fmt::format(
        "<text x='{:.1f}' y='{}' text-anchor='middle'>{:.3g}{}</text>\n"
        "<text x='{}' y='{:.1f}' text-anchor='end'>{:.1f}</text>\n",
        plot.left + share * kPlotWidth, bottom + 18, x.low + share * (x.high - x.low), plot.unit,
        plot.left - 6, bottom - share * kPlotHeight + 4, y.low + share * (y.high - y.low));
  }
  return text;
}

std::string draw(const Plot& plot, const std::vector<SweepPoint>& points) {
  const Range x = range_of(plot.x);
  const Range y = range_of(plot.y);
  std::string text = axes(plot, x, y);
  std::vector<size_t> order(points.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](size_t i) { return plot.x[i]; });
  std::string line, marks;
  for (const size_t i : order) {
    const double at_x = plot.left + x.share(plot.x[i]) * kPlotWidth;
    const double at_y = kMargin + (1 - y.share(plot.y[i])) * kPlotHeight;
    if (plot.front[i]) line += fmt::format("{:.1f},{:.1f} ", at_x, at_y);
    marks += fmt::format(
        "<circle cx='{:.1f}' cy='{:.1f}' r='4' fill='{}'><title>{}</title></circle>\n"
        "<text x='{:.1f}' y='{:.1f}' font-size='9' fill='#555'>{}</text>\n",
        at_x, at_y, plot.front[i] ? "#c40" : "#48c", escaped(points[i].name), at_x + 6, at_y - 5,
        escaped(points[i].name));
  }
  return text + fmt::format("<polyline points='{}' fill='none' stroke='#c40'/>\n", line) + marks;
}

}  // namespace

std::vector<bool> pareto_front(const std::vector<SweepPoint>& points,
                               const std::vector<double>& costs) {
  std::vector<bool> front(points.size(), true);
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = 0; j < points.size(); ++j) {
      const bool as_good = points[j].psnr >= points[i].psnr && costs[j] <= costs[i];
      const bool better = points[j].psnr > points[i].psnr || costs[j] < costs[i];
      if (as_good && better) front[i] = false;
    }
  }
  return front;
}

std::vector<bool> SweepResult::density_front() const {
  std::vector<double> costs;
  for (const auto& point : points) costs.push_back(point.density);
  return pareto_front(points, costs);
}

std::vector<bool> SweepResult::speed_front() const {
  std::vector<double> costs;
  for (const auto& point : points) costs.push_back(point.denoise_s);
  return pareto_front(points, costs);
}

nlohmann::json SweepResult::to_json() const {
  const auto dense = density_front();
  const auto fast = speed_front();
  nlohmann::json settings = nlohmann::json::array();
  for (size_t i = 0; i < points.size(); ++i) {
    const auto& point = points[i];
    settings.push_back({{"name", point.name},
                        {"density", point.density},
                        {"recall", point.recall ? nlohmann::json(*point.recall) : nullptr},
                        {"psnr", point.psnr},
                        {"ssim", point.ssim},
                        {"lpips", point.lpips ? nlohmann::json(*point.lpips) : nullptr},
                        {"denoise_s", point.denoise_s},
                        {"speed", point.speed},
                        {"clips", point.num_clips},
                        {"density_front", static_cast<bool>(dense[i])},
                        {"speed_front", static_cast<bool>(fast[i])}});
  }
  return {{"format", 1}, {"dense_s", dense_s}, {"settings", std::move(settings)}};
}

std::string SweepResult::csv() const {
  std::string text =
      "setting,density,recall,psnr,ssim,lpips,denoise_s,speed,clips,density_front,speed_front\n";
  const auto dense = density_front();
  const auto fast = speed_front();
  for (size_t i = 0; i < points.size(); ++i) {
    const auto& point = points[i];
    text += fmt::format("\"{}\",{},{},{},{},{},{},{},{},{:d},{:d}\n", point.name, point.density,
                        point.recall ? fmt::format("{}", *point.recall) : "", point.psnr,
                        point.ssim, point.lpips ? fmt::format("{}", *point.lpips) : "",
                        point.denoise_s, point.speed, point.num_clips, static_cast<bool>(dense[i]),
                        static_cast<bool>(fast[i]));
  }
  return text;
}

std::string SweepResult::table() const {
  size_t width = 7;
  for (const auto& point : points) width = std::max(width, point.name.size());
  std::string text =
      fmt::format("{:<{}}  density  recall      PSNR    SSIM   LPIPS  denoise  speed  front\n",
                  "setting", width);
  text += fmt::format("{:<{}}  {:>7}  {:>6}  {:>8}  {:>6}  {:>6}  {:>5.1f} s  {:>5}\n", "dense",
                      width, 1, "", "", "", "", dense_s, 1);
  const auto dense = density_front();
  const auto fast = speed_front();
  for (size_t i = 0; i < points.size(); ++i) {
    const auto& point = points[i];
    text += fmt::format(
        "{:<{}}  {:>7.4f}  {:>6}  {:>5.2f} dB  {:.4f}  {:>6}  {:>5.1f} s  {:>5.2f}  {}{}\n",
        point.name, width, point.density, point.recall ? fmt::format("{:.4f}", *point.recall) : "",
        point.psnr, point.ssim, point.lpips ? fmt::format("{:.4f}", *point.lpips) : "",
        point.denoise_s, point.speed, dense[i] ? "d" : "", fast[i] ? "s" : "");
  }
  return text;
}

std::string SweepResult::svg() const {
  const double width = 2 * kPlotWidth + 4 * kMargin;
  const double height = kPlotHeight + 2.5 * kMargin;
  std::string text = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {} {}' font-family='sans-serif' "
      "font-size='12'>\n<rect width='{}' height='{}' fill='white'/>\n"
      "<text x='{}' y='30'>PSNR in dB against dense clips; red: no other setting beats it</text>\n",
      width, height, width, height, kMargin);
  if (points.empty()) return text + "</svg>\n";
  Plot density{"density of the sparse calls", "", {}, {}, density_front(), kMargin};
  Plot speed{"speed of denoising, dense = 1", "x", {}, {}, speed_front(), kPlotWidth + 3 * kMargin};
  for (const auto& point : points) {
    density.x.push_back(point.density);
    speed.x.push_back(point.speed);
    density.y.push_back(point.psnr);
    speed.y.push_back(point.psnr);
  }
  return text + draw(density, points) + draw(speed, points) + "</svg>\n";
}

}  // namespace reel::eval
