// The history of one lock name: what was asked, what was answered, who died. It is what linearizability.hpp judges.
//
// History is a record of fixed capacity that never allocates; a run may fill one for each name. Times are true time in nanoseconds, as
// World::true_now() gives it, and never fall from one call to the next. The order of the calls is the order of the events, so that two
// events of one instant stay in order.
//
// A session is whoever a hold belongs to, by a small number: one registration of one process. A process that comes back is a new session.
// One that holds several leases on one semaphore counts as several. Operations of one session may overlap (a renewal beside a release).
//
// Not safe for threads of the operating system; the simulator runs one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tenure::sim {

using SessionId = std::uint32_t;
using OperationId = std::uint32_t;

// What is asked for.
enum class Call : std::uint8_t {
  acquire,              // exclusive; of a semaphore one permit. Waits.
  try_acquire,          // the same, doesn't wait
  acquire_shared,       // waits
  try_acquire_shared,   // doesn't wait
  acquire_permits,      // Request::permits of a semaphore. Waits.
  try_acquire_permits,  // the same, doesn't wait
  upgrade,              // from shared to exclusive; may wait
  downgrade,            // from exclusive to shared
  renew,                // a new deadline
  release,              // gives back one count of a re-entrant hold, Request::permits of a semaphore (0: all), else the hold
  break_lease,          // ends the hold with the token Request::token (0: any one hold), whose ever it is
};

// What was answered. `pending`: nothing, and nobody knows whether it took or will take effect.
enum class Response : std::uint8_t {
  pending,
  granted,    // acquire..., upgrade
  busy,       // try_acquire..., upgrade
  timed_out,  // acquire..., upgrade: gave up, and has no effect
  cancelled,  // as timed_out
  ok,         // downgrade, renew, release, break_lease
  lost,       // upgrade, downgrade, renew, release: the session holds nothing any more
  not_held,   // the same as lost; break_lease: nobody holds it with that token
  refused,    // anything: another error, which is known to have no effect
};

// Whether `call` can be answered so.
bool fits(Call call, Response answer);
std::string_view to_string(Call call);
std::string_view to_string(Response answer);

constexpr std::uint64_t no_deadline_ns = ~std::uint64_t{0};

// What comes with a call.
struct Request {
  std::uint32_t permits = 0;  // of acquire_permits and release, up to 200
  std::uint64_t token = 0;    // of break_lease
  // Of acquire... and renew: the earliest deadline that the hold can have if no answer ever tells it.
  std::uint64_t deadline_ns = no_deadline_ns;
};

// What comes with an answer.
struct Grant {
  std::uint64_t token = 0;  // of granted; 0: none. An upgrade without one keeps the token of the hold.
  // Of granted and of a renewal: the true time from which on the hold may end by itself. no_deadline_ns: the one of the request.
  std::uint64_t deadline_ns = no_deadline_ns;
};

struct Operation {
  Call call;
  Response answer;
  std::uint8_t session;
  std::uint8_t permits;
  std::uint16_t invoked_order;    // place among all events of the history
  std::uint16_t responded_order;  // never_order: pending
  std::uint64_t token;            // of the grant; of break_lease the one it names
  std::uint64_t deadline_ns;
  std::uint64_t invoked_ns;
  std::uint64_t responded_ns;
  std::uint64_t after;  // the operations that were answered before this one was called: a bit each
};

class History {
 public:
  static constexpr std::uint32_t operations_max = 64;
  static constexpr std::uint32_t sessions_max = 32;  // session numbers lie below it
  static constexpr std::uint32_t permits_max = 200;
  static constexpr OperationId no_operation = ~OperationId{0};
  static constexpr std::uint16_t never_order = 0xffff;

  enum class State : std::uint8_t {
    recording,
    full,       // an operation too many: what came before it is kept, what came after is not
    malformed,  // the calls make no history: see complaint()
  };

  // Cheap: a few words.
  void reset();

  // The answer may come later, or never. Returns no_operation when the history takes no more.
  OperationId invoke(SessionId session, Call call, std::uint64_t now_ns, const Request& request = {});
  // no_operation is ignored, so that a full history needs no care.
  void respond(OperationId operation, Response answer, std::uint64_t now_ns, const Grant& grant = {});
  // The process of `session` died. Its unanswered operations stay pending, and its hold may end at any time from now on.
  void crash(SessionId session, std::uint64_t now_ns);

  State state() const { return state_; }
  bool full() const { return state_ == State::full; }
  // Why the calls make no history; empty unless malformed.
  std::string_view complaint() const { return complaint_; }

  std::uint32_t size() const { return size_; }
  const Operation& operator[](OperationId operation) const { return operations_[operation]; }
  std::uint64_t answered() const { return answered_; }  // a bit for each operation that has an answer
  bool crashed(SessionId session) const { return (crashed_ >> session & 1) != 0; }
  // The operations that were answered before the session died.
  std::uint64_t before_crash(SessionId session) const { return before_crash_[session]; }

  // The first `events` events of it. Operations that were answered later are pending in it.
  History prefix(std::uint32_t events) const;
  std::uint32_t events() const { return events_; }
  // The same with one operation that has no effect.
  History without(OperationId operation) const;

 private:
  bool takes(SessionId session, std::uint64_t now_ns);
  void complain(std::string_view complaint);

  std::uint32_t size_ = 0;
  std::uint16_t events_ = 0;
  State state_ = State::recording;
  std::uint32_t crashed_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t now_ns_ = 0;
  std::string_view complaint_;
  std::array<std::uint64_t, sessions_max> before_crash_{};  // meant for those in crashed_; the next likewise
  std::array<std::uint16_t, sessions_max> crashed_order_{};
  std::array<Operation, operations_max> operations_{};  // the first size_ are meant
};

// The same for sessions that do one thing at a time: the answer belongs to the last call of its session.
class HistoryRecorder {
 public:
  HistoryRecorder() { reset(); }
  void reset() {
    history_.reset();
    open_.fill(History::no_operation);
  }

  void invoke(SessionId session, Call call, std::uint64_t now_ns, const Request& request = {}) {
    const OperationId operation = history_.invoke(session, call, now_ns, request);
    if (session < History::sessions_max) open_[session] = operation;
  }
  void respond(SessionId session, Response answer, std::uint64_t now_ns, const Grant& grant = {}) {
    if (session >= History::sessions_max) return;
    history_.respond(open_[session], answer, now_ns, grant);
    open_[session] = History::no_operation;
  }
  // The answer was lost: the call may have been done, or be done later.
  void outcome_unknown(SessionId session) {
    if (session < History::sessions_max) open_[session] = History::no_operation;
  }
  void crash(SessionId session, std::uint64_t now_ns) {
    history_.crash(session, now_ns);
    outcome_unknown(session);
  }

  const History& history() const { return history_; }

 private:
  History history_;
  std::array<OperationId, History::sessions_max> open_;
};

}  // namespace tenure::sim
