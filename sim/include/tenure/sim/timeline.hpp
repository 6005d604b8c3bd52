// The timeline of one simulated run, for people: a table for a terminal, and one page for a browser.
//
// A Timeline is plain data; nothing here knows the simulator. A run is drawn on lanes (a process, a thread, a server, the network, the
// kernel), by the number of the step. On a lane lie spans (it holds, it sleeps) and points (a step, a fault); between lanes go arrows (a
// message, a wake-up). All texts may hold any bytes: what is not UTF-8, and control characters, are shown as U+FFFD.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tenure::sim {

using LaneId = std::size_t;  // index into Timeline::lanes
constexpr std::size_t no_lane = ~std::size_t{0};
constexpr std::uint32_t no_step = ~std::uint32_t{0};

struct Lane {
  enum class Kind : std::uint8_t { process, thread, server, clock, kernel, network };
  std::string name = {};  // "P0", "P0/t1", "kv"
  Kind kind = Kind::process;
  LaneId parent = no_lane;  // of a thread: its process, which comes before it
};

// What a lane is, from one step until right before another one.
struct Span {
  enum class Kind : std::uint8_t { waiting, holding, asleep, paused, suspended, dead };
  LaneId lane = 0;
  Kind kind = Kind::holding;
  std::uint32_t from_step = 0;
  std::uint32_t until_step = no_step;  // no_step: until the end of the run
  std::string name = {};               // what is waited for, held, slept on
  std::optional<std::uint64_t> token = {};
};

struct Point {
  enum class Kind : std::uint8_t { step, clock, note, kill, pause, clock_jump, fault };
  LaneId lane = 0;
  std::uint32_t step = 0;
  Kind kind = Kind::step;
  std::string label = {};  // "cas word 0 -> 1". Of a fault: what KILL, PAUSE or CLOCK JUMP leave unsaid, may be empty
  bool minor = false;      // a step that changes nothing: the first one to be left out where there is no room
  std::string place = {};  // in the source, as "lock.cpp:12 acquire"; may be empty
};

struct Arrow {
  enum class Kind : std::uint8_t { request, reply, wake, spawn };
  enum class Fate : std::uint8_t { delivered, lost, duplicated, delayed, reset };  // duplicated: this is the second copy
  Kind kind = Kind::request;
  Fate fate = Fate::delivered;
  LaneId from = 0;
  LaneId to = 0;
  std::uint32_t from_step = 0;
  std::uint32_t to_step = 0;  // of a lost one: when it was dropped
  std::string label = {};
};

// The true time from this step on, until the next moment.
struct Moment {
  std::uint32_t step = 0;
  std::uint64_t time_ns = 0;
};

struct Violation {
  std::uint32_t step = 0;
  std::string property = {};  // "exclusion"
  std::string detail = {};    // one sentence
  std::vector<LaneId> lanes = {};
};

struct Totals {
  std::uint32_t processes = 0;
  std::uint32_t faults = 0;
  std::uint32_t context_switches = 0;
  std::uint32_t steps = 0;
};

struct Timeline {
  std::string title = {};   // of the protocol or the scenario
  std::string engine = {};  // "random", "exhaustive"; empty: not told
  std::optional<std::uint64_t> seed = {};
  std::string repro = {};  // the command line that shows this run again
  Totals totals;
  std::vector<Lane> lanes = {};
  std::vector<Span> spans = {};
  std::vector<Point> points = {};
  std::vector<Arrow> arrows = {};
  std::vector<Moment> moments = {};  // by step; a step before the first one is at 0 ns
  std::optional<Violation> violation = {};
};

struct TextOptions {
  std::uint32_t columns = 100;  // at least 40
  std::uint32_t rows = 50;      // uninteresting steps are left out until it fits, as far as that goes; 0: none is left out
  bool color = false;           // ANSI escapes
};

// Both throw std::out_of_range for a lane that there isn't.
std::string to_text(const Timeline& timeline, const TextOptions& options = {});
// The whole page, which needs no other file and no network.
std::string to_html(const Timeline& timeline);

}  // namespace tenure::sim
