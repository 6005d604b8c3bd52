// The catalogue: defects that locks have shipped, each as a small protocol in two variants. The broken one does what the shipped code did
// and must fail the property that the row names; its sound twin differs in nothing but the remedy, and must fail none.
//
// The protocols retell published algorithms on the simulator's own atomics and kernel, one memory access or system call a step, so that a
// kill can land in each gap. `rows` are numbers of the project's list of public lock bugs ("lock-bugs"); S1 to S4, U are the failing
// schedules of the lease table's shared mode.
//
// Properties, and what they mean for a user:
//   exclusion   X  two believe that they hold
//   lost_wake   L  all sleep, and what somebody sleeps for is there
//   hang        L  all sleep for ever
//   livelock    L  somebody runs for ever
//   liveness    L  somebody waits longer than the bound
//   recovery    R  a death left the lock, or what it guards, broken, and nobody is told
//   lifetime    R  memory is touched after its owner was free to reuse it
//
// Every row of 43 to 59 and 72 is here. Some cannot be had as they happened, and stand in their nearest form:
//   missing-release-barrier    needs weaker memory than x86's: the store stands behind the release in program order, as arm64 may do it
//   suspend-stops-loss-clock   no simulated host can be suspended: its one process sleeps, and its clock leaves that time out
//   forked-child-*             no stack can be copied: the child is a new process that starts with what the parent held
//   unlock-touches-freed       memory stays mapped: a ghost says that it was freed
//   condvar-group-reused       glibc's two groups without its reference counts, which only make the schedule longer
//   grid-split-brain           members do not talk to each other: their clients ask all of them
//   blob-cleanup-*             the store knows no leases: a blob's content says who has it
//   lock-name-hash-collides    a row of a table is the lock, so that a holder that comes again waits
// Every row of 24 to 42 is here as well. Rows "P" are protocols in wide use that the list has no number for. Sound leases need no bound on
// pauses: see lease_protocol.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <tenure/sim/config.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim::protocols {

enum class Variant : std::uint8_t { broken, sound };

struct Bug {
  std::string_view id;  // stable: command lines and reports name it
  std::string_view rows;
  std::string_view property;
  std::string_view source;
  std::string_view summary;
  Config config;  // of both variants
  std::unique_ptr<Scenario> (*make)(const Bug& bug, Variant variant);

  // REQUIRES: this row outlives the scenario, as those of catalogue() do.
  std::unique_ptr<Scenario> scenario(Variant variant) const { return make(*this, variant); }
};

// Every row, grouped by the kind of lock.
std::span<const Bug> catalogue();
const Bug* find_bug(std::string_view id);

}  // namespace tenure::sim::protocols
