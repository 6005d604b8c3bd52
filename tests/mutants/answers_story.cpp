// A schedule that chance hardly finds, as sim/table/stories.cpp has them.
#include <vector>

#include "sim/table/scenarios_table.hpp"
#include "tests/mutants/answers.hpp"

namespace tenure::mutants {

namespace {

sim::Cue until(sim::ThreadId thread, sim::Op op, const void* word) { return {sim::Cue::What::until, thread, op, word, 1}; }
sim::Cue rest(sim::ThreadId thread) { return {sim::Cue::What::rest, thread}; }
const void* seq_of(sim::TableModel& model, std::uint32_t slot) { return &model.table().wait_cell(slot * core::waits_per_session).seq; }

}  // namespace

// 0 holds; 1 draws its ticket and stops. 2 sees it between announcement and ticket, and sleeps; is woken by 1 before that stands in line,
// sees the same, and sleeps again. 0 releases and wakes 1, who dies of it. 2 hears that only by the bell of one who had no place in line
// yet.
std::unique_ptr<sim::Scenario> announced_waiter_dies() {
  sim::Contention shape;
  shape.name = "story-announced";
  shape.processes = 3;
  shape.successors = 0;
  shape.operations = 1;
  shape.tries = shape.timeouts = shape.closes = false;
  shape.deaths_excused = 3;
  shape.config.step_ns = 1000;
  shape.script = [](sim::TableModel& model, const sim::Handle&) {
    return std::vector<sim::Cue>{
        until(0, sim::Op::note, nullptr),
        until(1, sim::Op::fetch_add, &model.table().header().next_ticket),
        rest(2),
        until(1, sim::Op::wake, seq_of(model, 2)),
        rest(2),
        rest(1),
        until(0, sim::Op::fetch_add, seq_of(model, 1)),
        {sim::Cue::What::kill, 1},
        {sim::Cue::What::bury, 1},
        rest(2),
        rest(0),
    };
  };
  return std::make_unique<sim::ContentionScenario>(shape);
}

}  // namespace tenure::mutants
