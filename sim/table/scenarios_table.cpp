#include "sim/table/scenarios_table.hpp"

#include <algorithm>

namespace tenure::sim {

using core::Acquired;
using core::LeaseWord;
using core::Seat;
using core::Terms;

namespace {
constexpr std::uint32_t holds_of_thread = core::holds_per_session / 2;
constexpr std::string_view lease_names[] = {"orders", "invoices", "mail", "backup"};
}  // namespace

ContentionScenario::ContentionScenario(const Contention& shape) : shape_(shape), model_(shape.processes + (shape.successors != 0 ? 1 : 0)) {
  for (std::uint32_t i = 0; i < shape_.leases; ++i) name_[i].judge = NameJudge(rules(false));
}

NameRules ContentionScenario::rules(bool stale_reads) const {
  NameRules rules;
  const bool strict = shape_.ttl_ns == 0 && !shape_.breaks;
  rules.tells_exactly = strict;
  rules.bound_ns = shape_.bound_ns;
  // What another one had under way when this one began to stand may end first, by an older ticket or a grant not yet heard of; what it
  // begins later comes behind. See check_order for the exceptions.
  if (strict && shape_.config.pauses_max == 0) rules.passes_max = shape_.processes * shape_.threads - 1;
  // Who reads what is no longer so may find a queue empty that isn't.
  if (stale_reads) rules.passes_max = NameRules::unlimited;
  return rules;
}

void ContentionScenario::setup(World& world) {
  model_.reset(world);
  kills_ = 0;
  successors_left_ = shape_.successors;
  successors_due_ = 0;
  for (Wish& wish : wish_) wish.lease = core::no_index;  // and so the rest of it is not looked at
  for (auto& word : cancelled_) word.store(0);
  for (auto& word : data_) word.store(0);
  if (world.has_stale_reads() != stale_reads_) {
    stale_reads_ = world.has_stale_reads();
    for (std::uint32_t i = 0; i < shape_.leases; ++i) name_[i].judge = NameJudge(rules(stale_reads_));
  }
  for (std::uint32_t i = 0; i < shape_.leases; ++i) {
    Name& name = name_[i];
    name.handle = model_.preset_name(lease_names[i]);
    name.oracle.reset();
    name.judge.reset();
    name.holder_died = false;
    name.broken_up_to = 0;
  }
  for (std::uint32_t i = 0; i < shape_.processes; ++i) spawn_member(world, !shape_.late_sessions);
  if (shape_.script == nullptr) return;
  if (script_.empty()) script_ = shape_.script(model_, name_[0].handle);
  world.follow(script_);
}

void ContentionScenario::spawn_successors(World& world) {
  for (; successors_due_ != 0; --successors_due_) spawn_member(world, false);
}

void ContentionScenario::spawn_member(World& world, bool preset) {
  const ProcessId next = world.processes();
  const ProcessId process = world.spawn_process(next >= shape_.processes || (shape_.killable >> next & 1) != 0);
  session_[process] = {};
  session_[process].threads_left = shape_.threads;
  if (!preset) {
    world.spawn(process, [this] { register_and_work(*World::active()); });
    return;
  }
  session_[process].slot = process;
  session_[process].generation = 1;
  model_.preset_session(world, process, process);
  for (std::uint32_t t = 0; t < shape_.threads; ++t) world.spawn(process, [this, t] { work(*World::active(), t); });
  if (shape_.breaks && shape_.script == nullptr && process + 1 == shape_.processes)
    world.spawn(process, [this] { break_grants(*World::active()); });
  if (shape_.cancels) world.spawn(process, [this, process] { cancel_later(*World::active(), process); });
}

void ContentionScenario::register_and_work(World& world) {
  const ProcessId process = world.this_process();
  const core::SessionClaim claim = model_.sessions().open({});
  if (claim.code == core::SessionClaim::Code::full) {  // the slots of those who died a moment ago
    world.sometimes("no session is free");
    return;
  }
  if (claim.code != core::SessionClaim::Code::claimed) world.fail("damaged", "no session");
  if (claim.generation > 1) world.sometimes("a slot has a second owner");
  session_[process].slot = claim.slot;
  session_[process].generation = claim.generation;
  for (std::uint32_t t = 1; t < shape_.threads; ++t) world.spawn(process, [this, t] { work(*World::active(), t); });
  work(world, 0);
}

void ContentionScenario::work(World& world, std::uint32_t thread) {
  if (thread == 1) session_[world.this_process()].second_thread = world.this_thread();
  const std::uint32_t slot = session_[world.this_process()].slot;
  const Seat seat{slot * core::holds_per_session + thread * holds_of_thread, slot * core::waits_per_session + thread};
  if (shape_.script != nullptr) return play(world, seat);
  const std::uint32_t operations = shape_.plain ? shape_.operations : world.size(shape_.operations);
  for (std::uint32_t i = 0; i < operations; ++i) {
    if (shape_.sweeps && world.choose(4) == 0 && model_.sessions().sweep() != 0) world.sometimes("a sweep cleaned");
    if (shape_.drops_bytes && world.choose(4) == 0) platform_.free_byte(slot);
    if (successors_due_ != 0 && world.choose(2) == 0) spawn_successors(world);
    operate(world, seat, thread);
    if (model_.lease_held_by(seat.hold) != core::no_index) world.fail("orphan", "a word names a record that holds nothing");
  }
  finish(world);
}

void ContentionScenario::play(World& world, Seat seat) {
  const Role& part = role(world);
  if (part.breaks) {
    break_grant(world, name_[part.lease]);
  } else {
    operate(world, seat, 0);
  }
  sleep(world, 10 * core::second_ns);
}

// The last thread of a process may close the session; otherwise its end is like a death.
void ContentionScenario::finish(World& world) {
  spawn_successors(world);
  world.barrier();  // whoever closes the session has been told that this thread is done, and so all that it has stored is there
  Session& session = session_[world.this_process()];
  if (--session.threads_left != 0 || !shape_.closes || !coin(world)) return;
  if (shape_.cancels || shape_.breaks) return;  // their threads may still be at work
  model_.sessions().close(session.slot);
  world.sometimes("a session was closed");
}

void ContentionScenario::operate(World& world, Seat seat, std::uint32_t thread) {
  const bool scripted = shape_.script != nullptr;
  const std::uint32_t lease = scripted ? role(world).lease : shape_.leases == 1 ? 0 : world.choose(shape_.leases);
  Name& name = name_[lease];
  const Terms terms{thread == 1 && shape_.second_ttl_ns != 0 ? shape_.second_ttl_ns : shape_.ttl_ns, core::HoldKind::user};
  core::Grant grant;
  world.begin_wait();
  wish(world, lease);
  const Acquired result = acquire(world, seat, lease, terms, grant);
  Wish& wish = wish_[world.this_thread()];
  wish.lease = core::no_index;
  if (judges()) answer(world, name.judge, result);
  switch (result) {
    case Acquired::granted:
      check_order(world, wish);
      if (shape_.plain) wish = {};  // lest what is over make states differ
      world.end_wait(shape_.bound_ns);
      hold(world, name, grant, terms);
      return;
    case Acquired::busy: return world.sometimes("busy");
    case Acquired::timed_out: return world.sometimes("timed out");
    case Acquired::cancelled: cancelled_[world.this_process()].store(0); return world.sometimes("cancelled");
    case Acquired::stale: return world.fail("damaged", "stale, though the name never left");
    case Acquired::damaged: return world.fail("damaged", "the table contradicts itself");
    case Acquired::session_lost: return world.fail("damaged", "a living session was declared dead");
  }
}

void ContentionScenario::answer(World& world, NameJudge& judge, Acquired result) {
  switch (result) {
    case Acquired::busy: return judge.respond(world, Response::busy);
    case Acquired::timed_out: return judge.respond(world, Response::timed_out);
    case Acquired::cancelled: return judge.respond(world, Response::cancelled);
    default: return;  // of a grant: see hold
  }
}

Acquired ContentionScenario::acquire(World& world, Seat seat, std::uint32_t lease, Terms terms, core::Grant& grant) {
  const bool impatient =
      shape_.timeouts && !shape_.plain && (world.this_process() >= shape_.processes || (shape_.impatient >> world.this_process() & 1) != 0);
  const std::uint32_t ways = 2 + (shape_.tries ? 1 : 0) + (impatient ? 1 : 0);
  const bool fixed = shape_.plain || shape_.script != nullptr;
  std::uint32_t way = fixed ? 0 : world.choose(ways);  // 0: in the queue; 1: the fast path first; 2: try; 3: with a time limit
  if (!shape_.tries && way >= 2) ++way;
  Leases& leases = model_.leases();
  const Handle& handle = name_[lease].handle;
  NameJudge& judge = name_[lease].judge;
  if (judges()) judge.invoke(world, way == 2 ? Call::try_acquire : Call::acquire, terms.ttl_ns);
  if (way == 1) {
    const std::uint64_t deadline_ns =
        terms.ttl_ns == 0 ? core::deadline::strict : core::deadline_from(platform_.boottime_ns(), terms.ttl_ns);
    const LeaseWord word = leases.acquire_fast(handle, seat.hold, deadline_ns);
    if (word.has_owner()) {
      grant = {handle.lease, seat.hold, word, handle.base + word.counter(), deadline_ns, core::Past::released};
      return Acquired::granted;
    }
  }
  if (way == 2) return leases.try_acquire(handle, seat.hold, terms, grant);
  Patience patience;
  if (way == 3) {
    const std::uint64_t limit_ns = world.config().step_ns << (4 + world.choose(6));
    patience.until_ns = platform_.boottime_ns() + limit_ns;
  }
  if (shape_.script != nullptr && role(world).patience_ns != 0) patience.until_ns = platform_.boottime_ns() + role(world).patience_ns;
  if (shape_.cancels) patience.cancelled = &cancelled_[world.this_process()];
  wish_[world.this_thread()].judge = judges() ? &judge : nullptr;
  patience.context = &wish_[world.this_thread()];
  patience.queued = [](void* context, std::uint32_t) {
    Wish& wish = *static_cast<Wish*>(context);
    ++*wish.sleeps;
    if (wish.judge != nullptr) wish.judge->queued(wish.thread);
  };
  return leases.acquire(handle, seat, terms, patience, grant);
}

core::WaitKey ContentionScenario::key_of(const World& world, ThreadId thread) {
  const Session& session = session_[world.process_of(thread)];
  const std::uint32_t second = session.second_thread == thread ? 1 : 0;
  return {model_.table().wait_key(session.slot * core::waits_per_session + second).ghost()};
}

// Notes who stands in the queue by now, for all to see: with a ticket, and the flag set.
void ContentionScenario::wish(World& world, std::uint32_t lease) {
  Wish& mine = wish_[world.this_thread()];
  std::uint32_t& sleeps = sleeps_[world.this_thread()];
  sleeps = 0;
  mine = {world.this_process(), world.this_thread(), lease, nullptr, &sleeps, {}};
  if (!model_.word(name_[lease].handle.lease).waiters()) return;
  for (ThreadId thread = 0; thread < wish_.size(); ++thread) {
    const Wish& other = wish_[thread];
    if (other.lease != lease || thread == world.this_thread() || !world.alive(other.process)) continue;
    const core::WaitKey key = key_of(world, thread);
    if (key.bound() && !key.is_joining()) mine.ahead[thread] = key.bits;
  }
}

// Who stood in the queue before we called, and stands there still, has been passed over. A stopped head may be. Otherwise only he who
// comes while the last taker has cleared the flag, and not yet looked again, may get by, where that taker dies or its lease ends just then.
void ContentionScenario::check_order(World& world, const Wish& mine) {
  const std::uint32_t sleeps = sleeps_[world.this_thread()];
  if (sleeps != 0) world.sometimes("served after a sleep");
  for (std::uint32_t i = 0; i < sleeps; ++i) world.sometimes("slept");
  for (ThreadId thread = 0; thread < wish_.size(); ++thread) {
    if (mine.ahead[thread] == 0 || wish_[thread].lease == core::no_index || !world.alive(wish_[thread].process) ||
        key_of(world, thread).bits != mine.ahead[thread])
      continue;
    if (world.config().pauses_max == 0 && kills_ == 0 && shape_.ttl_ns == 0 && shape_.judges.oracle)
      world.fail("order", "granted before somebody who stood in the queue already");
    world.sometimes("a stopped waiter was passed over");
  }
}

void ContentionScenario::cancel_later(World& world, ProcessId process) {
  for (std::uint32_t step = world.choose(64); step != 0; --step) never_.load();
  cancelled_[process].store(1);
  platform_.wake(cancelled_[process], 1);
}

void ContentionScenario::sleep(World&, std::uint64_t ns) {
  const core::Watch<SimPlatform> watch{&never_, 0};
  platform_.wait({&watch, 1}, ns);
}

void ContentionScenario::name_memory(RunMemory& memory) {
  model_.name_memory(memory);
  memory.add(session_);
  for (std::uint32_t i = 0; i < shape_.leases; ++i) {
    memory.add(name_[i].oracle);
    memory.add(name_[i].holder_died);
    memory.add(name_[i].broken_up_to);
    if (judges()) name_[i].judge.name_memory(memory);
  }
  const std::uint32_t threads_max = (shape_.processes + shape_.successors) * (shape_.threads + 1);
  for (std::uint32_t i = 0; i < std::min(threads_max, World::threads_max); ++i) memory.add(wish_[i]);
  memory.keep(sleeps_);
  memory.add(cancelled_.data(), sizeof(cancelled_));
  memory.add(data_.data(), sizeof(data_));
  memory.add(successors_left_);
  memory.add(successors_due_);
  memory.add(kills_);
}

// --- Callbacks ------------------------------------------------------------------------------------------------------------------------

void ContentionScenario::on_death(World& world, ProcessId process) {
  ++kills_;
  for (std::uint32_t i = 0; i < shape_.leases; ++i) {
    Name& name = name_[i];
    if (name.oracle.held_by_process(process)) name.holder_died = name.oracle.held(world);
    name.oracle.process_died(process);
    if (judges()) name.judge.died(world, process);
  }
  if (successors_left_ == 0) return;
  --successors_left_;
  if (shape_.delays && world.choose(2) != 0) {
    ++successors_due_;
  } else {
    spawn_member(world, false);
  }
}

// A session without a bell whose slot nobody has cleaned yet: only a tick tells of its death.
bool ContentionScenario::someone_died_unheard(World& world) {
  for (ProcessId process = 0; process < world.processes(); ++process) {
    const std::uint32_t slot = session_[process].slot;
    if (world.alive(process) || slot == core::no_index) continue;
    const core::SlotWord state{model_.table().slot(slot).state.ghost()};
    if (state.state() == core::SlotState::live_without_bell && state.generation() == session_[process].generation) return true;
  }
  return false;
}

void ContentionScenario::tell_sleepers(World& world) {
  for (const Wish& wish : wish_) {
    if (wish.lease == core::no_index || !world.alive(wish.process)) continue;
    name_[wish.lease].judge.sleeps_on(world, wish.thread, wish.process);
  }
  const bool excused = kills_ >= shape_.deaths_excused || someone_died_unheard(world);
  for (std::uint32_t i = 0; i < shape_.leases; ++i) {
    name_[i].judge.all_sleep(world, !excused && model_.available(world, name_[i].handle.lease));
  }
}

// Everybody sleeps. Whoever could take a lease that he waits for has missed his wake-up, or nobody sent it.
void ContentionScenario::on_idle(World& world) {
  if (judges()) tell_sleepers(world);
  if (!shape_.judges.oracle) return;
  for (const Wish& wish : wish_) {
    if (wish.lease == core::no_index || !world.alive(wish.process)) continue;
    if (!model_.available(world, name_[wish.lease].handle.lease) || someone_died_unheard(world)) continue;
    if (kills_ >= shape_.deaths_excused) return world.sometimes("two deaths cost a wake-up");
    return world.fail("lost_wake", "all sleep, and a lease that one of them waits for is free");
  }
}

void ContentionScenario::check(World& world) {
  std::array<TableModel::Known, leases_max> known;
  for (std::uint32_t i = 0; i < shape_.leases; ++i) known[i] = {lease_names[i], name_[i].oracle.last_token()};
  // Linearizability is about time, and who reads what is no longer so answers out of time.
  for (std::uint32_t i = 0; judges() && !stale_reads_ && i < shape_.leases; ++i) name_[i].judge.judge(world, checker_);
  model_.judge_remains(world, {known.data(), shape_.leases});
}

}  // namespace tenure::sim
