#include "tests/sim/lock_reference.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

namespace tenure::sim::reference {
namespace {

bool is_exclusive_call(Call call) { return call == Call::acquire || call == Call::try_acquire; }
bool is_shared_call(Call call) { return call == Call::acquire_shared || call == Call::try_acquire_shared; }
bool is_permits_call(Call call) { return call == Call::acquire_permits || call == Call::try_acquire_permits; }

bool holds_any(const Lock& lock, bool exclusive) {
  return std::ranges::any_of(lock.holds, [&](const auto& entry) { return entry.second.exclusive == exclusive; });
}

std::uint32_t permits_out(const Lock& lock) {
  std::uint32_t sum = 0;
  for (const auto& [session, hold] : lock.holds) sum += hold.count;
  return sum;
}

bool may_enter(const LockModel& model, const Lock& lock, const Op& op) {
  if (model.kind == LockModel::Kind::semaphore) {
    return permits_out(lock) + (is_permits_call(op.call) ? op.request.permits : 1) <= model.permits;
  }
  const auto own = lock.holds.find(op.session);
  if (own != lock.holds.end()) return model.reentrant && (own->second.exclusive || is_shared_call(op.call));
  return is_shared_call(op.call) ? !holds_any(lock, true) : lock.holds.empty();
}

// The token of a grant that nobody was told of is one more than the last, the smallest that it can be.
std::optional<Lock> granted_anew(const LockModel& model, Lock lock, const Op& op) {
  const bool told = op.answer == Response::granted;
  if (model.fenced && told && op.grant.token <= lock.last_token) return std::nullopt;
  Hold& hold = lock.holds[op.session];
  hold.token_known = told;
  hold.token = op.grant.token;
  lock.last_token = told ? op.grant.token : lock.last_token + 1;
  return lock;
}

std::vector<Lock> entered(const LockModel& model, Lock lock, const Op& op) {
  if (!may_enter(model, lock, op)) return {};
  const bool is_semaphore = model.kind == LockModel::Kind::semaphore;
  const bool told = op.answer == Response::granted;
  const std::uint64_t deadline_ns = op.grant.deadline_ns != no_deadline_ns ? op.grant.deadline_ns : op.request.deadline_ns;
  const auto own = lock.holds.find(op.session);
  const bool again = own != lock.holds.end() && !is_semaphore;
  if (again) {
    Hold& hold = own->second;
    if (model.fenced && told) {
      const bool vague = model.kind == LockModel::Kind::shared ? op.grant.token != 0 : op.grant.token >= lock.last_token;
      if (hold.token_known ? op.grant.token != hold.token : !vague) return {};
      lock.last_token = std::max(lock.last_token, op.grant.token);
    }
    if (told && !hold.token_known) {
      hold.token = op.grant.token;
      hold.token_known = true;
    }
    ++hold.count;
  } else {
    const std::uint32_t more = is_permits_call(op.call) ? op.request.permits : 1;
    const std::uint32_t had = own == lock.holds.end() ? 0 : own->second.count;
    std::optional<Lock> next = granted_anew(model, lock, op);
    if (!next) return {};
    lock = *next;
    lock.holds[op.session].count = had + more;
    lock.holds[op.session].exclusive = is_exclusive_call(op.call) && !is_semaphore;
  }
  if (deadline_ns != no_deadline_ns) lock.holds[op.session].deadline_ns = deadline_ns;
  return {lock};
}

std::vector<Lock> upgraded(const LockModel& model, Lock lock, const Op& op) {
  const auto own = lock.holds.find(op.session);
  const bool holds = own != lock.holds.end();
  const bool alone = lock.holds.size() == 1;
  if (op.answer == Response::lost || op.answer == Response::not_held) return holds ? std::vector<Lock>{} : std::vector{lock};
  if (op.answer == Response::busy) return holds && !alone ? std::vector{lock} : std::vector<Lock>{};
  if (!holds || !alone) return {};
  if (op.answer == Response::granted && op.grant.token != 0) {
    std::optional<Lock> next = granted_anew(model, lock, op);
    if (!next) return {};
    lock = *next;
  }
  lock.holds[op.session].exclusive = true;
  if (op.answer == Response::pending) lock.holds[op.session].token_known = false;
  if (op.grant.deadline_ns != no_deadline_ns) lock.holds[op.session].deadline_ns = op.grant.deadline_ns;
  return {lock};
}

std::vector<Lock> released(const LockModel& model, Lock lock, const Op& op) {
  const auto own = lock.holds.find(op.session);
  const std::uint32_t asked = model.kind == LockModel::Kind::semaphore ? op.request.permits : 1;
  const bool can = own != lock.holds.end() && own->second.count >= asked;
  if (op.answer == Response::lost || op.answer == Response::not_held) return can ? std::vector<Lock>{} : std::vector{lock};
  if (!can) return {};
  own->second.count = asked == 0 ? 0 : own->second.count - asked;
  if (own->second.count == 0) lock.holds.erase(own);
  return {lock};
}

std::vector<Lock> broken(const Lock& lock, const Op& op) {
  std::vector<Lock> exact;
  std::vector<Lock> perhaps;
  for (const auto& [session, hold] : lock.holds) {
    Lock next = lock;
    next.holds.erase(session);
    if (op.request.token == 0 || (hold.token_known && hold.token == op.request.token)) {
      exact.push_back(next);
    } else if (!hold.token_known) {
      perhaps.push_back(next);
    }
  }
  if (op.answer == Response::not_held) return exact.empty() ? std::vector{lock} : std::vector<Lock>{};
  return exact.empty() ? perhaps : exact;
}

}  // namespace

std::vector<Lock> outcomes(const LockModel& model, const Lock& lock, const Op& op) {
  if (op.answer == Response::timed_out || op.answer == Response::cancelled || op.answer == Response::refused) return {lock};
  const auto own = lock.holds.find(op.session);
  const bool gone = op.answer == Response::lost || op.answer == Response::not_held;
  Lock next = lock;
  switch (op.call) {
    case Call::upgrade: return upgraded(model, lock, op);
    case Call::release: return released(model, lock, op);
    case Call::break_lease: return broken(lock, op);
    case Call::downgrade: {
      const bool can = own != lock.holds.end() && own->second.exclusive;
      if (can == gone) return {};
      if (can) next.holds[op.session].exclusive = false;
      return {next};
    }
    case Call::renew: {
      const bool can = own != lock.holds.end();
      if (can == gone) return {};
      if (can) {
        next.holds[op.session].deadline_ns = op.grant.deadline_ns != no_deadline_ns ? op.grant.deadline_ns : op.request.deadline_ns;
      }
      return {next};
    }
    default: break;
  }
  if (op.answer == Response::busy) return may_enter(model, lock, op) ? std::vector<Lock>{} : std::vector{lock};
  return entered(model, lock, op);
}

namespace {

class Trial {
 public:
  Trial(const LockModel& model, const Story& story) : model_(model), story_(story), done_(story.operations.size(), false) {}

