// The strokes that the drawing of a timeline is made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tenure/sim/timeline.hpp>

namespace tenure::sim::timeline {

// Clean text as HTML, for elements and for quoted attributes.
std::string escaped(std::string_view text);
// " NAME="VALUE"".
std::string attribute(std::string_view name, int value);
// A point of a path.
std::string at(int x, int y);
std::string rect(std::string_view css, int x, int y, int width, int height, std::string_view more = {});
std::string text(std::string_view css, int x, int y, std::string_view words);
// Only what is read off at a glance: two digits after the point.
std::string rough_time(std::uint64_t time_ns);

struct Line {
  double x1, y1, x2, y2;
};
// The line and what its message came to; `ends`: its end is on this strip.
std::string arrow_svg(const Line& line, Arrow::Fate fate, bool ends);

}  // namespace tenure::sim::timeline
