// Whether a history of one lock name can be explained: is there an order of its operations, each at one instant between its call and its
// answer, in which a plain lock would have given the same answers?
//
//   HistoryRecorder recorder;                                   // one for each name, reset in setup()
//   recorder.invoke(session, Call::acquire, world.true_now());
//   ...                                                         // the protocol under test
//   recorder.respond(session, Response::granted, world.true_now(), {.token = token});
//   ...
//   judge(world, checker, recorder.history(), {.fenced = true});  // in check(): fails the run with "linearizability"
//
// What the lock may do of itself, at any later time or never:
//   - an operation without an answer takes effect, once;
//   - the hold of a session that crashed ends;
//   - a hold whose deadline has passed ends.
//
// The search is that of Wing and Gong with Lowe's memory of what was tried. Each name is judged by itself: a set of locks is linearizable
// when each of them is. A usual history is decided without a wrong turn, in about a microsecond, and nothing is allocated then. The search
// recurses up to 128 deep, some 72 KiB: call it in check(), not on a small stack.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <tenure/sim/history.hpp>

namespace tenure::sim {

// The lock that the history is held against.
struct LockModel {
  enum class Kind : std::uint8_t {
    exclusive,
    shared,     // many sessions in shared mode or one in exclusive mode; upgrade and downgrade
    semaphore,  // `permits` of them; a session may hold several, and acquire more
  };
  // When try_acquire... and upgrade may be answered `busy`.
  enum class Busy : std::uint8_t {
    conflict,  // only while it could not be granted
    queued,    // also while another session waits: where newcomers don't overtake
    spurious,  // always, as std::mutex::try_lock may
  };

  Kind kind = Kind::exclusive;
  std::uint32_t permits = 1;  // of a semaphore; 1 to History::permits_max
  // A holder may acquire again, in the same mode or a weaker one, and its hold ends with as many releases. Not for semaphores.
  bool reentrant = false;
  // Every grant has a token, larger than those of all grants before it; also one that took effect without an answer. A re-entrant one has
  // the token of the hold.
  bool fenced = false;
  Busy busy = Busy::conflict;
};

enum class Linearizability : std::uint8_t {
  linearizable,
  not_linearizable,
  undecided,  // the part that fitted into a full history is linearizable; or the search was given up
  malformed,  // the history is none, or has calls that this model has not
};

// Keeps the memory of its searches for the next one. One thread at a time.
class LinearizabilityChecker {
 public:
  // `states_max`: after so many states a search is given up. Only long histories with much at the same time come near.
  explicit LinearizabilityChecker(std::uint32_t states_max = 200'000);
  ~LinearizabilityChecker();
  LinearizabilityChecker(LinearizabilityChecker&&) noexcept;
  LinearizabilityChecker& operator=(LinearizabilityChecker&&) noexcept;

  Linearizability check(const History& history, const LockModel& model);

  // For a person, of a history that is not linearizable: the first answer that fits nowhere, an order of all that was answered before, as
  // far back as the lock was last free, and why the answer can't follow. Otherwise what is wrong with the history; empty if nothing is.
  // Slow.
  std::string explain(const History& history, const LockModel& model);

  // How many states the last search looked at.
  std::uint32_t states() const;

 private:
  class Search;
  std::unique_ptr<Search> search_;
};

// Fails the run with "linearizability" when the history can't be explained, and with "history" when it is none.
template <class World>
void judge(World& world, LinearizabilityChecker& checker, const History& history, const LockModel& model) {
  switch (checker.check(history, model)) {
    case Linearizability::linearizable: return;
    case Linearizability::not_linearizable: return world.fail("linearizability", checker.explain(history, model));
    case Linearizability::undecided: return world.sometimes("history undecided");
    case Linearizability::malformed: return world.fail("history", checker.explain(history, model));
  }
}

}  // namespace tenure::sim