  bool ends_well(const Lock& lock) {
    if (!next_answer()) return true;
    return some_operation(lock) || some_end(lock);
  }

 private:
  // The first answer, of those given, whose operation has no place yet.
  const Op* next_answer() const {
    const Op* first = nullptr;
    for (std::size_t i = 0; i < done_.size(); ++i) {
      const Op& op = story_.operations[i];
      if (!done_[i] && op.answer != Response::pending && (first == nullptr || op.answered_at < first->answered_at)) first = &op;
    }
    return first;
  }

  bool some_operation(const Lock& lock) {
    const std::size_t before = next_answer()->answered_at;
    for (std::size_t i = 0; i < done_.size(); ++i) {
      const Op& op = story_.operations[i];
      if (done_[i] || op.called_at > before) continue;
      std::vector<Lock> nexts = outcomes(model_, lock, op);
      if (op.answer == Response::busy && is_excused(op)) nexts = {lock};
      done_[i] = true;
      if (std::ranges::any_of(nexts, [&](const Lock& next) { return ends_well(next); })) return true;
      done_[i] = false;
    }
    return false;
  }

  bool some_end(const Lock& lock) {
    const Op* before = next_answer();
    return std::ranges::any_of(lock.holds, [&](const auto& entry) {
      const auto crash = story_.crashed_at.find(entry.first);
      const bool dead = crash != story_.crashed_at.end() && crash->second < before->answered_at;
      if (!dead && entry.second.deadline_ns > before->answered_ns) return false;
      Lock next = lock;
      next.holds.erase(entry.first);
      return ends_well(next);
    });
  }

