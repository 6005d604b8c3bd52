// The numbers of the steps and the times above a strip of the drawing.
#pragma once

#include <string>

#include "sim/timeline_layout.hpp"

namespace tenure::sim::timeline {

std::string axis_svg(const Timeline& timeline, const Strip& strip);

}  // namespace tenure::sim::timeline
