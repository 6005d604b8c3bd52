#include "sim/table/stories.hpp"

namespace tenure::sim::stories {

namespace {

// The first threads of the first processes have their numbers; successors follow.
constexpr auto until = [](ThreadId thread, Op op, const void* word, std::uint32_t times = 1) {
  return Cue{Cue::What::until, thread, op, word, times};
};
constexpr auto rest = [](ThreadId thread) { return Cue{Cue::What::rest, thread}; };
constexpr auto kill = [](ProcessId process) { return Cue{Cue::What::kill, process}; };
constexpr auto bury = [](ProcessId process) { return Cue{Cue::What::bury, process}; };
constexpr auto granted = [](ThreadId thread) { return Cue{Cue::What::until, thread, Op::note}; };

const void* word_of(TableModel& model, const Handle& handle) { return &model.table().word(handle.lease); }
const void* key_of(TableModel& model, std::uint32_t slot) { return &model.table().wait_key(slot * core::waits_per_session); }

Contention story(std::string_view name, std::uint32_t processes, std::uint32_t successors) {
  Contention shape;
  shape.name = name;
  shape.processes = processes;
  shape.successors = successors;
  shape.operations = 1;
  shape.leases = 2;
  shape.tries = shape.timeouts = shape.closes = false;
  shape.deaths_excused = 3;
  shape.config.step_ns = 1000;
  shape.roles.back().lease = shape.roles[processes].lease = 1;  // successors keep away from the lease in question
  return shape;
}

}  // namespace

// 0 holds, 1 waits, 2 has read the word. 0 releases and wakes 1, who dies of it; 2 finds nobody before it, and believes that 0 still holds.
Contention head_dies_when_poked() {
  Contention shape = story("story-head-dies", 3, 0);
  shape.script = [](TableModel& model, const Handle& handle) {
    return std::vector<Cue>{
        granted(0),
        rest(1),
        until(2, Op::load, word_of(model, handle)),
        until(0, Op::fetch_add, &model.table().wait_cell(core::waits_per_session).seq),
        kill(1),
        bury(1),
        rest(2),
        rest(0),
    };
  };
  return shape;
}

// 0 holds, 1 runs out of patience just before 0 releases, and leaves; that it left is still in its store buffer when it looks for somebody
// behind it. 2 comes, is not seen, sees 1 before it, and sleeps on somebody who is gone.
Contention key_in_a_store_buffer() {
  Contention shape = story("story-store-buffer", 3, 0);
  shape.config.memory = Memory::total_store_order;
  shape.roles[1].patience_ns = 10'000;
  shape.script = [](TableModel& model, const Handle& handle) {
    return std::vector<Cue>{
        granted(0),
        until(1, Op::read_clock, nullptr, 3),
        until(0, Op::cas, word_of(model, handle)),
        rest(0),
        until(1, Op::store, key_of(model, 1)),
        until(1, Op::load, key_of(model, 2)),
        rest(2),
        rest(1),
    };
  };
  return shape;
}

// 0 holds, 1 and 2 wait, 3 comes. 1 runs out of patience just before 0 releases; 3 meets its key while it is still there. 1 leaves and
// wakes 2; 2 dies of it. If 3 doesn't look at 1's key again, it sleeps behind somebody who is gone, and the lease is free.
Contention stopped_reader_of_a_dead_queue() {
  Contention shape = story("story-dead-queue", 4, 0);
  shape.roles[1].patience_ns = 10'000;
  shape.script = [](TableModel& model, const Handle& handle) {
    return std::vector<Cue>{
        granted(0),
        until(1, Op::store, key_of(model, 1), 2),
        rest(2),
        until(1, Op::read_clock, nullptr),
        until(0, Op::cas, word_of(model, handle)),
        rest(0),
        until(3, Op::load, key_of(model, 1), 4),
        rest(1),
        kill(2),
        bury(2),
        rest(3),
    };
  };
  return shape;
}

// 0 is first in line for a free lease, 1 has looked at everything and is about to sleep. 0 dies; its first successor dies while it cleans,
// when the key is gone and nobody woken; the second one gets 0's slot, and 0's thread number. With one bell for all generations of a slot
// 1 would now sleep on the bell of a stranger.
Contention stranger_in_the_slot() {
  Contention shape = story("story-stranger", 2, 2);
  shape.script = [](TableModel& model, const Handle& handle) {
    return std::vector<Cue>{
        until(0, Op::store, key_of(model, 0), 2),
        until(1, Op::load, word_of(model, handle), 3),
        kill(0),
        bury(0),
        until(2, Op::cas, key_of(model, 0)),
        kill(2),
        bury(2),
        until(3, Op::store, &model.table().slot(0).state),
        rest(1),
    };
  };
  return shape;
}

// 0 holds, 1 waits, 2 breaks 0's grant and dies before it wakes 1. 3 comes, finds the lease free and itself not first: if it doesn't say
// so to 1, both sleep.
Contention breaker_who_dies() {
  Contention shape = story("story-breaker", 4, 0);
  shape.roles[2].breaks = true;
  shape.breaks = true;
  shape.hold_sleep_ns = 5'000'000'000;
  shape.bound_ns = 20'000'000'000;
  shape.script = [](TableModel& model, const Handle& handle) {
    return std::vector<Cue>{granted(0), rest(0), rest(1), until(2, Op::cas, word_of(model, handle)), kill(2), bury(2), rest(3)};
  };
  return shape;
}

// No bells. 0 has seen nobody else and takes the lease; 1 joins, sees 0's grant and sleeps; 0 clears the flag and dies before it looks for
// the likes of 1. Whoever cleans up after 0 finds a word without the flag.
Contention flag_cleared_by_the_dead() {
  Contention shape = story("story-flag", 2, 1);
  shape.config.bells_forbidden = true;
  shape.script = [](TableModel& model, const Handle& handle) {
    return std::vector<Cue>{
        until(0, Op::load, key_of(model, 1), 2),
        until(1, Op::store, key_of(model, 1), 2),
        until(0, Op::cas, word_of(model, handle)),
        rest(1),
        until(0, Op::cas, word_of(model, handle)),
        kill(0),
        bury(0),
        rest(2),
    };
  };
  return shape;
}

}  // namespace tenure::sim::stories
