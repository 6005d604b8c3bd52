#include "sim/table/scenarios_trees.hpp"

#include <algorithm>

namespace tenure::sim {

using core::Acquired;
using core::Grant;
using core::millisecond_ns;

namespace {
constexpr std::string_view lease_name = "orders";
constexpr std::uint64_t nap_ns = 2 * millisecond_ns;
constexpr std::uint64_t bound_ns = 600 * millisecond_ns;
constexpr std::uint32_t patient_turns = 4;  // before those are killed who only hold the byte
constexpr std::uint32_t user = ~std::uint32_t{0};

core::Seat seat_of(std::uint32_t slot) { return {slot * core::holds_per_session, slot * core::waits_per_session}; }
}  // namespace

TreesScenario::TreesScenario(const TreeTraffic& shape) : shape_(shape), model_(shape.runs + shape.users + 1) {}

void TreesScenario::setup(World& world) {
  model_.reset(world);
  handle_ = model_.preset_name(lease_name);
  run_.fill({});
  user_inside_ = false;
  user_ = nobody;
  last_token_ = broken_up_to_ = 0;
  for (std::uint32_t i = 0; i < shape_.runs; ++i) {
    call_[i] = {this, i};
    run_[i].supervisor = world.spawn_process();
    run_[i].guard = world.spawn_process();
    world.spawn(run_[i].supervisor, [this, i] { supervise(*World::active(), i); });
    world.spawn(run_[i].guard, [this, i] { guard(*World::active(), i); });
  }
  for (std::uint32_t i = 0; i < shape_.users; ++i) {
    world.spawn(world.spawn_process(), [this] { use(*World::active()); });
  }
  if (shape_.breaks) world.spawn(world.spawn_process(), [this] { break_grants(*World::active()); });
}

// --- The guard ------------------------------------------------------------------------------------------------------------------------

void TreesScenario::guard(World& world, std::uint32_t number) {
  Run& run = run_[number];
  core::SessionFacts facts;
  facts.is_run = true;
  facts.tag = tag_of(number);
  const core::SessionClaim claim = model_.sessions().open(facts);
  if (claim.code != core::SessionClaim::Code::claimed) return world.sometimes("no session is free");
  run.slot = claim.slot;
  world.hand_over_bytes(run.supervisor);
  Grant grant;
  if (!acquire(world, number, grant)) return;
  if (world.alive(run.supervisor)) {
    const ProcessId child = add_member(world, number);
    if (child != nobody) world.spawn(child, [this, number] { command(*World::active(), number); });
  }
  watch_over_tree(world, number, grant);
  run.token = 0;
  // Of a run whose supervisor was killed the next holder must hear.
  model_.leases().release(grant, !world.alive(run.supervisor));
  model_.sessions().close(claim.slot);
  world.sometimes("a guard let go");
}

bool TreesScenario::acquire(World& world, std::uint32_t number, Grant& grant) {
  Run& run = run_[number];
  Patience patience;
  patience.context = &call_[number];
  if (shape_.recovers) {
    patience.blocked = [](void* context, std::uint32_t slot) {
      const Call& call = *static_cast<Call*>(context);
      ++call.scenario->run_[call.run].blocked_turns;
      call.scenario->recover(*World::active(), slot);
    };
  }
  world.begin_wait();
  const Acquired result = model_.leases().acquire(handle_, seat_of(run.slot), {shape_.ttl_ns, core::HoldKind::user}, patience, grant);
  if (result != Acquired::granted) world.fail("damaged", "a guard was refused");
  world.end_wait(bound_ns);
  if (world.true_now() >= grant.deadline_ns) {  // stopped between the grant and the news of it
    model_.leases().release(grant);
    return false;
  }
  note_grant(world, grant, number);
  return true;
}

void TreesScenario::watch_over_tree(World& world, std::uint32_t number, const Grant& grant) {
  const Run& run = run_[number];
  while (!tree_is_gone(world, run)) {
    const bool command_ended = run.member_count != 0 && world.gone(run.members[0]);
    const bool due = grant.deadline_ns != core::deadline::strict && platform_.boottime_ns() + shape_.margin_ns >= grant.deadline_ns;
    if (command_ended || due || !world.alive(run.supervisor) || !model_.leases().still_held(grant)) kill_tree(world, run);
    nap(nap_ns);
  }
}

// --- The supervisor, which has the byte and becomes the parent of the tree when the guard dies
// ------------------------------------------------

void TreesScenario::supervise(World& world, std::uint32_t number) {
  const Run& run = run_[number];
  while (world.alive(run.guard)) nap(nap_ns);
  while (!tree_is_gone(world, run)) {
    kill_tree(world, run);
    nap(nap_ns);
  }
}

bool TreesScenario::tree_is_gone(const World& world, const Run& run) const {
  for (std::uint32_t i = 0; i < run.member_count; ++i) {
    if (!world.gone(run.members[i])) return false;
  }
  return true;
}

void TreesScenario::kill_tree(World& world, const Run& run) {
  for (std::uint32_t i = 0; i < run.member_count; ++i) {
    if (world.alive(run.members[i])) world.send_kill(run.members[i]);
  }
}

// --- The command and its strays ---------------------------------------------------------------------------------------------------------

ProcessId TreesScenario::add_member(World& world, std::uint32_t number) {
  Run& run = run_[number];
  if (run.member_count == members_max) return nobody;
  const ProcessId child = world.spawn_child();
  run.members[run.member_count++] = child;
  return child;
}

void TreesScenario::command(World& world, std::uint32_t number) {
  if (shape_.tagged) world.set_tag(tag_of(number));
  if (shape_.closes_bytes && world.choose(2) != 0) world.close_inherited_bytes();
  work(world, number, shape_.work_steps / 2);
  if (world.choose(2) != 0) {
    const ProcessId child = add_member(world, number);
    if (child != nobody) world.spawn(child, [this, number] { stray(*World::active(), number); });
  }
  work(world, number, shape_.work_steps / 2);
}

void TreesScenario::stray(World& world, std::uint32_t number) {
  if (shape_.closes_bytes && world.choose(2) != 0) world.close_inherited_bytes();
  work(world, number, shape_.work_steps * (world.choose(2) != 0 ? 8 : 1));
  world.sometimes("a stray ended by itself");
}

void TreesScenario::work(World& world, std::uint32_t number, std::uint32_t steps) {
  for (std::uint32_t i = 0; i < steps; ++i) {
    never_.load();
    if (user_inside_ && !run_[number].excused) world.fail("exclusion", "a command works beside a user of the library");
  }
}

// --- Those who come next ----------------------------------------------------------------------------------------------------------------

void TreesScenario::note_grant(World& world, const Grant& grant, std::uint32_t number) {
  if (grant.token <= last_token_) world.fail("token", "a token that is not larger than the one before");
  last_token_ = grant.token;
  if (grant.past == core::Past::died) world.sometimes("told that the last holder died");
  if (grant.past == core::Past::overdue) world.sometimes("entered beside an overdue tree");
  if (user_inside_) world.fail("exclusion", "granted beside a user of the library");
  for (std::uint32_t i = 0; i < shape_.runs; ++i) {
    Run& run = run_[i];
    if (i == number) continue;
    run.excused |= grant.past == core::Past::overdue && run.token != 0;
    if (!tree_is_gone(world, run) && !run.excused) world.fail("exclusion", "granted while a command's tree lives");
    const bool stands = run.token != 0 && world.alive(run.guard) && !run.broken && world.true_now() < run.deadline_ns;
    if (stands) world.fail("exclusion", "two holders");
    run.token = 0;
  }
  if (number == user) return;
  run_[number].broken = grant.word.counter() <= broken_up_to_;
  run_[number].token = grant.token;
  run_[number].deadline_ns = grant.deadline_ns;
}

void TreesScenario::use(World& world) {
  for (std::uint32_t i = world.choose(16); i != 0; --i) nap(nap_ns);
  if (world.choose(2) != 0 && model_.sessions().sweep() != 0) world.sometimes("a sweep cleaned");
  const core::SessionClaim claim = model_.sessions().open({});
  if (claim.code != core::SessionClaim::Code::claimed) return world.sometimes("no session is free");
  Grant grant;
  world.begin_wait();
  if (model_.leases().acquire(handle_, seat_of(claim.slot), {}, {}, grant) != Acquired::granted)
    world.fail("damaged", "a user was refused");
  world.end_wait(bound_ns);
  if (grant.word.counter() <= broken_up_to_) {  // before it was known
    model_.leases().release(grant);
    return;
  }
  note_grant(world, grant, user);
  user_inside_ = true;
  user_ = world.this_process();
  for (std::uint32_t i = 0; i < shape_.work_steps; ++i) never_.load();
  user_inside_ = false;
  model_.leases().release(grant);
}

// What `tenure` does while it is next in line: those with the tag at once; those who only hold the byte, its guard and its supervisor
// among them, when they have had their time to end by themselves.
void TreesScenario::recover(World& world, std::uint32_t slot) {
  const std::uint64_t tag = model_.table().slot(slot).tag.load(std::memory_order_relaxed);
  std::uint32_t own_turns = 0;
  for (const Run& run : run_) {
    if (run.guard == world.this_process()) own_turns = run.blocked_turns;
  }
  for (ProcessId process = 0; process < world.processes(); ++process) {
    if (process == world.this_process() || !world.alive(process)) continue;
    const bool tagged = tag != 0 && world.tag(process) == tag;
    if (tagged || (own_turns > patient_turns && world.shares_byte(process, slot))) {
      world.send_kill(process);
      world.sometimes("killed what was left of a run");
    }
  }
}

void TreesScenario::break_grants(World& world) {
  for (int i = 0; i < 3; ++i) {
    for (std::uint32_t step = world.choose(64); step != 0; --step) never_.load();
    const core::LeaseWord seen{model_.table().word(handle_.lease).load(std::memory_order_acquire)};
    if (!seen.has_owner() || model_.word(handle_.lease).bits != seen.bits) continue;
    broken_up_to_ = std::max(broken_up_to_, seen.counter());
    // The holder believes until it looks again, and no one can help it.
    for (Run& run : run_) run.broken |= run.token == handle_.base + seen.counter();
    user_inside_ = false;
    if (model_.leases().break_grant(handle_.lease, seen)) world.sometimes("broken");
  }
}

void TreesScenario::nap(std::uint64_t ns) {
  const core::Watch<SimPlatform> watch{&never_, 0};
  platform_.wait({&watch, 1}, ns);
}

void TreesScenario::on_death(World&, ProcessId process) {
  if (process == user_) user_inside_ = false;
}

void TreesScenario::check(World& world) {
  const TableModel::Known known{lease_name, last_token_};
  model_.judge_remains(world, {&known, 1});
}

}  // namespace tenure::sim
