#include <tenure/sim/properties.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tenure::sim {
namespace {

// Takes out those of a process.
template <class Waiter>
void drop_all(PerParticipant<Waiter>& waiters, std::uint32_t process) {
  waiters.each([&](std::uint32_t thread, const Waiter& waiter) {
    if (waiter.process == process) waiters.drop(thread);
  });
}

}  // namespace

void participant_out_of_range(std::uint32_t number) {
  (void)std::fprintf(stderr, "tenure::sim: thread or process %u: numbers lie below %u\n", number, participants_max);
  std::abort();
}

std::optional<Finding> Fencing::wrote(GrantNumber grant) {
  const bool stale = grant < (guard_ == Guard::sees_grants ? grants_ : last_writer_);
  last_writer_ = std::max(last_writer_, grant);
  if (stale) return Finding{"fencing", "the resource accepted a write of a stale holder"};
  return std::nullopt;
}

std::optional<Finding> BeliefOverlap::believes(std::uint32_t process, std::uint64_t now_ns, std::uint64_t until_ns, bool shared) {
  bool overlap = false;
  believers_.put(process, {until_ns, shared});
  believers_.each([&](std::uint32_t other, const Belief& belief) {
    overlap = overlap || (other != process && belief.until_ns > now_ns && !(belief.shared && shared));
  });
  if (overlap && until_ns > now_ns) return Finding{"belief", "two processes believe that they hold it"};
  return std::nullopt;
}

void Fairness::queued(std::uint32_t thread, std::uint32_t process, std::uint32_t priority) {
  waiters_.put(thread, {places_++, process, priority, 0});
}

void Fairness::died(std::uint32_t process) { drop_all(waiters_, process); }

std::optional<Finding> Fairness::granted(std::uint32_t thread, std::uint32_t priority) {
  const Waiter* const own = waiters_.find(thread);
  const Waiter mine = own != nullptr ? *own : Waiter{places_, 0, priority, 0};
  waiters_.drop(thread);
  bool unfair = false;
  waiters_.each([&](std::uint32_t, Waiter& waiter) {
    const bool can_go = stopped_.find(waiter.process) == nullptr;
    if (waiter.place < mine.place && waiter.priority >= mine.priority && can_go) unfair = ++waiter.passes > passes_max_ || unfair;
  });
  if (unfair) return Finding{"fairness", "one who stands in the queue was passed over too often"};
  return std::nullopt;
}

std::optional<Finding> BoundedWake::taken(std::uint64_t now_ns, const Faults& faults, std::uint64_t deadline_ns) {
  const std::optional<Finding> finding = check(now_ns, faults);
  free_from_ns_ = deadline_ns;
  waiters_.each([](std::uint32_t, Waiter& waiter) { waiter.slept_ns = 0; });
  return finding;
}

void BoundedWake::slept(std::uint32_t thread, std::uint32_t process, std::uint64_t now_ns) {
  const Waiter* const known = waiters_.find(thread);
  Waiter waiter = known != nullptr ? *known : Waiter{};
  waiter.process = process;
  waiter.asleep = true;
  waiter.counted_ns = now_ns;
  waiters_.put(thread, waiter);
}

std::optional<Finding> BoundedWake::woke(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults) {
  const std::optional<Finding> finding = check(now_ns, faults);
  if (Waiter* const waiter = waiters_.find(thread)) waiter->asleep = false;
  return finding;
}

void BoundedWake::died(std::uint32_t process) { drop_all(waiters_, process); }

std::optional<Finding> BoundedWake::check(std::uint64_t now_ns, const Faults& faults) {
  bool late = false;
  waiters_.each([&](std::uint32_t, Waiter& waiter) {
    count(waiter, now_ns, faults);
    late = late || waiter.slept_ns > bound_ns_;
  });
  if (late) return Finding{"bounded_wake", "a waiter slept for too long while the lock was free"};
  return std::nullopt;
}

void BoundedWake::count(Waiter& waiter, std::uint64_t now_ns, const Faults& faults) const {
  if (faults.quiet_since_ns() != waiter.quiet_since_ns) waiter.slept_ns = 0;
  waiter.quiet_since_ns = faults.quiet_since_ns();
  if (waiter.asleep) waiter.slept_ns += faults.quiet_ns(std::max(waiter.counted_ns, free_from_ns_), now_ns);
  waiter.counted_ns = now_ns;
}

void Recovery::died(std::uint32_t process, bool held, std::uint64_t now_ns) {
  drop_all(waiters_, process);
  somebody_died_ = true;
  if (!held) return;
  holder_died_ = true;
  died_ns_ = now_ns;
}

std::optional<Finding> Recovery::granted(std::uint32_t thread, bool told, std::uint64_t now_ns, const Faults& faults) {
  std::optional<Finding> finding = check(now_ns, faults);
  if (!finding && holder_died_ && !told) finding = Finding{"recovery", "the next holder was not told that the one before it died"};
  if (!finding && told && !somebody_died_) finding = Finding{"recovery", "a holder was told of a death that was none"};
  holder_died_ = somebody_died_ = false;
  waiters_.drop(thread);
  return finding;
}

std::optional<Finding> Recovery::check(std::uint64_t now_ns, const Faults& faults) {
  bool late = false;
  waiters_.each([&](std::uint32_t, const Waiting& waiter) {
    late = late || faults.quiet_ns(std::max(waiter.began_ns, died_ns_), now_ns) > bound_ns_;
  });
  if (holder_died_ && late) return Finding{"recovery", "a holder died, and nobody who waits was granted within the bound"};
  return std::nullopt;
}

std::optional<Finding> Liveness::served(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults) {
  if (ends_late(thread, now_ns, faults)) return Finding{"liveness", "a waiter was served too late"};
  return std::nullopt;
}

std::optional<Finding> Liveness::gave_up(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults) {
  if (ends_late(thread, now_ns, faults)) return Finding{"liveness", "a waiter gave up that should have been served"};
  return std::nullopt;
}

void Liveness::died(std::uint32_t process) { drop_all(waiters_, process); }

std::optional<Finding> Liveness::check(std::uint64_t now_ns, const Faults& faults) {
  bool late = false;
  waiters_.each([&](std::uint32_t, const Waiting& waiter) { late = late || faults.quiet_ns(waiter.began_ns, now_ns) > bound_ns_; });
  if (late) return Finding{"liveness", "a waiter is not served"};
  return std::nullopt;
}

bool Liveness::ends_late(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults) {
  const Waiting* const waiter = waiters_.find(thread);
  const bool late = waiter != nullptr && faults.quiet_ns(waiter->began_ns, now_ns) > bound_ns_;
  waiters_.drop(thread);
  return late;
}

}  // namespace tenure::sim
