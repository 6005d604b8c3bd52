// The timeline of a traced run.
#pragma once

#include <string_view>

#include <tenure/sim/timeline.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

// REQUIRES: `world` has just made the run that ended with `verdict`, and traced it.
Timeline timeline_of(const World& world, const Verdict& verdict, std::string_view title = {});

}  // namespace tenure::sim