  bool is_excused(const Op& busy) const {
    if (model_.busy != LockModel::Busy::queued) return model_.busy == LockModel::Busy::spurious;
    return std::ranges::any_of(story_.operations, [&](const Op& op) {
      const bool waits =
          op.call == Call::acquire || op.call == Call::acquire_shared || op.call == Call::acquire_permits || op.call == Call::upgrade;
      return waits && op.session != busy.session && op.called_at < busy.answered_at && op.answered_at > busy.called_at;
    });
  }

  const LockModel& model_;
  const Story& story_;
  std::vector<bool> done_;
};

}  // namespace

bool is_linearizable(const LockModel& model, const Story& story) { return Trial(model, story).ends_well({}); }

History Story::history() const {
  History history;
  for (const Event& event : events) {
    const auto id = static_cast<OperationId>(event.operation);
    switch (event.what) {
      case Event::What::call:
        history.invoke(event.session, operations[event.operation].call, event.now_ns, operations[event.operation].request);
        break;
      case Event::What::answer:
        history.respond(id, operations[event.operation].answer, event.now_ns, operations[event.operation].grant);
        break;
      case Event::What::crash: history.crash(event.session, event.now_ns); break;
    }
  }
  return history;
}

namespace {

std::vector<Call> calls_of(const LockModel& model) {
  std::vector<Call> calls = {Call::acquire, Call::acquire, Call::try_acquire, Call::release, Call::release, Call::renew, Call::break_lease};
  if (model.kind == LockModel::Kind::shared) {
    for (const Call call : {Call::acquire_shared, Call::acquire_shared, Call::try_acquire_shared, Call::upgrade, Call::downgrade}) {
      calls.push_back(call);
    }
  }
  if (model.kind == LockModel::Kind::semaphore) calls.insert(calls.end(), {Call::acquire_permits, Call::try_acquire_permits});
  return calls;
}

// A lock that works, whose operations take effect at some time between call and answer, used at random.
class Maker {
 public:
  Maker(const LockModel& model, const Shape& shape, Random& random) : model_(model), shape_(shape), random_(random) {}

  Story make() {
    for (std::uint32_t steps = 0; steps < 200 && !over(); ++steps) {
      now_ns_ += below(3);
      const auto session = static_cast<SessionId>(below(shape_.sessions));
      if (one_in(60)) crash(session);
      if (one_in(4)) end_one_hold();
      if (story_.crashed_at.contains(session)) continue;
      move(session);
    }
    return story_;
  }

 private:
  struct Open {
    std::size_t operation;
    bool done = false;
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  bool over() const { return story_.operations.size() == shape_.operations && open_.empty(); }

  void move(SessionId session) {
    const auto open = open_.find(session);
    if (open == open_.end()) {
      if (story_.operations.size() < shape_.operations) call(session);
    } else if (one_in(40)) {
      open_.erase(open);  // the answer is lost
    } else if (!open->second.done) {
      take_effect(open->second);
    } else {
      answer(open->second);
      open_.erase(open);
    }
  }

