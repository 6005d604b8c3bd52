// The catalogue: defects that locks have shipped, each as a small protocol in two variants. The broken one does what the shipped code did
// and must fail the property that the row names; its sound twin differs in nothing but the remedy, and must fail none.
//
// The protocols retell published algorithms on the simulator's own atomics and kernel, one memory access or system call a step, so that a
// kill can land in each gap. Those of rows 1 to 42 lock at a simulated store elsewhere. `rows` are numbers of the project's list of public
// lock bugs ("lock-bugs"); S1 to S4, U are the failing schedules of the lease table's shared mode; F1 and F2 are about the numbers
// of grants, and were found by reading.
//
// Properties, and what they mean for a user:
//   exclusion   X  two believe that they hold
//   fencing     F  a resource takes a write of a stale holder
//   token       F  the numbers of grants do not grow
//   lost_wake   L  all sleep, and what somebody sleeps for is there
//   hang        L  all sleep for ever
//   livelock    L  somebody runs for ever
//   liveness    L  somebody waits longer than the bound
//   fairness    S  others overtake a waiter again and again
//   recovery    R  a death left the lock, or what it guards, broken, and nobody is told
//   lifetime    R  memory is touched after its owner was free to reuse it
//
// Every row of 1 to 59 and 72 is here. Some cannot be had as they happened, and stand in their nearest form:
//   missing-release-barrier    needs weaker memory than x86's: the store stands behind the release in program order, as arm64 may do it
//   suspend-stops-loss-clock   its one process sleeps, and its clock leaves that time out
//   forked-child-*             no stack can be copied: the child is a new process that starts with what the parent held
//   unlock-touches-freed       memory stays mapped: a ghost says that it was freed
//   condvar-group-reused       glibc's two groups without its reference counts, which only make the schedule longer
//   rows 6, 8, 17 to 19, 22    scripts of a store are commands one after the other, or a loop around compare-and-set
//   grid-split-brain           members do not talk to each other: their clients ask all of them
//   blob-cleanup-*             the store knows no leases: a blob's content says who has it
//   lock-name-hash-collides    a row of a table is the lock, so that a holder that comes again waits
// Rows "P" are protocols in wide use that the list has no number for. Sound leases need no bound on pauses: see lease_protocol.hpp. Rows
// "T" are the rules of the lease table.
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
  Config config;      // of both variants
  bool harsh = true;  // the sound twin also stands kills, pauses and spurious wakes that `config` has not
  std::unique_ptr<Scenario> (*make)(const Bug& bug, Variant variant);

  // REQUIRES: this row outlives the scenario, as those of catalogue() do.
  std::unique_ptr<Scenario> scenario(Variant variant) const { return make(*this, variant); }
};

// Every row, grouped by the kind of lock.
std::span<const Bug> catalogue();
const Bug* find_bug(std::string_view id);

}  // namespace tenure::sim::protocols
