// The search for an order of a history's operations that a lock allows.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/lock_rules.hpp"

namespace tenure::sim {

// States from which no order goes on to the end. Emptied without giving its memory back.
class DeadStates {
 public:
  void clear();
  bool contains(std::uint64_t done, const LockState& state) const { return !entries_.empty() && *slot(done, state) != 0; }
  void insert(std::uint64_t done, const LockState& state);

 private:
  struct Entry {
    std::uint64_t done;
    LockState state;
  };
  const std::uint32_t* slot(std::uint64_t done, const LockState& state) const;
  void grow();

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> index_;  // of an entry, + 1; a power of two of them
};

class LinearizabilityChecker::Search {
 public:
  explicit Search(std::uint32_t states_max) : states_max_(states_max) {}

  // Of what the history has recorded, be it full or not.
  Linearizability find(const History& history, const LockModel& model);
  std::uint32_t states() const { return states_; }

  // The order that was found, with what the lock did of itself.
  struct Event {
    static constexpr std::uint8_t none = 0xff;
    std::uint8_t operation;  // none: a hold ends by a crash or at its deadline
    std::uint8_t session;    // the one whose hold is changed
  };
  std::span<const Event> order() const { return std::span(order_).first(length_); }

  // See LinearizabilityChecker::explain; of a history that is not linearizable. Loses what find() has found.
  std::string explain(const History& history, const LockModel& model);

 private:
  using Candidates = std::array<std::uint8_t, History::operations_max>;

  void prepare(const LockRules& rules);
  bool search(const LockRules& rules, std::uint64_t done, const LockState& state);
  bool goes_on(const LockRules& rules, std::uint64_t done, const LockState& state, std::span<const std::uint8_t> candidates);
  // What may come next, the first answered first. Answers that only look, and are right, are taken at once.
  std::uint32_t gather(const LockRules& rules, std::uint64_t& done, const LockState& state, Candidates& candidates);
  // The sessions whose hold may end by itself.
  std::uint32_t ending(std::uint64_t done, const LockState& state) const;

  std::uint32_t states_max_;
  std::uint32_t states_ = 0;
  const History* history_ = nullptr;
  std::uint64_t judged_ = 0;  // the operations that need a place
  std::uint64_t looks_ = 0;
  std::uint64_t open_ = 0;  // judged, and those without an answer
  std::uint32_t length_ = 0;
  std::array<Event, 2 * History::operations_max> order_{};
  DeadStates dead_;
};

}  // namespace tenure::sim