  void call(SessionId session) {
    const std::vector<Call> calls = calls_of(model_);
    Op op{.session = session, .call = calls[below(calls.size())], .request = {}, .grant = {}};
    const bool some = op.call == Call::acquire_permits || op.call == Call::try_acquire_permits || op.call == Call::release;
    if (some && model_.kind == LockModel::Kind::semaphore) {
      op.request.permits = static_cast<std::uint32_t>(1 + below(model_.permits));
    }
    if (op.call == Call::break_lease) op.request.token = below(lock_.last_token + 2);
    if (op.call != Call::upgrade && one_in(4)) op.request.deadline_ns = now_ns_ + below(6);
    op.called_at = story_.events.size();
    open_[session] = {story_.operations.size()};
    story_.events.push_back({Event::What::call, story_.operations.size(), session, now_ns_});
    story_.operations.push_back(op);
  }

  void take_effect(Open& open) {
    Op& op = story_.operations[open.operation];
    std::vector<Response> answers;
    for (int i = 1; i <= static_cast<int>(Response::refused); ++i) {
      const auto answer = static_cast<Response>(i);
      const bool gives_up = answer == Response::timed_out || answer == Response::cancelled || answer == Response::refused;
      if (fits(op.call, answer) && (!gives_up || one_in(8))) answers.push_back(answer);
    }
    std::ranges::shuffle(answers, random_);
    for (const Response answer : answers) {
      op.answer = answer;
      op.grant = grant_for(op);
      const std::vector<Lock> nexts = outcomes(model_, lock_, op);
      if (nexts.empty()) continue;
      lock_ = nexts[below(nexts.size())];
      open.done = true;
      effects_[open.operation] = {answer, op.grant};
      break;
    }
    op.answer = Response::pending;
    op.grant = {};
  }

  Grant grant_for(const Op& op) {
    Grant grant;
    if (op.answer == Response::granted) {
      const auto own = lock_.holds.find(op.session);
      const bool again = model_.reentrant && own != lock_.holds.end() && op.call != Call::upgrade;
      grant.token = again && own->second.token_known ? own->second.token : lock_.last_token + 1 + below(2);
    }
    const bool has_deadline = op.answer == Response::granted || (op.call == Call::renew && op.answer == Response::ok);
    if (has_deadline && op.request.deadline_ns != no_deadline_ns && one_in(2)) grant.deadline_ns = op.request.deadline_ns + below(4);
    return grant;
  }

  void answer(const Open& open) {
    Op& op = story_.operations[open.operation];
    std::tie(op.answer, op.grant) = effects_[open.operation];
    if (shape_.spoilt && one_in(3)) spoil(op);
    op.answered_at = story_.events.size();
    op.answered_ns = now_ns_;
    story_.events.push_back({Event::What::answer, open.operation, op.session, now_ns_});
  }

  void spoil(Op& op) {
    if (op.answer == Response::granted && one_in(3)) {
      op.grant.token = below(lock_.last_token + 2);
      return;
    }
    Response other = op.answer;
    while (other == op.answer || !fits(op.call, other)) {
      other = static_cast<Response>(1 + below(static_cast<std::uint64_t>(Response::refused)));
    }
    op.answer = other;
    op.grant.token = other == Response::granted ? lock_.last_token + 1 : 0;
  }

  void crash(SessionId session) {
    if (!story_.crashed_at.emplace(session, story_.events.size()).second) return;
    story_.events.push_back({Event::What::crash, 0, session, now_ns_});
    open_.erase(session);
  }

  void end_one_hold() {
    std::erase_if(lock_.holds,
                  [&](const auto& entry) { return story_.crashed_at.contains(entry.first) || entry.second.deadline_ns <= now_ns_; });
  }

  const LockModel& model_;
  const Shape shape_;
  Random& random_;
  std::uint64_t now_ns_ = 0;
  Lock lock_;
  Story story_;
  std::map<SessionId, Open> open_;
  std::map<std::size_t, std::pair<Response, Grant>> effects_;
};

}  // namespace

Story random_story(const LockModel& model, const Shape& shape, Random& random) { return Maker(model, shape, random).make(); }

}  // namespace tenure::sim::reference
