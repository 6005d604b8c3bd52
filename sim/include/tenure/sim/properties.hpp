// Properties of a lock that a run is judged by, each a small value: calls say what happened, and what a call returns is what is wrong.
//
// Nothing here needs a world. Threads and processes are numbers below participants_max, as World gives them; `now_ns` is true time in
// nanoseconds, as World::true_now() gives it, and never falls. A bound is a number of nanoseconds. Each class is reset for each run, in
// setup(). Where a call also has a form that takes a world, that one reads thread, process and time from it and fails the run:
//
//   auto grant = fencing.granted();
//   if (resource.accepts(token)) fencing.wrote(world, grant);
//
// The hold itself (no two holders in true time, tokens that grow) is judged by LeaseOracle, answers by linearizability.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace tenure::sim {

// Threads and processes are numbered below it. A larger number ends the program with a sentence.
constexpr std::uint32_t participants_max = 64;

// What is wrong. Both are literals.
struct Finding {
  std::string_view property;
  std::string_view detail;
};

// What the forms that take a world ask of it, besides fail().
template <class World>
concept RunningWorld = requires(World& world) {
  world.this_thread();
  world.this_process();
  world.true_now();
};

// Fails the run if there is something to say.
template <class World>
void report(World& world, const std::optional<Finding>& finding) {
  if (finding) world.fail(finding->property, finding->detail);
}

[[noreturn]] void participant_out_of_range(std::uint32_t number);

// Something for each of some threads or processes.
template <class T>
class PerParticipant {
 public:
  void clear() { present_ = 0; }
  T& put(std::uint32_t number, const T& value) {
    check(number);
    present_ |= std::uint64_t{1} << number;
    return values_[number] = value;
  }
  void drop(std::uint32_t number) {
    check(number);
    present_ &= ~(std::uint64_t{1} << number);
  }
  T* find(std::uint32_t number) {
    check(number);
    return (present_ >> number & 1) != 0 ? &values_[number] : nullptr;
  }
  template <class Visit>  // visit(number, T&)
  void each(Visit visit) {
    for (std::uint64_t left = present_; left != 0; left &= left - 1) {
      const auto number = static_cast<std::uint32_t>(std::countr_zero(left));
      visit(number, values_[number]);
    }
  }

 private:
  static void check(std::uint32_t number) {
    if (number >= participants_max) participant_out_of_range(number);
  }

  std::uint64_t present_ = 0;
  std::array<T, participants_max> values_{};
};

// The faults of a run. What a lock owes in bounded time it owes from the last fault on, and nothing while one lasts.
class Faults {
 public:
  void reset() { *this = Faults(); }

  // One that is over at once: a kill, a jump of a clock.
  void struck(std::uint64_t now_ns) { quiet_since_ns_ = now_ns; }
  // One that lasts: a pause, a partition. Several may last at once.
  void began() { ++under_way_; }
  void ended(std::uint64_t now_ns) {
    --under_way_;
    struck(now_ns);
  }

  std::uint64_t quiet_since_ns() const { return quiet_since_ns_; }
  // How much of [from_ns, now_ns] came after the last fault; 0 while one lasts.
  std::uint64_t quiet_ns(std::uint64_t from_ns, std::uint64_t now_ns) const {
    const std::uint64_t from = std::max(from_ns, quiet_since_ns_);
    return under_way_ != 0 || now_ns < from ? 0 : now_ns - from;
  }

 private:
  std::uint64_t quiet_since_ns_ = 0;
  std::uint32_t under_way_ = 0;
};

// A resource whose guard remembers the largest token that it has seen.
class FencedResource {
 public:
  void reset() { largest_ = 0; }
  // True: the write is done. A holder may write again with its token.
  bool accepts(std::uint64_t token) {
    if (token < largest_) return false;
    largest_ = token;
    return true;
  }
  std::uint64_t largest() const { return largest_; }

 private:
  std::uint64_t largest_ = 0;
};

// Property "fencing": a resource accepts no write of a stale holder. It judges any guard, by the true order of the exclusive grants and
// not by their tokens.
class Fencing {
 public:
  enum class Guard : std::uint8_t {
    sees_writes,  // learns of a grant from the holder's first write, as FencedResource does: stale is whose successor has written
    sees_grants,  // learns of it at once, as one that asks the lock: stale is who has a successor
  };
  // The place of a grant in the true order, from 1.
  using GrantNumber = std::uint32_t;

  explicit Fencing(Guard guard = Guard::sees_writes) : guard_(guard) {}
  void reset() { *this = Fencing(guard_); }

