#include "sim/table/name_judge.hpp"

#include <algorithm>
#include <bit>

namespace tenure::sim {

namespace {
constexpr std::uint32_t bit(ThreadId thread) { return std::uint32_t{1} << thread; }
}  // namespace

void NameJudge::reset() {
  trail_ = 0;
  holder_ = nobody;
  process_ = nobody;
  deadline_ns_ = 0;
  took_part_ = 0;
  standing_ = 0;
  resource_.reset();
  fencing_.reset();
  belief_.reset();
  fairness_.reset();
  bounded_wake_.reset();
  recovery_.reset();
  liveness_.reset();
  history_.reset();
}

// The world knows its faults; the properties ask for them as a value.
Faults NameJudge::faults(const World& world) {
  Faults faults;
  faults.struck(world.last_fault_ns());
  if (world.faults_last()) faults.began();
  return faults;
}

// --- Calls ----------------------------------------------------------------------------------------------------------------------------

void NameJudge::invoke(World& world, Call call, std::uint64_t ttl_ns) {
  const std::uint64_t now_ns = world.true_now();
  if (call == Call::acquire) {
    recovery_.begin_wait(world.this_thread(), world.this_process(), now_ns);
    liveness_.begin_wait(world.this_thread(), world.this_process(), now_ns);
  }
  invoke(world, call, Request{.deadline_ns = ttl_ns == 0 ? no_deadline_ns : now_ns + ttl_ns});
}

void NameJudge::invoke(World& world, Call call, const Request& request) {
  const ThreadId thread = world.this_thread();
  took_part_ |= bit(thread);
  call_[thread] = history_.invoke(thread, call, world.true_now(), request);
  tell(1, std::uint64_t{thread} << 48 ^ static_cast<std::uint64_t>(call) << 40 ^ world.true_now());
}

void NameJudge::respond(World& world, Response answer, const sim::Grant& grant) {
  const ThreadId thread = world.this_thread();
  history_.respond(call_[thread], answer, world.true_now(), grant);
  tell(2, std::uint64_t{thread} << 48 ^ static_cast<std::uint64_t>(answer) << 40 ^ world.true_now());
}

void NameJudge::respond(World& world, Response answer) {
  respond(world, answer, {});
  if (answer != Response::timed_out && answer != Response::cancelled) return;
  report(world, liveness_.gave_up(world.this_thread(), world.true_now(), faults(world)));
  stops_waiting(world.this_thread());
}

void NameJudge::renewed(World& world, std::uint64_t deadline_ns) {
  respond(world, Response::ok, {.deadline_ns = deadline_ns});
  if (holder_ != world.this_thread()) return;
  deadline_ns_ = deadline_ns;
  believes(world, deadline_ns);
}

// A hold that is past its deadline is over for its holder, and stands in the word until somebody takes it over or it is released: others
// may find it there, and break it. So the history has it end there, and the refusal had no effect.
void NameJudge::not_renewed(World& world) {
  if (holds(world, world.this_thread())) world.fail("exclusion", "a renewal was refused before the deadline");
  belief_.stops(world.this_thread());
  respond(world, Response::refused);
}

void NameJudge::queued(ThreadId thread) {
  tell(3, thread);
  bounded_wake_.left(thread);
  if (rules_.passes_max == unlimited || (standing_ & bit(thread)) != 0) return;
  standing_ |= bit(thread);
  fairness_.queued(thread, thread);
  fairness_.resumed(thread);
}

void NameJudge::stops_waiting(ThreadId thread) {
  standing_ &= ~bit(thread);
  fairness_.left(thread);
  bounded_wake_.left(thread);
  recovery_.left(thread);
}

void NameJudge::granted(World& world, const core::Grant& grant, bool known, bool in_order) {
  const ThreadId thread = world.this_thread();
  const std::uint64_t now_ns = world.true_now();
  const Faults faults = NameJudge::faults(world);
  respond(world, Response::granted, {.token = grant.token, .deadline_ns = grant.deadline_ns});
  tell(4, grant.token << 3 ^ static_cast<std::uint64_t>(grant.past) << 1 ^ (known ? 1 : 0));
  if (rules_.recovers) {
    // Whoever took it from a dead holder may have lost it again, and would be told of here only later. And a take-over after the deadline
    // does not ask how the holder ended.
    if (!rules_.tells_exactly) recovery_.died(participants_max - 1, false, now_ns);
    const bool told = grant.past == core::Past::died || (!rules_.tells_exactly && (grant.past != core::Past::released || !known));
    report(world, recovery_.granted(thread, told, now_ns, faults));
    report(world, liveness_.served(thread, now_ns, faults));
    report(world, bounded_wake_.taken(now_ns, faults));
  }
  if (rules_.passes_max != unlimited && in_order) report(world, fairness_.granted(thread));
  stops_waiting(thread);
  if (!known) return;
  holder_ = thread;
  process_ = world.this_process();
  deadline_ns_ = grant.deadline_ns;
  grant_number_[thread] = fencing_.granted();
  believes(world, grant.deadline_ns);
}

// --- Holders --------------------------------------------------------------------------------------------------------------------------

void NameJudge::believes(World& world, std::uint64_t deadline_ns) {
  const std::uint64_t now_ns = world.true_now();
  const bool strict = deadline_ns == core::deadline::strict;
  // It has said so now, whatever its deadline is.
  const std::uint64_t until_ns = strict ? BeliefOverlap::until_told_ns : std::max(deadline_ns, now_ns + 1);
  tell(5, std::uint64_t{world.this_thread()} << 48 ^ until_ns);
  report(world, belief_.believes(world.this_thread(), now_ns, until_ns));
}

// A holder that was stopped beyond its deadline writes, too: the token is what keeps it out.
void NameJudge::write(World& world, const core::Grant& grant) {
  const ThreadId thread = world.this_thread();
  const bool accepted = resource_.accepts(grant.token);
  tell(6, grant.token << 1 ^ (accepted ? 1 : 0));
  if (accepted) return fencing_.wrote(world, grant_number_[thread]);
  if (holds(world, thread)) world.fail("fencing", "the resource refused a write of its holder");
  world.sometimes("a stale write was refused");
}

void NameJudge::releases(World& world) {
  if (holder_ == world.this_thread()) holder_ = nobody;
  belief_.stops(world.this_thread());
  invoke(world, Call::release);
}

// --- Others ---------------------------------------------------------------------------------------------------------------------------

void NameJudge::breaks(World& world, std::uint64_t token, bool stands) {
  invoke(world, Call::break_lease, Request{.token = token});
  tell(8, stands ? 1 : 0);
  if (!stands) return;
  holder_ = nobody;
  belief_.reset();
}

void NameJudge::died(World& world, ProcessId process) {
  const std::uint64_t now_ns = world.true_now();
  tell(9, std::uint64_t{process} << 48 ^ now_ns);
  for (std::uint32_t left = took_part_; left != 0; left &= left - 1) {
    const auto thread = static_cast<ThreadId>(std::countr_zero(left));
    if (world.process_of(thread) != process) continue;
    history_.crash(thread, now_ns);
    belief_.stops(thread);
    fairness_.left(thread);
  }
  const bool held = holder_ != nobody && process_ == process && now_ns < deadline_ns_;
  recovery_.died(process, held, now_ns);
  liveness_.died(process);
  bounded_wake_.died(process);
  if (holder_ != nobody && process_ == process) holder_ = nobody;
}

// Only then a sleeper's time counts: while anybody runs, somebody may be about to take it, or to wake the next.
void NameJudge::all_sleep(World& world, bool free) {
  if (!rules_.recovers) return;
  const std::uint64_t now_ns = world.true_now();
  const Faults faults = NameJudge::faults(world);
  tell(10, now_ns << 1 ^ (free ? 1 : 0));
  report(world, bounded_wake_.check(now_ns, faults));
  if (free) {
    bounded_wake_.freed(now_ns);
  } else {
    report(world, bounded_wake_.taken(now_ns, faults));
  }
  report(world, recovery_.check(now_ns, faults));
  report(world, liveness_.check(now_ns, faults));
}

void NameJudge::judge(World& world, LinearizabilityChecker& checker) {
  if (history_.size() == 0) return;
  sim::judge(world, checker, history_, {.fenced = true, .busy = rules_.busy});
  world.sometimes("history judged");
}

}  // namespace tenure::sim
