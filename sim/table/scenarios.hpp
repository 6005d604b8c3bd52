// The scenarios of the lease table by name, each with the faults that belong to it.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include <tenure/sim/world.hpp>
#include "sim/table/name_judge.hpp"

namespace tenure::sim {

std::span<const std::string_view> table_scenario_names();
// Null for a name that is none of them.
std::unique_ptr<Scenario> make_table_scenario(std::string_view name, const Judges& judges = {});

}  // namespace tenure::sim
