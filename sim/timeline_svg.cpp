#include "sim/timeline_svg.hpp"

#include <algorithm>
#include <cmath>

#include "sim/timeline_events.hpp"

namespace tenure::sim::timeline {

std::string escaped(std::string_view text) {
  std::string html;
  html.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': html += "&amp;"; break;
      case '<': html += "&lt;"; break;
      case '>': html += "&gt;"; break;
      case '"': html += "&quot;"; break;
      case '\'': html += "&#39;"; break;
      default: html += c;
    }
  }
  return html;
}

std::string attribute(std::string_view name, int value) { return " " + std::string(name) + "=\"" + std::to_string(value) + "\""; }
std::string at(int x, int y) { return std::to_string(x) + " " + std::to_string(y); }

std::string rect(std::string_view css, int x, int y, int width, int height, std::string_view more) {
  std::string svg = "<rect class=\"" + std::string(css) + "\"" + attribute("x", x) + attribute("y", y);
  return svg + attribute("width", std::max(width, 0)) + attribute("height", height) + std::string(more) + "/>";
}

std::string text(std::string_view css, int x, int y, std::string_view words) {
  std::string svg = "<text";
  if (!css.empty()) svg += " class=\"" + std::string(css) + "\"";
  return svg + attribute("x", x) + attribute("y", y) + ">" + escaped(words) + "</text>";
}

// Only what is read off at a glance: two digits after the point.
std::string rough_time(std::uint64_t ns) {
  for (const std::uint64_t unit : {1'000'000'000U, 1'000'000U, 1000U}) {
    const std::uint64_t rounded = ns + unit / 200;
    if (ns >= unit) return time_text(rounded - rounded % (unit / 100));
  }
  return time_text(ns);
}

std::string arrow_svg(const Line& line, Arrow::Fate fate, bool ends) {
  using enum Arrow::Fate;
  const double length = std::max(std::hypot(line.x2 - line.x1, line.y2 - line.y1), 1.0);
  const double dx = (line.x2 - line.x1) / length;
  const double dy = (line.y2 - line.y1) / length;
  const auto rounded = [](double x, double y) { return at(static_cast<int>(std::lround(x)), static_cast<int>(std::lround(y))); };
  // So far before the end, and so far beside the line.
  const auto point = [&](double before, double beside) {
    return rounded(line.x2 - before * dx - beside * dy, line.y2 - before * dy + beside * dx);
  };
  const double head = 9;
  const double cross = 14;
  const std::string path = "M" + rounded(line.x1, line.y1) + "L" + point(!ends ? 0 : fate == lost ? cross : head, 0);
  std::string svg = "<path class=\"hit\" d=\"" + path + "\"/><path";
  if (fate == delayed) svg += " class=\"late\"";
  if (fate == duplicated) svg += " class=\"second\"";
  svg += " d=\"" + path + "\"/>";
  if (!ends) return svg;
  if (fate == lost) {
    svg += "<path class=\"end\" d=\"M" + point(cross + 5, 5) + "L" + point(cross - 5, -5) + "M" + point(cross - 5, 5) + "L" +
           point(cross + 5, -5) + "\"/>";
  } else if (fate == reset) {
    svg += "<path class=\"end\" d=\"M" + point(head, 7) + "L" + point(head, -7) + "\"/>";
  } else {
    svg += "<path class=\"head\" d=\"M" + point(3, 0) + "L" + point(12, 4.5) + "L" + point(12, -4.5) + "z\"/>";
  }
  return svg;
}

}  // namespace tenure::sim::timeline