  // Call it where the grant takes effect; keep what it returns beside the token.
  GrantNumber granted() { return ++grants_; }
  // The resource has accepted a write under this grant.
  std::optional<Finding> wrote(GrantNumber grant);

  template <RunningWorld World>
  void wrote(World& world, GrantNumber grant) {
    report(world, wrote(grant));
  }

 private:
  Guard guard_;
  GrantNumber grants_ = 0;
  GrantNumber last_writer_ = 0;
};

// Property "belief": no two processes whose own API says "held" at the same true time, unless both hold it shared. It can't be kept by
// leases whose holders may be paused: there, judge "fencing". A process that asks by the clock believes until its own deadline.
class BeliefOverlap {
 public:
  static constexpr std::uint64_t until_told_ns = ~std::uint64_t{0};

  void reset() { believers_.clear(); }

  // Its API says "held" now, and goes on to say so until `until_ns` (true time, not included) or until it stops. Call it again when it is
  // renewed, or after each question.
  std::optional<Finding> believes(std::uint32_t process, std::uint64_t now_ns, std::uint64_t until_ns = until_told_ns, bool shared = false);
  // Its API says "not held", or it is about to release, or it died.
  void stops(std::uint32_t process) { believers_.drop(process); }

  template <RunningWorld World>
  void believes(World& world, std::uint64_t until_ns = until_told_ns, bool shared = false) {
    report(world, believes(world.this_process(), world.true_now(), until_ns, shared));
  }
  template <RunningWorld World>
  void stops(World& world) {
    stops(world.this_process());
  }

 private:
  struct Belief {
    std::uint64_t until_ns;
    bool shared;
  };
  PerParticipant<Belief> believers_;
};

// Property "fairness": nobody who stands in the queue is passed over more often than the bound says. To pass somebody over is to be granted
// though one came later, or never queued, with no higher priority. Who is stopped, or its process, can't be passed over.
class Fairness {
 public:
  explicit Fairness(std::uint32_t passes_max) : passes_max_(passes_max) {}
  void reset() {
    places_ = 0;
    waiters_.clear();
    stopped_.clear();
  }

  // A larger priority goes first.
  void queued(std::uint32_t thread, std::uint32_t process, std::uint32_t priority = 0);
  // It gave up.
  void left(std::uint32_t thread) { waiters_.drop(thread); }
  void died(std::uint32_t process);
  void stopped(std::uint32_t process) { stopped_.put(process, {}); }
  void resumed(std::uint32_t process) { stopped_.drop(process); }
  // Queued or not. `priority` counts for one that never queued.
  std::optional<Finding> granted(std::uint32_t thread, std::uint32_t priority = 0);

  template <RunningWorld World>
  void queued(World& world, std::uint32_t priority = 0) {
    queued(world.this_thread(), world.this_process(), priority);
  }
  template <RunningWorld World>
  void granted(World& world, std::uint32_t priority = 0) {
    report(world, granted(world.this_thread(), priority));
  }

 private:
  struct Waiter {
    std::uint64_t place;
    std::uint32_t process;
    std::uint32_t priority;
    std::uint32_t passes;
  };
  std::uint32_t passes_max_;
  std::uint64_t places_ = 0;
  PerParticipant<Waiter> waiters_;
  PerParticipant<std::monostate> stopped_;
};

// Property "bounded_wake": no waiter sleeps for longer than the bound while the lock is free for it, even if it takes it in the end because
// a time-out woke it. Naps during one stretch of freedom add up. The lock is free at the start.
class BoundedWake {
 public:
  static constexpr std::uint64_t never_free_ns = ~std::uint64_t{0};

  explicit BoundedWake(std::uint64_t bound_ns) : bound_ns_(bound_ns) {}
  void reset() {
    free_from_ns_ = 0;
    waiters_.clear();
  }

  // A waiter could be granted from now on.
  void freed(std::uint64_t now_ns) { free_from_ns_ = std::min(free_from_ns_, now_ns); }
  // Until it is freed, or until a deadline. What has slept too long before is told now.
  std::optional<Finding> taken(std::uint64_t now_ns, const Faults& faults, std::uint64_t deadline_ns = never_free_ns);
  void renewed(std::uint64_t deadline_ns) { free_from_ns_ = deadline_ns; }
  void slept(std::uint32_t thread, std::uint32_t process, std::uint64_t now_ns);
  std::optional<Finding> woke(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults);
  // It doesn't wait any more, served or not.
  void left(std::uint32_t thread) { waiters_.drop(thread); }
  void died(std::uint32_t process);
  // In on_idle() and check().
  std::optional<Finding> check(std::uint64_t now_ns, const Faults& faults);

