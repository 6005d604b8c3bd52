// The drawing of a timeline: one SVG element a strip. Everything that can be pointed at is a link to the row of its event in the table,
// "#e" and the index of the event; its attribute data-n says how many events, from that one on, it stands for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/timeline_events.hpp"

namespace tenure::sim::timeline {

std::string chart(const Timeline& timeline, const std::vector<Event>& events);
// The shapes that the chart refers to. Once a page, before the first chart.
std::string_view chart_shapes();
// What the shapes, lines and bars that occur in this timeline mean.
std::string chart_legend(const Timeline& timeline);

}  // namespace tenure::sim::timeline
