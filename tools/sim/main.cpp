// `tenure sim`: the lease table's scenarios and the catalogue of lock bugs. It is a program of its own, which `tenure` becomes, so that
// `tenure` stays as small as it is.
#include <vector>

#include <tenure/sim/main.hpp>

#include "sim/catalogue/catalogue.hpp"
#include "sim/table/scenarios.hpp"

namespace tenure::sim {
namespace {

std::vector<Target> all_targets() {
  std::vector<Target> targets;
  for (const std::string_view name : table_scenario_names()) {
    targets.push_back({.name = std::string(name), .summary = "of the lease table", .make = [name] { return make_table_scenario(name); }});
  }
  for (const protocols::Bug& bug : protocols::catalogue()) {
    targets.push_back({.name = std::string(bug.id),
                       .summary = std::string(bug.summary),
                       .make = [&bug] { return bug.scenario(protocols::Variant::broken); },
                       .property = std::string(bug.property),
                       .source = std::string(bug.source),
                       .make_sound = [&bug] { return bug.scenario(protocols::Variant::sound); }});
  }
  return targets;
}

}  // namespace
}  // namespace tenure::sim

int main(int argc, char** argv) { return tenure::sim::sim_main(argc, argv, tenure::sim::all_targets()); }
