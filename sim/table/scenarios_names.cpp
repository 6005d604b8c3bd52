#include "sim/table/scenarios_names.hpp"

#include <algorithm>

namespace tenure::sim {

using core::Acquired;
using core::LeaseWord;
using core::NameWords;
using core::Resolved;

namespace {

constexpr std::string_view short_names[] = {"orders", "invoices", "mail", "backup", "index", "report", "cache", "queue"};
// 90 and 190 bytes: one and two further entries.
constexpr std::string_view long_names[] = {
    "archive/..............................................................................2024",
    "archive/.........................................................................................................."
    "......................................................................2025",
};
static_assert(long_names[0].size() > core::name_bytes_inline && long_names[1].size() > 176);

}  // namespace

NamesScenario::NamesScenario(const NameTraffic& shape) : shape_(shape), model_(shape.processes + 1), second_model_(1) {
  // A handle that has grown stale may take the lease of another name for a moment: whoever tries then is told `busy` of a name that nobody
  // holds. And the news of a death leaves the table with the name.
  for (Ledger& ledger : ledger_) ledger.judge = NameJudge({.busy = LockModel::Busy::spurious, .recovers = false});
}

std::string_view NamesScenario::name_at(std::uint32_t name) const {
  return name < shape_.long_names ? long_names[name] : short_names[name];
}

void NamesScenario::setup(World& world) {
  model_.reset(world);
  model_.keep_only(0, shape_.usable);
  kills_ = 0;
  successors_left_ = shape_.successors;
  wish_.fill({nobody, core::no_index});
  for (Ledger& ledger : ledger_) {
    ledger.oracle.reset();
    ledger.judge.reset();
    ledger.entry = ledger.died_entry = nowhere;
  }
  for (std::uint32_t i = 0; i < shape_.preset; ++i) model_.preset_name(name_at(shape_.long_names + i), shape_.counter);
  for (std::uint32_t i = 0; i < shape_.processes; ++i) {
    const ProcessId process = world.spawn_process();
    model_.preset_session(world, process, i);
    world.spawn(process, [this, i] { work(*World::active(), i); });
  }
}

void NamesScenario::register_and_work(World& world) {
  const core::SessionClaim claim = model_.sessions().open({});
  if (claim.code == core::SessionClaim::Code::full) return world.sometimes("no session is free");
  if (claim.code != core::SessionClaim::Code::claimed) return world.fail("damaged", "no session");
  work(world, claim.slot);
}

void NamesScenario::work(World& world, std::uint32_t slot) {
  Handles handles{};
  for (std::uint32_t i = 0; i < shape_.operations; ++i) {
    const std::uint32_t name = world.choose(shape_.names);
    if (shape_.removes && world.choose(4) == 0) {
      remove(world, slot, name);
    } else {
      use(world, slot, name, handles[name]);
    }
    for (std::uint32_t hold = slot * core::holds_per_session; hold < (slot + 1) * core::holds_per_session; ++hold) {
      if (model_.lease_held_by(hold) != core::no_index) world.fail("orphan", "a word names a record that holds nothing");
    }
  }
}

Patience NamesScenario::patience(World& world) {
  Patience patience;
  if (!shape_.timeouts || world.choose(2) == 0) return patience;
  const std::uint64_t limit_ns = world.config().step_ns << (4 + world.choose(6));
  patience.until_ns = platform_.boottime_ns() + limit_ns;
  return patience;
}

void NamesScenario::remove(World& world, std::uint32_t slot, std::uint32_t name) {
  const std::uint32_t hold = slot * core::holds_per_session;
  const core::Desk desk{{hold + 1, slot * core::waits_per_session}, hold + 2};
  wish(world, model_.group_lease());
  const Names::Removed removed = model_.names().remove(NameWords(name_at(name)), desk, patience(world));
  wish(world, core::no_index);
  switch (removed) {
    case Names::Removed::removed: return world.sometimes("removed");
    case Names::Removed::absent: return world.sometimes("nothing to remove");
    case Names::Removed::in_use: return world.sometimes("in use, not removed");
    case Names::Removed::timed_out: return world.sometimes("timed out");
    case Names::Removed::damaged: return world.fail("damaged", "the table contradicts itself");
  }
}

// A handle from an earlier operation may serve again, however stale it is.
void NamesScenario::use(World& world, std::uint32_t slot, std::uint32_t name, Handle& handle) {
  world.begin_wait();
  for (std::uint32_t attempt = 0; attempt < 100; ++attempt) {
    if (handle.header == nullptr && !resolve(world, slot, name, handle)) return;
    core::Grant grant;
    const Acquired result = acquire(world, slot, name, handle, grant);
    if (shape_.judges.properties) answer(world, ledger_[name].judge, result);
    switch (result) {
      case Acquired::granted: world.end_wait(shape_.bound_ns); return hold(world, ledger_[name], handle, grant);
      case Acquired::busy: return world.sometimes("busy");
      case Acquired::timed_out: return world.sometimes("timed out");
      case Acquired::stale: world.sometimes("a handle was stale"); break;
      default: return world.fail("damaged", "the table contradicts itself");
    }
    handle = {};
  }
  world.fail("liveness", "a hundred stale handles one after the other");
}

void NamesScenario::answer(World& world, NameJudge& judge, Acquired result) {
  switch (result) {
    case Acquired::busy: return judge.respond(world, Response::busy);
    case Acquired::timed_out: return judge.respond(world, Response::timed_out);
    case Acquired::stale: return judge.respond(world, Response::refused);
    default: return;  // of a grant: see hold
  }
}

bool NamesScenario::resolve(World& world, std::uint32_t slot, std::uint32_t name, Handle& handle) {
  const std::uint32_t hold = slot * core::holds_per_session;
  const core::Desk desk{{hold + 1, slot * core::waits_per_session}, hold + 2};
  bool weak = false;
  wish(world, model_.group_lease());
  const Resolved resolved = model_.names().resolve(NameWords(name_at(name)), desk, patience(world), handle, weak);
  wish(world, core::no_index);
  switch (resolved) {
    case Resolved::found:
      if (weak && !world.config().token_mark_fails) world.fail("token", "weak where there is a durable mark");
      if (weak) world.sometimes("tokens are weak");
      return true;
    case Resolved::full: world.sometimes("the group is full"); break;
    case Resolved::timed_out: world.sometimes("timed out"); break;
    default: world.fail("damaged", "a name does not resolve");
  }
  handle = {};
  return false;
}

Acquired NamesScenario::acquire(World& world, std::uint32_t slot, std::uint32_t name, const Handle& handle, core::Grant& grant) {
  const std::uint32_t hold = slot * core::holds_per_session;
  Leases& leases = model_.leases();
  const std::uint32_t way = world.choose(3);
  if (shape_.judges.properties) ledger_[name].judge.invoke(world, way == 0 ? Call::try_acquire : Call::acquire);
  if (way == 0) return leases.try_acquire(handle, hold, {}, grant);
  if (way == 1) {
    const LeaseWord word = leases.acquire_fast(handle, hold, core::deadline::strict);
    if (word.has_owner()) {
      grant = {handle.lease, hold, word, handle.base + word.counter(), core::deadline::strict, core::Past::released};
      return Acquired::granted;
    }
  }
  wish(world, handle.lease);
  const Acquired result = leases.acquire(handle, {hold, slot * core::waits_per_session}, {}, patience(world), grant);
  wish(world, core::no_index);
  return result;
}

void NamesScenario::hold(World& world, Ledger& ledger, const Handle& handle, const core::Grant& grant) {
  if (grant.past == core::Past::died) world.sometimes("told that the last holder died");
  const std::uint64_t entry = handle.expected_header << 8 | handle.lease;
  if (shape_.judges.oracle && ledger.died_entry == entry && grant.past != core::Past::died) {
    world.fail("news", "the death of the last holder was not told");
  }
  ledger.died_entry = nowhere;
  ledger.entry = entry;
  if (shape_.judges.oracle) ledger.oracle.granted(world, grant.token);
  NameJudge* const judge = shape_.judges.properties ? &ledger.judge : nullptr;
  if (judge != nullptr) judge->granted(world, grant, true, false);
  if (judge != nullptr) judge->write(world, grant);
  world.note("granted", grant.token);
  world.sometimes("granted");
  for (int i = 0; i < 3; ++i) never_.load();
  const bool still_held = model_.leases().still_held(grant);
  if (!still_held && shape_.judges.oracle) world.fail("exclusion", "a strict lease was lost");
  if (judge != nullptr && still_held) judge->believes(world, grant.deadline_ns);
  if (judge != nullptr) judge->write(world, grant);
  ledger.oracle.released(world);
  if (judge != nullptr) judge->releases(world);
  const bool released = model_.leases().release(grant);
  if (judge != nullptr) judge->respond(world, released ? Response::ok : Response::not_held);
  if (!released && shape_.judges.oracle) world.fail("exclusion", "a strict lease was lost");
  if (model_.word(grant.lease).mode() == core::Mode::retired) world.sometimes("an entry was retired");
}

void NamesScenario::on_death(World& world, ProcessId process) {
  ++kills_;
  for (Ledger& ledger : ledger_) {
    if (ledger.oracle.held_by_process(process)) ledger.died_entry = ledger.entry;
    ledger.oracle.process_died(process);
    if (shape_.judges.properties) ledger.judge.died(world, process);
  }
  if (successors_left_ == 0) return;
  --successors_left_;
  world.spawn(world.spawn_process(), [this] { register_and_work(*World::active()); });
}

void NamesScenario::on_idle(World& world) {
  if (!shape_.judges.oracle) return;
  for (const Wish& wish : wish_) {
    if (wish.lease == core::no_index || !world.alive(wish.process) || !model_.available(world, wish.lease)) continue;
    if (kills_ >= shape_.deaths_excused) return world.sometimes("two deaths cost a wake-up");
    return world.fail("lost_wake", "all sleep, and a lease that one of them waits for is free");
  }
}

void NamesScenario::check(World& world) {
  std::array<TableModel::Known, names_max> known;
  for (std::uint32_t i = 0; i < shape_.names; ++i) known[i] = {name_at(i), ledger_[i].oracle.last_token()};
  const bool in_time = !world.has_stale_reads();  // see ContentionScenario::check
  for (std::uint32_t i = 0; shape_.judges.properties && in_time && i < shape_.names; ++i) ledger_[i].judge.judge(world, checker_);
  model_.judge_remains(world, {known.data(), shape_.names});
  if (!shape_.recreates) return;
  second_model_.reset(world, world.token_mark());
  second_model_.judge_remains(world, {known.data(), shape_.names}, 0);
}

}  // namespace tenure::sim
