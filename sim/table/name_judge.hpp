// The named properties of one name of the lease table, put together for its scenarios: what the calls on the name did, in true time, goes
// in; runs fail with "fencing", "belief", "fairness", "recovery", "liveness", "bounded_wake" where it happens, and with "linearizability"
// at the end. A thread is a session of the history: it has one call under way, and its number does not come back within a run.
//
// The judge believes nothing of the table: who certainly holds the name follows from the calls alone. That is from the return of a grant
// until the release is called, the holder dies, somebody sets out to break the grant, or its deadline is over.
#pragma once

#include <array>
#include <cstdint>

#include <tenure/sim/linearizability.hpp>
#include <tenure/sim/properties.hpp>
#include <tenure/sim/world.hpp>
#include "core/leases.hpp"

namespace tenure::sim {

// Who judges the runs of a scenario. Both, unless a test wants to know what one of them sees by itself, or costs.
struct Judges {
  bool oracle = true;      // "exclusion", "token", "news", "order", "lost_wake"
  bool properties = true;  // NameJudge
};

// What a scenario's name promises.
struct NameRules {
  LockModel::Busy busy = LockModel::Busy::queued;
  bool recovers = true;       // deaths of holders are told of, and waiters served
  bool tells_exactly = true;  // and of nothing else: strict, and nobody breaks a grant
  std::uint64_t bound_ns = 400'000'000;
  std::uint64_t wake_bound_ns = 20'000'000;  // much less than a tick of the table: what only a tick wakes has not been woken
  static constexpr std::uint32_t unlimited = ~std::uint32_t{0};
  std::uint32_t passes_max = unlimited;  // of one who stands in the queue
};

class NameJudge {
 public:
  explicit NameJudge(const NameRules& rules = {})
      : rules_(rules),
        fairness_(rules.passes_max),
        bounded_wake_(rules.wake_bound_ns),
        recovery_(rules.bound_ns),
        liveness_(rules.bound_ns) {}

  // A few words.
  void reset();

  // --- A call of the running thread begins, and ends ---
  // `ttl_ns`: of an acquisition or a renewal; 0: strict.
  void invoke(World& world, Call call, std::uint64_t ttl_ns = 0);
  // Any answer but a grant, which is told by granted(), and that of a renewal.
  void respond(World& world, Response answer);
  void renewed(World& world, std::uint64_t deadline_ns);
  void not_renewed(World& world);
  // It stands in the queue, for all to see, and is about to sleep.
  void queued(ThreadId thread);
  // The threads that still count as standing there, one bit each; and one of them has left, if only its call has not returned yet: served
  // or out of patience, it can't be passed over.
  std::uint32_t standing() const { return standing_; }
  void leaves(ThreadId thread) { fairness_.stopped(thread); }
  // `known`: the grant certainly stands as it returns. It may be lost by then if it is leased or was broken.
  void granted(World& world, const core::Grant& grant, bool known, bool in_order);

  // --- A holder, or one who was ---
  // Its own look at the lease has just said "held". A grant and a renewal say so, too.
  void believes(World& world, std::uint64_t deadline_ns);
  // It writes to the resource that the lease protects.
  void write(World& world, const core::Grant& grant);
  // It is about to release; respond() is to follow.
  void releases(World& world);

  // --- Others ---
  // The running thread sets out to break the grant with this token; respond() is to follow. `stands`: somebody may hold it by that grant.
  void breaks(World& world, std::uint64_t token, bool stands);
  void died(World& world, ProcessId process);
  // All sleep. `free`: whoever looks now may take it, and no death excuses that nobody does.
  void all_sleep(World& world, bool free);
  void sleeps_on(World& world, ThreadId thread, ProcessId process) { bounded_wake_.slept(thread, process, world.true_now()); }

  // In check().
  void judge(World& world, LinearizabilityChecker& checker);

  const History& history() const { return history_; }
  // What tells states apart is all that was told since the reset.
  void name_memory(RunMemory& memory) {
    memory.add(trail_);
    memory.keep(*this);
  }

 private:
  static constexpr std::uint32_t threads_max = World::threads_max;
  static constexpr std::uint32_t unlimited = NameRules::unlimited;
  static_assert(threads_max <= History::sessions_max && threads_max <= participants_max);

  static Faults faults(const World& world);
  void invoke(World& world, Call call, const Request& request);
  void respond(World& world, Response answer, const sim::Grant& grant);
  bool holds(const World& world, ThreadId thread) const { return holder_ == thread && world.true_now() < deadline_ns_; }
  void stops_waiting(ThreadId thread);
  void tell(std::uint64_t what, std::uint64_t value) { trail_ = (trail_ ^ (what << 56) ^ value) * 0x9e3779b97f4a7c15 + (trail_ >> 29); }

  NameRules rules_;
  std::uint64_t trail_ = 0;
  ThreadId holder_ = nobody;  // certainly
  ProcessId process_ = nobody;
  std::uint64_t deadline_ns_ = 0;
  std::uint32_t took_part_ = 0;                                   // a bit for each thread
  std::uint32_t standing_ = 0;                                    // in the queue
  std::array<OperationId, threads_max> call_{};                   // meant for those who took part
  std::array<Fencing::GrantNumber, threads_max> grant_number_{};  // meant for those who were granted
  FencedResource resource_;
  Fencing fencing_;
  BeliefOverlap belief_;
  Fairness fairness_;
  BoundedWake bounded_wake_;
  Recovery recovery_;
  Liveness liveness_;
  History history_;
};

}  // namespace tenure::sim
