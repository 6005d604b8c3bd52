#include <tenure/sim/linearizability.hpp>

#include "sim/linearization.hpp"

namespace tenure::sim {
namespace {

std::string kind_text(const LockModel& model) {
  std::string text;
  switch (model.kind) {
    case LockModel::Kind::exclusive: text = "an exclusive lock"; break;
    case LockModel::Kind::shared: text = "a lock with a shared mode"; break;
    case LockModel::Kind::semaphore: text = "a semaphore of " + std::to_string(model.permits) + " permits"; break;
  }
  if (model.fenced) text += ", fenced";
  if (model.reentrant) text += ", re-entrant";
  return text;
}

std::string to_text(const Operation& op) {
  std::string text = "session " + std::to_string(op.session) + ": " + std::string(to_string(op.call));
  if (op.permits != 0) text += " " + std::to_string(op.permits);
  if (op.call == Call::break_lease && op.token != 0) text += " of token " + std::to_string(op.token);
  text += op.answer == Response::pending ? ", unanswered" : ": " + std::string(to_string(op.answer));
  if (op.answer == Response::granted && op.token != 0) text += " with token " + std::to_string(op.token);
  const bool sets_deadline = op.answer == Response::granted || (op.call == Call::renew && op.answer == Response::ok);
  if (sets_deadline && op.deadline_ns != no_deadline_ns) text += " until " + std::to_string(op.deadline_ns) + " ns";
  text += " [" + std::to_string(op.invoked_ns) + ", ";
  return text + (op.answer == Response::pending ? "never)" : std::to_string(op.responded_ns) + "] ns");
}

OperationId last_answered(const History& history) {
  OperationId last = 0;
  for (OperationId i = 0; i < history.size(); ++i) {
    if (history[i].responded_order + 1U == history.events()) last = i;
  }
  return last;
}

}  // namespace

LinearizabilityChecker::LinearizabilityChecker(std::uint32_t states_max) : search_(std::make_unique<Search>(states_max)) {}
LinearizabilityChecker::~LinearizabilityChecker() = default;
LinearizabilityChecker::LinearizabilityChecker(LinearizabilityChecker&&) noexcept = default;
LinearizabilityChecker& LinearizabilityChecker::operator=(LinearizabilityChecker&&) noexcept = default;

Linearizability LinearizabilityChecker::check(const History& history, const LockModel& model) { return search_->find(history, model); }

std::uint32_t LinearizabilityChecker::states() const { return search_->states(); }

std::string LinearizabilityChecker::explain(const History& history, const LockModel& model) {
  switch (search_->find(history, model)) {
    case Linearizability::linearizable: return {};
    case Linearizability::undecided:
      return history.full() ? "the history is full: only its first " + std::to_string(History::operations_max) + " operations were judged"
                            : "given up after " + std::to_string(search_->states()) + " states";
    case Linearizability::malformed:
      return std::string(history.complaint().empty() ? LockRules(history, model).misfit() : history.complaint());
    case Linearizability::not_linearizable: break;
  }
  return search_->explain(history, model);
}

// A history that can be explained up to some event can be so up to every one before it. So there is one answer with which it fails.
std::string LinearizabilityChecker::Search::explain(const History& history, const LockModel& model) {
  std::uint32_t events = 1;
  while (events < history.events() && find(history.prefix(events), model) != Linearizability::not_linearizable) ++events;
  const History told = history.prefix(events);
  const OperationId culprit = last_answered(told);
  // What went before is told without the operation itself, unless something else rests on its effect.
  History before = history.prefix(events - 1).without(culprit);
  if (find(before, model) == Linearizability::not_linearizable) {
    before = history.prefix(events - 1);
    find(before, model);
  }
  const LockRules rules(before, model);
  const LockRules told_rules(told, model);
  LockState state;
  std::string lines;
  std::string objection;
  for (const Event& event : order()) {
    if (state.holders == 0) lines.clear();
    if (event.operation == culprit) objection = told_rules.objection(culprit, state);
    if (event.operation == Event::none) {
      state.end(event.session);
      lines += "  session " + std::to_string(event.session) + ": its hold ends, as it has crashed or its deadline has passed\n";
    } else {
      if (rules.effect(event.operation) == LockRules::Effect::changes) rules.apply(event.operation, event.session, state);
      lines += "  " + to_text(before[event.operation]) + "\n";
    }
  }
  if (objection.empty()) objection = told_rules.objection(culprit, state);
  return "no order of the answers is one of " + kind_text(model) + "; all before, in an order, since it was last free:\n" +
         (lines.empty() ? "  nothing\n" : lines) + "this one has no place there:\n  " + to_text(told[culprit]) + "\nas then " + objection;
}

}  // namespace tenure::sim
