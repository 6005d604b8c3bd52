// The hunt of the commands.
#pragma once

#include <functional>

#include <tenure/sim/hunt.hpp>

#include "sim/commands/program.hpp"

namespace tenure::sim::commands {

Report hunt_subject(const Subject& subject, const HuntOptions& options, const std::function<void(const HuntProgress&)>& progress = {});

// The first run that fails this property; `failures` is empty if there is none. What else fails is passed over.
Report hunt_property(Runner& runner, std::string_view property, const Budget& budget);

}  // namespace tenure::sim::commands
