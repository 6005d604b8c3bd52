#include "sim/linearization.hpp"

#include <algorithm>
#include <bit>

namespace tenure::sim {
namespace {

std::uint64_t bit(std::uint32_t i) { return std::uint64_t{1} << i; }

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

std::uint64_t hash_of(std::uint64_t done, const LockState& state) {
  std::uint64_t hash = mixed(mixed(done, state.last_token), state.holders);
  for (std::uint32_t left = state.holders; left != 0; left &= left - 1) {
    hash = mixed(hash, std::bit_cast<std::uint32_t>(state.holds[static_cast<SessionId>(std::countr_zero(left))]));
  }
  return hash;
}

}  // namespace

void DeadStates::clear() {
  if (entries_.empty()) return;
  entries_.clear();
  std::ranges::fill(index_, 0);
}

const std::uint32_t* DeadStates::slot(std::uint64_t done, const LockState& state) const {
  const std::size_t mask = index_.size() - 1;
  for (std::size_t i = hash_of(done, state) & mask;; i = (i + 1) & mask) {
    if (index_[i] == 0) return &index_[i];
    const Entry& entry = entries_[index_[i] - 1];
    if (entry.done == done && entry.state == state) return &index_[i];
  }
}

void DeadStates::insert(std::uint64_t done, const LockState& state) {
  if (2 * (entries_.size() + 1) > index_.size()) grow();
  index_[static_cast<std::size_t>(slot(done, state) - index_.data())] = static_cast<std::uint32_t>(entries_.size() + 1);
  entries_.push_back({done, state});
}

void DeadStates::grow() {
  index_.assign(std::max<std::size_t>(64, 2 * index_.size()), 0);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const std::size_t mask = index_.size() - 1;
    std::size_t place = hash_of(entries_[i].done, entries_[i].state) & mask;
    while (index_[place] != 0) place = (place + 1) & mask;
    index_[place] = i + 1;
  }
}

Linearizability LinearizabilityChecker::Search::find(const History& history, const LockModel& model) {
  const LockRules rules(history, model);
  states_ = 0;
  length_ = 0;
  if (history.state() == History::State::malformed || rules.misfit() != nullptr) return Linearizability::malformed;
  history_ = &history;
  dead_.clear();
  prepare(rules);
  // What fits everywhere has its place beforehand.
  const std::uint64_t fits_everywhere = history.answered() & ~judged_;
  const bool found = search(rules, fits_everywhere, LockState{});
  if (found) return history.full() ? Linearizability::undecided : Linearizability::linearizable;
  return states_ > states_max_ ? Linearizability::undecided : Linearizability::not_linearizable;
}

void LinearizabilityChecker::Search::prepare(const LockRules& rules) {
  judged_ = looks_ = 0;
  for (OperationId i = 0; i < history_->size(); ++i) {
    const LockRules::Effect effect = rules.effect(i);
    if (effect == LockRules::Effect::looks) looks_ |= bit(i);
    if (effect != LockRules::Effect::nothing) judged_ |= bit(i);
  }
  open_ = judged_;
  judged_ &= history_->answered();
}

bool LinearizabilityChecker::Search::search(const LockRules& rules, std::uint64_t done, const LockState& state) {
  Candidates candidates;
  const std::uint32_t count = gather(rules, done, state, candidates);
  if ((judged_ & ~done) == 0) return true;
  if (!dead_.contains(done, state) && ++states_ <= states_max_) {
    if (goes_on(rules, done, state, std::span(candidates).first(count))) return true;
    if (states_ <= states_max_) dead_.insert(done, state);
  }
  return false;
}

bool LinearizabilityChecker::Search::goes_on(const LockRules& rules, std::uint64_t done, const LockState& state,
                                             std::span<const std::uint8_t> candidates) {
  const std::uint32_t length = length_;
  const auto try_event = [&](Event event, std::uint64_t then_done, const LockState& then) {
    order_[length_++] = event;
    if (search(rules, then_done, then)) return true;
    length_ = length;
    return false;
  };
  const auto try_operation = [&](std::uint8_t operation) {
    for (std::uint32_t targets = rules.targets(operation, state); targets != 0; targets &= targets - 1) {
      const auto session = static_cast<std::uint8_t>(std::countr_zero(targets));
      LockState then = state;
      rules.apply(operation, session, then);
      if (try_event({operation, session}, done | bit(operation), then)) return true;
    }
    return false;
  };
  // Those without an answer come last: they seldom need a place.
  const auto unanswered = std::ranges::find_if(candidates, [&](std::uint8_t i) { return (judged_ & bit(i)) == 0; });
  if (std::any_of(candidates.begin(), unanswered, try_operation)) return true;
  for (std::uint32_t left = ending(done, state); left != 0; left &= left - 1) {
    const auto session = static_cast<std::uint8_t>(std::countr_zero(left));
    LockState then = state;
    then.end(session);
    if (try_event({Event::none, session}, done, then)) return true;
  }
  return std::any_of(unanswered, candidates.end(), try_operation);
}

std::uint32_t LinearizabilityChecker::Search::gather(const LockRules& rules, std::uint64_t& done, const LockState& state,
                                                     Candidates& candidates) {
  const History& history = *history_;
  std::uint32_t count = 0;
  for (std::uint64_t left = open_ & ~done; left != 0; left &= left - 1) {
    const auto i = static_cast<std::uint8_t>(std::countr_zero(left));
    // In the order of their calls, each comes after all that the one before it comes after.
    if ((history[i].after & ~done) != 0) break;
    if ((looks_ & bit(i)) != 0) {
      // It changes nothing, so if there is an order from here, there is one with it at once.
      if (rules.is_right(i, state)) {
        done |= bit(i);
        order_[length_++] = {i, history[i].session};
      }
      continue;
    }
    std::uint32_t place = count++;
    for (; place > 0 && history[candidates[place - 1]].responded_order > history[i].responded_order; --place) {
      candidates[place] = candidates[place - 1];
    }
    candidates[place] = i;
  }
  return count;
}

std::uint32_t LinearizabilityChecker::Search::ending(std::uint64_t done, const LockState& state) const {
  const History& history = *history_;
  std::uint64_t first_answer_ns = ~std::uint64_t{0};  // of those that have no place yet
  for (std::uint64_t left = judged_ & ~done; left != 0; left &= left - 1) {
    first_answer_ns = std::min(first_answer_ns, history[static_cast<OperationId>(std::countr_zero(left))].responded_ns);
  }
  std::uint32_t sessions = 0;
  for (std::uint32_t left = state.holders; left != 0; left &= left - 1) {
    const auto session = static_cast<SessionId>(std::countr_zero(left));
    const std::uint32_t deadline_of = state.holds[session].deadline_of;
    const bool crashed = history.crashed(session) && (history.before_crash(session) & ~done) == 0;
    const bool expired = deadline_of != 0 && history[deadline_of - 1].deadline_ns <= first_answer_ns;
    if (crashed || expired) sessions |= std::uint32_t{1} << session;
  }
  return sessions;
}

}  // namespace tenure::sim
