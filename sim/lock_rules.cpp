#include "sim/lock_rules.hpp"

#include <algorithm>

namespace tenure::sim {

const char* LockRules::misfit() const {
  if (is_semaphore() && (model_.permits == 0 || model_.permits > History::permits_max)) return "a semaphore of that many permits";
  for (OperationId i = 0; i < history_.size(); ++i) {
    const Operation& op = history_[i];
    switch (op.call) {
      case Call::acquire_shared:
      case Call::try_acquire_shared:
      case Call::upgrade:
      case Call::downgrade:
        if (model_.kind != LockModel::Kind::shared) return "shared mode of a lock that has none";
        break;
      case Call::acquire_permits:
      case Call::try_acquire_permits:
        if (!is_semaphore()) return "permits of a lock that is no semaphore";
        if (op.permits == 0 || op.permits > model_.permits) return "no permit, or more than the semaphore has";
        break;
      default: break;
    }
  }
  return nullptr;
}

LockRules::Effect LockRules::effect(OperationId operation) const {
  switch (history_[operation].answer) {
    case Response::pending:
    case Response::granted:
    case Response::ok: return Effect::changes;
    case Response::lost:
    case Response::not_held: return Effect::looks;
    case Response::busy: {
      const bool excused = model_.busy == LockModel::Busy::spurious || (model_.busy == LockModel::Busy::queued && queued_before(operation));
      return excused ? Effect::nothing : Effect::looks;
    }
    case Response::timed_out:
    case Response::cancelled:
    case Response::refused: return Effect::nothing;
  }
  return Effect::nothing;
}

bool LockRules::queued_before(OperationId operation) const {
  const Operation& op = history_[operation];
  for (OperationId i = 0; i < history_.size(); ++i) {
    const Operation& other = history_[i];
    const bool waits = other.call == Call::acquire || other.call == Call::acquire_shared || other.call == Call::acquire_permits ||
                       other.call == Call::upgrade;
    const bool overlaps = other.invoked_order < op.responded_order && other.responded_order > op.invoked_order;
    if (waits && overlaps && other.session != op.session) return true;
  }
  return false;
}

std::uint32_t LockRules::wanted(const Operation& op) const {
  switch (op.call) {
    case Call::acquire_shared:
    case Call::try_acquire_shared: return 1;
    case Call::acquire_permits:
    case Call::try_acquire_permits: return op.permits;
    default: return is_semaphore() ? 1 : units_;
  }
}

bool LockRules::is_free_for(const Operation& op, const LockState& state) const {
  const LockState::Hold& own = state.holds[op.session];
  if (op.call == Call::upgrade) return own.units != 0 && state.in_use == own.units;
  if (own.units != 0 && !is_semaphore()) return repeats(op, state);
  return state.in_use + wanted(op) <= units_;
}

bool LockRules::token_fits(const Operation& op, const LockState& state) const {
  if (!model_.fenced || op.answer == Response::pending) return true;
  if (op.call == Call::upgrade) return op.token == 0 || op.token > state.last_token;
  if (!repeats(op, state)) return op.token > state.last_token;
  const LockState::Hold& own = state.holds[op.session];
  if (token_is_known(own)) return op.token == token_of(own);
  // Of a grant that nobody was told of: it is at least what the state has counted for it, unless others were granted since.
  return op.token != 0 && (model_.kind == LockModel::Kind::shared || op.token >= state.last_token);
}

std::uint32_t LockRules::breakable(const Operation& op, const LockState& state) const {
  if (op.token == 0) return state.holders;
  std::uint32_t exact = 0;
  std::uint32_t unknown = 0;
  for (std::uint32_t left = state.holders; left != 0; left &= left - 1) {
    const auto session = static_cast<SessionId>(std::countr_zero(left));
    const bool known = token_is_known(state.holds[session]);
    if (!known) unknown |= std::uint32_t{1} << session;
    if (known && token_of(state.holds[session]) == op.token) exact |= std::uint32_t{1} << session;
  }
  return exact != 0 ? exact : unknown;
}

bool LockRules::is_right(OperationId operation, const LockState& state) const {
  const Operation& op = history_[operation];
  const LockState::Hold& own = state.holds[op.session];
  switch (op.call) {
    case Call::upgrade: return op.answer == Response::busy ? own.units != 0 && !is_free_for(op, state) : own.units == 0;
    case Call::downgrade: return own.units != units_;
    case Call::renew: return own.units == 0;
    case Call::release: return own.units == 0 || (is_semaphore() && own.units < op.permits);
    case Call::break_lease: {
      // A hold whose token nobody was told may have another one than this.
      std::uint32_t named = breakable(op, state);
      if (op.token != 0 && named != 0 && !token_is_known(state.holds[static_cast<SessionId>(std::countr_zero(named))])) named = 0;
      return named == 0;
    }
    default: return !is_free_for(op, state);
  }
}

std::uint32_t LockRules::targets(OperationId operation, const LockState& state) const {
  const Operation& op = history_[operation];
  const std::uint32_t self = std::uint32_t{1} << op.session;
  const LockState::Hold& own = state.holds[op.session];
  switch (op.call) {
    case Call::downgrade: return own.units == units_ ? self : 0;
    case Call::renew: return own.units != 0 ? self : 0;
    case Call::release: return own.units != 0 && (!is_semaphore() || own.units >= op.permits) ? self : 0;
    case Call::break_lease: return breakable(op, state);
    default: return is_free_for(op, state) && token_fits(op, state) ? self : 0;
  }
}

void LockRules::apply(OperationId operation, SessionId target, LockState& state) const {
  const Operation& op = history_[operation];
  switch (op.call) {
    case Call::downgrade:
      state.in_use -= units_ - 1;
      state.holds[target].units = 1;
      return;
    case Call::renew:
      state.holds[target].deadline_of = static_cast<std::uint8_t>(op.deadline_ns == no_deadline_ns ? 0 : operation + 1);
      return;
    case Call::release: return apply_release(op, state);
    case Call::break_lease: return state.end(target);
    default: return apply_grant(operation, state);
  }
}

void LockRules::apply_grant(OperationId operation, LockState& state) const {
  const Operation& op = history_[operation];
  LockState::Hold& own = state.holds[op.session];
  const auto name = static_cast<std::uint8_t>(operation + 1);
  const bool upgrade = op.call == Call::upgrade;
  const bool known = op.answer == Response::granted;
  if (!upgrade && repeats(op, state)) {
    ++own.depth;
    if (!token_is_known(own)) own.granted_by = name;
    if (model_.fenced) state.last_token = std::max(state.last_token, known ? op.token : 0);
  } else {
    const std::uint32_t more = upgrade ? units_ - own.units : wanted(op);
    own.units = static_cast<std::uint8_t>(own.units + more);
    own.depth = std::max<std::uint8_t>(own.depth, 1);
    state.in_use += more;
    state.holders |= std::uint32_t{1} << op.session;
    // An upgrade may give a token or not; one that was not answered leaves the token of the hold unknown.
    if (!upgrade || !known || op.token != 0) own.granted_by = name;
    if (model_.fenced && known && op.token != 0) state.last_token = op.token;
    if (model_.fenced && !known && !upgrade) ++state.last_token;
  }
  if (op.deadline_ns != no_deadline_ns) own.deadline_of = name;
}

void LockRules::apply_release(const Operation& op, LockState& state) const {
  LockState::Hold& own = state.holds[op.session];
  if (is_semaphore()) {
    if (op.permits == 0 || op.permits == own.units) return state.end(op.session);
    own.units = static_cast<std::uint8_t>(own.units - op.permits);
    state.in_use -= op.permits;
  } else if (--own.depth == 0) {
    state.end(op.session);
  }
}

std::string LockRules::holders_text(const LockState& state) const {
  if (state.holders == 0) return "nobody holds it";
  std::string text;
  for (std::uint32_t left = state.holders; left != 0; left &= left - 1) {
    const auto session = static_cast<SessionId>(std::countr_zero(left));
    const LockState::Hold& hold = state.holds[session];
    text += (text.empty() ? "session " : ", session ") + std::to_string(session) + " holds ";
    if (is_semaphore()) {
      text += std::to_string(hold.units) + " of " + std::to_string(units_) + " permits";
    } else {
      text += hold.units == units_ ? "it" : "it shared";
    }
    if (hold.depth > 1) text += " " + std::to_string(hold.depth) + " times";
    if (token_is_known(hold) && token_of(hold) != 0) text += " with token " + std::to_string(token_of(hold));
  }
  return text;
}

std::string LockRules::objection(OperationId operation, const LockState& state) const {
  const Operation& op = history_[operation];
  const bool tokens = op.answer == Response::granted && is_free_for(op, state) && !token_fits(op, state);
  if (!tokens) return holders_text(state);
  if (op.call != Call::upgrade && repeats(op, state)) return "its hold has token " + std::to_string(token_of(state.holds[op.session]));
  return "a grant with token " + std::to_string(state.last_token) + " came before";
}

}  // namespace tenure::sim
