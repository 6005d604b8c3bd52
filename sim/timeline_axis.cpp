#include "sim/timeline_axis.hpp"

#include <cstdlib>

#include "sim/timeline_svg.hpp"

namespace tenure::sim::timeline {

namespace {

// The step of the violation always has its number.
std::string steps_svg(const Timeline& timeline, const Strip& strip) {
  const bool fails_here = timeline.violation && strip.has(timeline.violation->step);
  const int alarm_x = fails_here ? strip.x(timeline.violation->step) : 2 * strip_width;
  const int bottom = strip.lanes.empty() ? axis_height : strip.lanes.back().bottom;
  std::string svg;
  std::string lines;
  int end = 0;
  for (const Tick& tick : strip.ticks) {
    const std::string step = std::to_string(tick.step);
    const int half = text_width(step) / 2;
    const bool is_alarm = tick.x == alarm_x;
    if (!is_alarm && (tick.x - half <= end || std::abs(tick.x - alarm_x) < 2 * half + 2)) continue;
    svg += text(is_alarm ? "axis mid accused" : "axis mid", tick.x, 14, step);
    lines += "M" + at(tick.x, axis_height - 4) + "V" + std::to_string(bottom);
    end = tick.x + half + 6;
  }
  return svg + "<path class=\"grid\" d=\"" + lines + "\"/>";
}

std::string times_svg(const Timeline& timeline, const Strip& strip) {
  std::string svg;
  std::string breaks;
  int end = 0;
  std::string told;  // the last time
  std::uint64_t before = 0;
  for (const Tick& tick : strip.ticks) {
    const std::uint64_t now = time_at(timeline, tick.step);
    if (tick.after_break && tick.step != strip.first_step()) {
      const std::string leap = "+" + rough_time(now - before);
      const int middle = tick.x - 32;
      breaks += "M" + at(middle - 5, axis_height + 3) + "l6 -10m4 0l-6 10";
      if (middle - text_width(leap) / 2 > end) {
        svg += text("axis mid leap", middle, 29, leap);
        end = middle + text_width(leap) / 2 + 4;
      }
    }
    const std::string rough = rough_time(now);
    const std::string time = rough == told ? time_text(now) : rough;
    if (tick.x - text_width(time) / 2 > end) {
      svg += text("axis mid", tick.x, 29, time);
      told = rough;
      end = tick.x + text_width(time) / 2 + 14;
    }
    before = now;
  }
  if (!breaks.empty()) svg += "<path class=\"break\" d=\"" + breaks + "\"/>";
  return svg;
}

}  // namespace

std::string axis_svg(const Timeline& timeline, const Strip& strip) {
  return text("axis", 6, 14, "step") + text("axis", 6, 29, "time") + steps_svg(timeline, strip) + times_svg(timeline, strip) + "\n";
}

}  // namespace tenure::sim::timeline