  template <RunningWorld World>
  void taken(World& world, const Faults& faults, std::uint64_t deadline_ns = never_free_ns) {
    report(world, taken(world.true_now(), faults, deadline_ns));
  }
  template <RunningWorld World>
  void slept(World& world) {
    slept(world.this_thread(), world.this_process(), world.true_now());
  }
  template <RunningWorld World>
  void woke(World& world, const Faults& faults) {
    report(world, woke(world.this_thread(), world.true_now(), faults));
  }
  template <RunningWorld World>
  void check(World& world, const Faults& faults) {
    report(world, check(world.true_now(), faults));
  }

 private:
  struct Waiter {
    std::uint32_t process;
    bool asleep;
    std::uint64_t counted_ns;      // until when slept_ns is right
    std::uint64_t slept_ns;        // while the lock was free, this time
    std::uint64_t quiet_since_ns;  // the last fault that slept_ns knows of
  };
  void count(Waiter& waiter, std::uint64_t now_ns, const Faults& faults) const;

  std::uint64_t bound_ns_;
  std::uint64_t free_from_ns_ = 0;
  PerParticipant<Waiter> waiters_;
};

// Somebody who waits, of which process, since when.
struct Waiting {
  std::uint32_t process;
  std::uint64_t began_ns;
};

// Property "recovery": after a holder's death somebody who waits is granted within the bound, and the next grant is told of the death, as
// previous_holder_died() tells it; and nobody is told of a death that was none.
class Recovery {
 public:
  explicit Recovery(std::uint64_t bound_ns) : bound_ns_(bound_ns) {}
  void reset() {
    holder_died_ = somebody_died_ = false;
    waiters_.clear();
  }

  void begin_wait(std::uint32_t thread, std::uint32_t process, std::uint64_t now_ns) { waiters_.put(thread, {process, now_ns}); }
  // It gave up.
  void left(std::uint32_t thread) { waiters_.drop(thread); }
  // `held`: it certainly held the lock. One that may have held it, having died in an acquisition or a release, is told of or not.
  void died(std::uint32_t process, bool held, std::uint64_t now_ns);
  std::optional<Finding> granted(std::uint32_t thread, bool told, std::uint64_t now_ns, const Faults& faults);
  // In on_idle() and check(): is a grant overdue?
  std::optional<Finding> check(std::uint64_t now_ns, const Faults& faults);

  template <RunningWorld World>
  void begin_wait(World& world) {
    begin_wait(world.this_thread(), world.this_process(), world.true_now());
  }
  template <RunningWorld World>
  void granted(World& world, bool told, const Faults& faults) {
    report(world, granted(world.this_thread(), told, world.true_now(), faults));
  }
  template <RunningWorld World>
  void check(World& world, const Faults& faults) {
    report(world, check(world.true_now(), faults));
  }

 private:
  std::uint64_t bound_ns_;
  bool holder_died_ = false;  // since the last grant
  bool somebody_died_ = false;
  std::uint64_t died_ns_ = 0;  // of a holder
  PerParticipant<Waiting> waiters_;
};

// Property "liveness": every waiter that lives is served within the bound, counted from the last fault if that came after it began to wait.
// Beside World::begin_wait() and end_wait() it also sees the one that is never served.
class Liveness {
 public:
  explicit Liveness(std::uint64_t bound_ns) : bound_ns_(bound_ns) {}
  void reset() { waiters_.clear(); }

  void begin_wait(std::uint32_t thread, std::uint32_t process, std::uint64_t now_ns) { waiters_.put(thread, {process, now_ns}); }
  std::optional<Finding> served(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults);
  // Its own time-out or cancellation came first. Whoever gives up later than the bound should have been served.
  std::optional<Finding> gave_up(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults);
  void died(std::uint32_t process);
  // In on_idle() and check(): does somebody wait for too long?
  std::optional<Finding> check(std::uint64_t now_ns, const Faults& faults);

  template <RunningWorld World>
  void begin_wait(World& world) {
    begin_wait(world.this_thread(), world.this_process(), world.true_now());
  }
  template <RunningWorld World>
  void served(World& world, const Faults& faults) {
    report(world, served(world.this_thread(), world.true_now(), faults));
  }
  template <RunningWorld World>
  void gave_up(World& world, const Faults& faults) {
    report(world, gave_up(world.this_thread(), world.true_now(), faults));
  }
  template <RunningWorld World>
  void check(World& world, const Faults& faults) {
    report(world, check(world.true_now(), faults));
  }

 private:
  bool ends_late(std::uint32_t thread, std::uint64_t now_ns, const Faults& faults);

  std::uint64_t bound_ns_;
  PerParticipant<Waiting> waiters_;
};

}  // namespace tenure::sim
