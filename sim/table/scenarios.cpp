#include "sim/table/scenarios.hpp"

#include <array>

#include "sim/table/scenarios_names.hpp"
#include "sim/table/scenarios_table.hpp"
#include "sim/table/scenarios_trees.hpp"
#include "sim/table/stories.hpp"

namespace tenure::sim {

namespace {

constexpr std::uint64_t millisecond_ns = core::millisecond_ns;

Config faults(Memory memory, std::uint32_t kills, std::uint32_t pauses, std::uint32_t pause_steps = 1000) {
  Config config;
  config.memory = memory;
  config.kills_max = kills;
  config.pauses_max = pauses;
  config.pause_steps_max = pause_steps;
  return config;
}
constexpr Memory sc = Memory::sequential;
constexpr Memory tso = Memory::total_store_order;

// --- Strict ---

Contention strict() { return {.config = faults(sc, 1, 1)}; }
Contention strict_tso() { return {.processes = 4, .delays = true, .config = faults(tso, 3, 1)}; }
Contention cancelled() { return {.cancels = true, .config = faults(tso, 1, 1)}; }
// Nothing that ends a wait early, and nobody who comes back: the queue itself.
Contention queue() { return {.operations = 1, .successors = 0, .tries = false, .config = faults(sc, 1, 0)}; }
Contention queue_tso() { return {.operations = 1, .successors = 0, .tries = false, .config = faults(tso, 1, 0)}; }
// No faults at all: what the queue and the store buffers do by themselves.
Contention calm() { return {.tries = false, .config = faults(tso, 0, 0)}; }
Contention threads() { return {.threads = 2, .leases = 2, .config = faults(tso, 2, 1)}; }
// Several sleepers on one bell: a process that holds two leases dies.
Contention one_bell() {
  return {.threads = 2,
          .operations = 1,
          .leases = 2,
          .successors = 0,
          .hold_sleep_ns = 20 * millisecond_ns,
          .tries = false,
          .config = faults(sc, 1, 0)};
}
// Pauses of many ticks: a stopped head is passed over.
Contention stopped_head() { return {.processes = 4, .tries = false, .timeouts = false, .config = faults(sc, 1, 2, 6000)}; }

// What a simulator's speed is measured by: four processes and one operation each, a fault of each kind, every property.
Contention four() {
  Contention shape{.processes = 4, .operations = 1, .successors = 1, .config = faults(sc, 1, 1)};
  shape.config.spurious_wakes_max = 1;
  return shape;
}

// --- Leased ---

Contention leased() { return {.ttl_ns = 6 * millisecond_ns, .renewals = 3, .config = faults(sc, 1, 3, 600)}; }
Contention four_leased() {
  Contention shape = four();
  shape.ttl_ns = 6 * millisecond_ns;
  shape.renewals = 1;
  return shape;
}
Contention leased_tso() { return {.ttl_ns = 6 * millisecond_ns, .renewals = 3, .config = faults(tso, 2, 3, 600)}; }
// Two leases take turns in one hold record.
Contention one_record() { return {.leases = 2, .ttl_ns = 4 * millisecond_ns, .renewals = 3, .config = faults(tso, 1, 3, 600)}; }
// Two threads of one session, one with a short deadline and one with a long one.
Contention siblings() {
  return {.processes = 2, .threads = 2, .ttl_ns = 3 * millisecond_ns, .second_ttl_ns = 200 * millisecond_ns, .config = faults(sc, 0, 0)};
}
// A third party breaks grants. It may die before it wakes the next in line: that costs a tick.
Contention broken() {
  return {.ttl_ns = 20 * millisecond_ns, .renewals = 1, .breaks = true, .deaths_excused = 1, .config = faults(tso, 1, 1)};
}

// --- Sessions ---

Contention sessions() {
  Contention shape{.delays = true, .sweeps = true, .late_sessions = true, .config = faults(tso, 3, 1)};
  shape.config.byte_linger_ns = 50 * millisecond_ns;
  return shape;
}
Contention descriptors() {
  return {.delays = true, .sweeps = true, .drops_bytes = true, .late_sessions = true, .config = faults(sc, 2, 1)};
}
Contention without_bells() {
  Contention shape{.delays = true, .sweeps = true, .config = faults(tso, 2, 1)};
  shape.config.bells_forbidden = true;
  return shape;
}

// --- For exhaustive search ---

Contention two_plain() {
  return {
      .processes = 2, .operations = 1, .successors = 0, .hold_steps = 1, .closes = false, .plain = true, .config = {.horizon_steps = 100}};
}
Contention two_plain_tso() {
  Contention shape = two_plain();
  shape.config.memory = tso;
  return shape;
}
Contention two_plain_succeeded() {
  Contention shape = two_plain();
  shape.successors = 1;
  return shape;
}
Contention two_plain_twice() {
  Contention shape = two_plain();
  shape.operations = 2;
  return shape;
}
Contention three_plain() {
  Contention shape = two_plain();
  shape.processes = 3;
  return shape;
}

// --- Names ---

NameTraffic names() { return {.config = faults(sc, 1, 1)}; }
NameTraffic names_tso() { return {.removes = true, .timeouts = true, .config = faults(tso, 2, 1)}; }
// Names that are used, waited for and removed at once; deaths in between must still be told.
NameTraffic removed() { return {.names = 2, .usable = 4, .preset = 2, .removes = true, .config = faults(sc, 2, 0)}; }
NameTraffic long_names() { return {.names = 4, .long_names = 2, .usable = 5, .removes = true, .config = faults(tso, 2, 1)}; }
NameTraffic retired() {
  return {.names = 2, .usable = 6, .preset = 2, .counter = core::LeaseWord::counter_retire - 3, .config = faults(tso, 2, 1)};
}
// So near its end that a counter would wrap, were it not retired.
NameTraffic wrapping() {
  return {.names = 2, .usable = 6, .preset = 2, .counter = core::LeaseWord::counter_max - 3, .config = faults(sc, 1, 0)};
}
NameTraffic recreated() {
  NameTraffic shape{.removes = true, .recreates = true, .config = faults(sc, 2, 0)};
  shape.config.realtime_jumps_max = 2;
  return shape;
}
NameTraffic weak() {
  NameTraffic shape{.config = faults(sc, 1, 0)};
  shape.config.token_mark_fails = true;
  return shape;
}

// --- Runs ---

TreeTraffic trees() { return {.config = faults(tso, 3, 2, 3000)}; }
TreeTraffic trees_untagged() { return {.tagged = false, .closes_bytes = false, .config = faults(sc, 3, 1)}; }
TreeTraffic trees_leased() {
  return {.ttl_ns = 30 * millisecond_ns, .margin_ns = 10 * millisecond_ns, .work_steps = 60, .config = faults(tso, 3, 3, 3000)};
}
TreeTraffic trees_broken() { return {.breaks = true, .config = faults(sc, 2, 1)}; }
// Nobody there who may kill: what is left ends by itself.
TreeTraffic trees_left() { return {.runs = 1, .users = 2, .recovers = false, .config = faults(sc, 3, 0)}; }

// --- With stale reads: C++'s memory orders, and no more ---

constexpr Memory stale = Memory::release_acquire;
Contention strict_stale() { return {.processes = 4, .delays = true, .config = faults(stale, 2, 1)}; }
Contention one_bell_stale() {
  Contention shape = one_bell();
  shape.config.memory = stale;
  return shape;
}
Contention leased_stale() { return {.ttl_ns = 6 * millisecond_ns, .renewals = 3, .config = faults(stale, 2, 3, 600)}; }
Contention sessions_stale() {
  Contention shape = sessions();
  shape.config.memory = stale;
  return shape;
}
NameTraffic names_stale() { return {.names = 4, .long_names = 2, .usable = 5, .removes = true, .config = faults(stale, 2, 1)}; }
TreeTraffic trees_stale() { return {.config = faults(stale, 3, 2, 3000)}; }

struct Entry {
  std::string_view name;
  Contention (*contention)();
  NameTraffic (*names)();
  TreeTraffic (*trees)() = nullptr;
};
constexpr Entry entries[] = {
    {"strict", strict, nullptr},
    {"strict-tso", strict_tso, nullptr},
    {"cancelled", cancelled, nullptr},
    {"queue", queue, nullptr},
    {"queue-tso", queue_tso, nullptr},
    {"calm", calm, nullptr},
    {"threads", threads, nullptr},
    {"one-bell", one_bell, nullptr},
    {"stopped-head", stopped_head, nullptr},
    {"four", four, nullptr},
    {"four-leased", four_leased, nullptr},
    {"leased", leased, nullptr},
    {"leased-tso", leased_tso, nullptr},
    {"one-record", one_record, nullptr},
    {"siblings", siblings, nullptr},
    {"broken", broken, nullptr},
    {"sessions", sessions, nullptr},
    {"descriptors", descriptors, nullptr},
    {"without-bells", without_bells, nullptr},
    {"two-plain", two_plain, nullptr},
    {"two-plain-tso", two_plain_tso, nullptr},
    {"two-plain-succeeded", two_plain_succeeded, nullptr},
    {"two-plain-twice", two_plain_twice, nullptr},
    {"three-plain", three_plain, nullptr},
    {"names", nullptr, names},
    {"names-tso", nullptr, names_tso},
    {"removed", nullptr, removed},
    {"long-names", nullptr, long_names},
    {"retired", nullptr, retired},
    {"wrapping", nullptr, wrapping},
    {"recreated", nullptr, recreated},
    {"weak", nullptr, weak},
    {"trees", nullptr, nullptr, trees},
    {"trees-untagged", nullptr, nullptr, trees_untagged},
    {"trees-leased", nullptr, nullptr, trees_leased},
    {"trees-broken", nullptr, nullptr, trees_broken},
    {"trees-left", nullptr, nullptr, trees_left},
    {"strict-stale", strict_stale, nullptr},
    {"one-bell-stale", one_bell_stale, nullptr},
    {"leased-stale", leased_stale, nullptr},
    {"sessions-stale", sessions_stale, nullptr},
    {"names-stale", nullptr, names_stale},
    {"trees-stale", nullptr, nullptr, trees_stale},
    {"story-head-dies", stories::head_dies_when_poked, nullptr},
    {"story-store-buffer", stories::key_in_a_store_buffer, nullptr},
    {"story-dead-queue", stories::stopped_reader_of_a_dead_queue, nullptr},
    {"story-stranger", stories::stranger_in_the_slot, nullptr},
    {"story-breaker", stories::breaker_who_dies, nullptr},
    {"story-flag", stories::flag_cleared_by_the_dead, nullptr},
};

constexpr auto entry_names = [] {
  std::array<std::string_view, std::size(entries)> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = entries[i].name;
  return names;
}();

template <class Kind, class Shape>
std::unique_ptr<Scenario> make(Shape shape, std::string_view name, const Judges& judges) {
  shape.name = name;
  if constexpr (requires { shape.judges; }) shape.judges = judges;
  return std::make_unique<Kind>(shape);
}

}  // namespace

std::span<const std::string_view> table_scenario_names() { return entry_names; }

std::unique_ptr<Scenario> make_table_scenario(std::string_view name, const Judges& judges) {
  for (const Entry& entry : entries) {
    if (entry.name != name) continue;
    if (entry.contention != nullptr) return make<ContentionScenario>(entry.contention(), entry.name, judges);
    if (entry.trees != nullptr) return make<TreesScenario>(entry.trees(), entry.name, judges);
    return make<NamesScenario>(entry.names(), entry.name, judges);
  }
  return nullptr;
}

}  // namespace tenure::sim
