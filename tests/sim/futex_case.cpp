#include "tests/sim/futex_case.hpp"

#include <sstream>

namespace tenure::sim::conformance::futexes {
namespace {

class Maker {
 public:
  Maker(Random& random, bool bursts) : random_(random), bursts_(bursts) {}

  Case make() {
    count_ = 1 + below(sleepers_max);
    time_outs_left_ = below(4) == 0 ? 2 : 0;
    for (std::uint32_t& value : values_) value = below(3);
    made_.initial = values_;
    const std::uint32_t length = count_ + 2 + below(8);
    for (std::uint32_t i = 0; i < length; ++i) add();
    made_.actions.back().settles = true;
    return made_;
  }

 private:
  std::uint32_t below(std::uint32_t n) { return random_.below(n); }

  void add() {
    const bool can_start = started_ < count_;
    if (can_start && (started_ == 0 || below(2) == 0)) return add_start();
    const bool settles = below(5) < 3 || !bursts_;
    const std::uint32_t sleeper = below(started_);
    switch (below(10)) {
      case 0: {
        const std::uint32_t word = below(words_max);
        values_[word] = below(3);
        made_.actions.push_back({Action::What::store, word, values_[word], settles});
        break;
      }
      case 1: made_.actions.push_back({Action::What::kill, sleeper, 0, settles}); break;
      case 2:
      case 3:
        if (Action& start = made_.actions[starts_[sleeper]]; time_outs_left_ != 0 && start.deadline == 0) {
          start.deadline = ++time_outs_;
          --time_outs_left_;
          made_.actions.push_back({Action::What::time_out, sleeper, 0, settles});
          break;
        }
        [[fallthrough]];
      default: {
        constexpr std::array<std::uint32_t, 8> counts{1, 1, 1, 2, 2, 3, all, 0};
        made_.actions.push_back({Action::What::wake, below(words_max), counts[below(counts.size())], settles});
      }
    }
  }

  // A sleeper must run to fall asleep, so a start is a burst of its own.
  void add_start() {
    if (!made_.actions.empty()) made_.actions.back().settles = true;
    const std::uint32_t watches = below(2) == 0 ? 1 : 1 + below(words_max);
    for (std::uint32_t i = 0; i < watches; ++i) {
      const std::uint32_t word = below(words_max);
      made_.sleepers[started_].push_back({word, values_[word] + (below(12) == 0 ? 1 : 0)});
    }
    starts_[started_] = made_.actions.size();
    made_.actions.push_back({Action::What::start, started_++});
  }

  Random& random_;
  bool bursts_;
  Case made_;
  std::array<std::uint32_t, words_max> values_{};
  std::array<std::size_t, sleepers_max> starts_{};
  std::uint32_t count_ = 0;
  std::uint32_t started_ = 0;
  std::uint32_t time_outs_ = 0;
  std::uint32_t time_outs_left_ = 0;
};

}  // namespace

Case make_case(Random& random, bool bursts) { return Maker(random, bursts).make(); }

std::string text_of(const Case& c) {
  std::ostringstream text;
  text << "words";
  for (const std::uint32_t value : c.initial) text << ' ' << value;
  for (const Action& action : c.actions) {
    constexpr std::array<const char*, 5> names{"start", "store", "wake", "kill", "time_out"};
    text << "\n  " << names[static_cast<std::size_t>(action.what)] << ' ' << action.target << ' '
         << static_cast<std::int32_t>(action.number);
    if (action.what == Action::What::start) {
      for (const Watched& watched : c.sleepers[action.target]) text << " word " << watched.word << " == " << watched.expected;
    }
    if (action.deadline != 0) text << " until time-out " << action.deadline;
    if (!action.settles) text << " ...";
  }
  return text.str();
}

std::string text_of(const Outcome& outcome) {
  std::ostringstream text;
  constexpr std::array<const char*, 6> names{"not started", "asleep", "woken", "changed", "timed out", "killed"};
  for (std::size_t i = 0; i < outcome.ends.size(); ++i) {
    text << names[static_cast<std::size_t>(outcome.ends[i])] << " after " << outcome.seen_after[i] << ", ";
  }
  text << "wakes returned";
  for (const std::uint32_t woken : outcome.wakes) text << ' ' << woken;
  return text.str();
}

}  // namespace tenure::sim::conformance::futexes
