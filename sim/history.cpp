#include <algorithm>

#include <tenure/sim/history.hpp>

namespace tenure::sim {
namespace {

constexpr std::uint32_t bit(Response answer) { return std::uint32_t{1} << static_cast<unsigned>(answer); }

constexpr std::uint32_t waits = bit(Response::granted) | bit(Response::timed_out) | bit(Response::cancelled);
constexpr std::uint32_t tries = bit(Response::granted) | bit(Response::busy);
constexpr std::uint32_t gone = bit(Response::lost) | bit(Response::not_held);
constexpr std::uint32_t on_hold = bit(Response::ok) | gone;

struct Row {
  std::string_view name;
  std::uint32_t answers;
};

// By Call.
constexpr std::array rows = {
    Row{"acquire", waits},
    Row{"try_acquire", tries},
    Row{"acquire_shared", waits},
    Row{"try_acquire_shared", tries},
    Row{"acquire_permits", waits},
    Row{"try_acquire_permits", tries},
    Row{"upgrade", waits | tries | gone},
    Row{"downgrade", on_hold},
    Row{"renew", on_hold},
    Row{"release", on_hold},
    Row{"break_lease", bit(Response::ok) | bit(Response::not_held)},
};
static_assert(rows.size() == static_cast<std::size_t>(Call::break_lease) + 1);

constexpr std::array<std::string_view, 9> answers = {"pending", "granted", "busy",     "timed_out", "cancelled",
                                                     "ok",      "lost",    "not_held", "refused"};
static_assert(answers.size() == static_cast<std::size_t>(Response::refused) + 1);

}  // namespace

bool fits(Call call, Response answer) {
  return ((rows[static_cast<std::size_t>(call)].answers | bit(Response::refused)) & bit(answer)) != 0;
}

std::string_view to_string(Call call) { return rows[static_cast<std::size_t>(call)].name; }
std::string_view to_string(Response answer) { return answers[static_cast<std::size_t>(answer)]; }

void History::reset() {
  size_ = 0;
  events_ = 0;
  state_ = State::recording;
  crashed_ = 0;
  answered_ = 0;
  now_ns_ = 0;
  complaint_ = {};
}

OperationId History::invoke(SessionId session, Call call, std::uint64_t now_ns, const Request& request) {
  if (!takes(session, now_ns)) return no_operation;
  if (size_ == operations_max) {
    state_ = State::full;
    return no_operation;
  }
  if (crashed(session)) {
    complain("a call of a session that has crashed: one that comes back is a new session");
    return no_operation;
  }
  if (request.permits > permits_max) {
    complain("more permits than a history can count");
    return no_operation;
  }
  operations_[size_] = {.call = call,
                        .answer = Response::pending,
                        .session = static_cast<std::uint8_t>(session),
                        .permits = static_cast<std::uint8_t>(request.permits),
                        .invoked_order = events_++,
                        .responded_order = never_order,
                        .token = request.token,
                        .deadline_ns = request.deadline_ns,
                        .invoked_ns = now_ns,
                        .responded_ns = 0,
                        .after = answered_};
  return size_++;
}

void History::respond(OperationId operation, Response answer, std::uint64_t now_ns, const Grant& grant) {
  if (operation == no_operation) return;
  if (operation >= size_) return complain("an answer to no call");
  Operation& op = operations_[operation];
  if (!takes(op.session, now_ns)) return;
  if (crashed(op.session)) return complain("an answer to a session that has crashed");
  if (op.answer != Response::pending) return complain("two answers to one call");
  if (!fits(op.call, answer)) return complain("an answer that this call doesn't have");
  op.answer = answer;
  op.responded_order = events_++;
  op.responded_ns = now_ns;
  if (op.call != Call::break_lease) op.token = grant.token;
  if (grant.deadline_ns != no_deadline_ns) op.deadline_ns = grant.deadline_ns;
  answered_ |= std::uint64_t{1} << operation;
}

void History::crash(SessionId session, std::uint64_t now_ns) {
  if (!takes(session, now_ns)) return;
  if (crashed(session)) return complain("a session that crashes twice");
  crashed_ |= std::uint32_t{1} << session;
  before_crash_[session] = answered_;
  crashed_order_[session] = events_++;
}

History History::prefix(std::uint32_t events) const {
  History head = *this;
  head.events_ = static_cast<std::uint16_t>(std::min<std::uint32_t>(events, events_));
  while (head.size_ != 0 && operations_[head.size_ - 1].invoked_order >= events) --head.size_;
  head.answered_ = 0;
  for (OperationId i = 0; i < head.size_; ++i) {
    if (operations_[i].responded_order < events) {
      head.answered_ |= std::uint64_t{1} << i;
    } else {
      head.operations_[i].answer = Response::pending;
      head.operations_[i].responded_order = never_order;
    }
  }
  for (SessionId session = 0; session < sessions_max; ++session) {
    if (crashed(session) && crashed_order_[session] >= events) head.crashed_ &= ~(std::uint32_t{1} << session);
  }
  return head;
}

History History::without(OperationId operation) const {
  History rest = *this;
  rest.operations_[operation].answer = Response::refused;
  rest.answered_ |= std::uint64_t{1} << operation;
  return rest;
}

bool History::takes(SessionId session, std::uint64_t now_ns) {
  if (state_ != State::recording) return false;
  if (session >= sessions_max) {
    complain("a session number that is too large");
  } else if (now_ns < now_ns_) {
    complain("time that goes back");
  }
  now_ns_ = now_ns;
  return state_ == State::recording;
}

void History::complain(std::string_view complaint) {
  if (state_ != State::recording) return;
  state_ = State::malformed;
  complaint_ = complaint;
}

}  // namespace tenure::sim
