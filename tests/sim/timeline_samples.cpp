#include "tests/sim/timeline_samples.hpp"

#include <string>

namespace tenure::sim::samples {

namespace {

using P = Point::Kind;
using S = Span::Kind;
using A = Arrow::Kind;
using F = Arrow::Fate;

Lane process(const std::string& name) { return {.name = name}; }
Point read(LaneId lane, std::uint32_t step, const std::string& label) {
  return {.lane = lane, .step = step, .label = label, .minor = true};
}
Point does(LaneId lane, std::uint32_t step, const std::string& label) { return {.lane = lane, .step = step, .label = label}; }

// A microsecond a step.
void count_time(Timeline& run, std::uint32_t steps) {
  for (std::uint32_t step = 0; step <= steps; ++step) run.moments.push_back({step, 1000ULL * step});
}

}  // namespace

Timeline two_holders() {
  Timeline run;
  run.title = "lock-file/stale-takeover";
  run.engine = "random";
  run.seed = 1187;
  run.repro = "tenure-sim --scenario=lock-file/stale-takeover --seed=1187";
  run.totals = {3, 1, 9, 40};
  run.lanes = {process("P0"), process("P1"), process("P2"), {.name = "kernel", .kind = Lane::Kind::kernel}};
  run.spans = {{0, S::holding, 4, 12, "orders", 7}, {0, S::dead, 12, no_step, "dead"},    {1, S::waiting, 6, 29, "orders"},
               {2, S::waiting, 9, 34, "orders"},    {1, S::holding, 29, 40, "orders", 8}, {2, S::holding, 34, no_step, "orders", 8}};
  run.points = {read(0, 1, "load file 0"),
                does(0, 2, "claim byte 0"),
                read(0, 3, "load file 0"),
                does(0, 4, "cas file 0 -> 1"),
                read(1, 5, "load file 1"),
                does(1, 6, "claim byte 1"),
                read(1, 7, "probe byte 0 held"),
                read(2, 8, "load file 1"),
                does(2, 9, "claim byte 2"),
                read(2, 10, "probe byte 0 held"),
                does(0, 11, "store journal 1"),
                {0, 12, P::kill, ""},
                does(3, 13, "frees bytes of P0"),
                does(3, 14, "reaps P0"),
                {1, 15, P::clock, "clock 15 us", true},
                read(1, 16, "load file 1"),
                read(1, 17, "probe byte 0 free"),
                {1, 18, P::note, "stale file found"},
                {2, 19, P::clock, "clock 19 us", true},
                read(2, 20, "load file 1"),
                read(2, 21, "probe byte 0 free"),
                {2, 22, P::note, "stale file found"},
                read(2, 23, "load journal 1"),
                read(2, 24, "load journal 1"),
                read(1, 25, "load journal 1"),
                read(1, 26, "load file 1"),
                does(1, 27, "exchange file 1 -> 0"),
                read(1, 28, "load file 0"),
                does(1, 29, "cas file 0 -> 2"),
                does(1, 30, "store journal 2"),
                read(2, 31, "load journal 2"),
                does(2, 32, "exchange file 2 -> 0"),
                read(2, 33, "load file 0"),
                does(2, 34, "cas file 0 -> 3")};
  run.violation = {34, "exclusion", "P2 removed the file that P1 had just made, and not the stale one.", {1, 2}};
  count_time(run, 40);
  return run;
}

Timeline lost_wake() {
  Timeline run;
  run.title = "robust-mutex/woken-one-dies";
  run.engine = "exhaustive";
  run.repro = "tenure-sim --scenario=robust-mutex/woken-one-dies --kills=1 --tape=s3.0k1.2s0.4";
  run.totals = {4, 1, 11, 26};
  run.lanes = {process("P0"),
               process("P1"),
               process("P2"),
               {"P2/t2", Lane::Kind::thread, 2},
               {"P2/t3", Lane::Kind::thread, 2},
               {.name = "kernel", .kind = Lane::Kind::kernel}};
  run.spans = {{0, S::holding, 2, 14, "mutex", 1},    {1, S::waiting, 4, 16, "mutex"},      {1, S::asleep, 6, 15, "mutex"},
               {1, S::dead, 16, no_step, "dead"},     {3, S::waiting, 8, no_step, "mutex"}, {3, S::asleep, 9, no_step, "mutex"},
               {4, S::waiting, 11, no_step, "mutex"}, {4, S::asleep, 13, no_step, "mutex"}};
  run.points = {read(0, 1, "load mutex 0"),
                does(0, 2, "cas mutex 0 -> 0x65"),
                read(1, 3, "cas failed mutex 0x65"),
                does(1, 5, "cas mutex 0x65 -> 0x80000065"),
                read(3, 8, "load mutex 0x80000065"),
                read(4, 11, "load mutex 0x80000065"),
                {4, 12, P::clock, "clock 12 us", true},
                does(0, 14, "exchange mutex 0x80000065 -> 0"),
                {1, 16, P::kill, "before it took the mutex"},
                does(5, 18, "unqueues P1"),
                does(5, 19, "walks the robust list: empty"),
                does(5, 20, "reaps P1"),
                {0, 21, P::note, "P0 exits"},
                {5, 26, P::note, "only a timer can go on"}};
  run.arrows = {{A::wake, F::delivered, 0, 1, 15, 15, ""}, {A::spawn, F::delivered, 2, 4, 10, 10, ""}};
  run.violation = {26, "lost_wake", "The mutex is free, and nobody will wake those who sleep on it.", {3, 4}};
  count_time(run, 25);
  run.moments.push_back({26, 4'000'000'000});
  return run;
}

Timeline late_write() {
  Timeline run;
  run.title = "kv-lock/set-nx-px";
  run.engine = "random";
  run.seed = 40961;
  run.repro = "tenure-sim --scenario=kv-lock/set-nx-px --seed=40961 --pauses=1 --late=1";
  run.totals = {2, 3, 7, 120};
  run.lanes = {process("P0"),
               process("P1"),
               {.name = "clock P0", .kind = Lane::Kind::clock},
               {.name = "network", .kind = Lane::Kind::network},
               {.name = "kv", .kind = Lane::Kind::server},
               {.name = "store", .kind = Lane::Kind::server}};
  run.spans = {{0, S::waiting, 1, 6, "orders"},           {0, S::holding, 6, no_step, "orders", 33},   {0, S::paused, 9, 96, "30 s"},
               {1, S::waiting, 12, 102, "orders"},        {1, S::holding, 102, no_step, "orders", 34}, {4, S::holding, 3, 90, "orders", 33},
               {4, S::holding, 99, no_step, "orders", 34}};
  run.points = {{0, 7, P::clock, "clock 0.4 ms: 10 s left", true},
                {0, 9, P::pause, "30 s"},
                {3, 14, P::fault, "drops P1 -> kv"},
                {4, 90, P::note, "orders expired"},
                {2, 97, P::clock_jump, "-2 s"},
                {0, 98, P::clock, "clock 8.1 s: 1.9 s left", true},
                {5, 106, P::note, "wrote 34"},
                {5, 112, P::note, "wrote 33 after 34"}};
  run.arrows = {{A::request, F::delivered, 0, 4, 1, 3, "SET orders NX PX 10000"},
                {A::reply, F::delivered, 4, 0, 4, 6, "OK 33"},
                {A::request, F::delayed, 0, 5, 8, 112, "PUT job token 33"},
                {A::request, F::lost, 1, 4, 12, 14, "SET orders NX PX 10000"},
                {A::request, F::duplicated, 1, 4, 95, 100, "SET orders NX PX 10000"},
                {A::request, F::delivered, 1, 4, 95, 99, "SET orders NX PX 10000"},
                {A::reply, F::delivered, 4, 1, 101, 102, "OK 34"},
                {A::request, F::delivered, 1, 5, 104, 106, "PUT job token 34"},
                {A::reply, F::reset, 5, 1, 107, 109, "OK"}};
  run.violation = {112, "fencing", "The store took token 33 from P0 after token 34 from P1.", {0, 5}};
  for (std::uint32_t step = 0; step <= 120; ++step) run.moments.push_back({step, 1000ULL * step + (step >= 90 ? 30'000'000'000 : 0)});
  return run;
}

Timeline large(std::size_t events) {
  Timeline run;
  run.title = "large";
  run.repro = "tenure-sim --scenario=large --seed=1";
  run.seed = 1;
  run.lanes = {process("P0"), process("P1"), process("P2"), process("P3"), process("P4"), process("P5")};
  run.totals = {6, 2, 100, static_cast<std::uint32_t>(events)};
  for (std::size_t i = 0; i < events; ++i) {
    const auto step = static_cast<std::uint32_t>(i + 1);
    const LaneId lane = i * 7 / 5 % 6;
    if (i % 25 == 3) {
      run.spans.push_back({lane, S::holding, step, step + 12, "orders", i});
    } else if (i % 17 == 5) {
      run.arrows.push_back({A::wake, F::delivered, lane, (lane + 2) % 6, step, step, ""});
    } else if (i % 3 == 0) {
      run.points.push_back(read(lane, step, "load orders.word 0x10000" + std::to_string(i)));
    } else {
      run.points.push_back(does(lane, step, "cas orders.word 0x10000" + std::to_string(i) + " -> 0x20000"));
    }
  }
  count_time(run, run.totals.steps);
  return run;
}

}  // namespace tenure::sim::samples
