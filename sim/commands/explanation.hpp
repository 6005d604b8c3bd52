// A failing run in words.
#pragma once

#include <string>
#include <string_view>

#include <tenure/sim/timeline.hpp>

namespace tenure::sim::commands {

// What the property means for a user, one sentence; of one that only its author knows, that it is one.
[[nodiscard]] std::string_view property_meaning(std::string_view property);

// What failed, who did what in which order, and where to look. Lines, each ended.
[[nodiscard]] std::string explanation(const Timeline& timeline, std::string_view summary);

}  // namespace tenure::sim::commands
