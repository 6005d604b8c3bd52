#include "tests/sim/byte_lock_case.hpp"

#include <array>
#include <sstream>

namespace tenure::sim::conformance::byte_locks {
namespace {

class Maker {
 public:
  explicit Maker(Random& random) : random_(random) {}

  Case make() {
    made_.first = born_ = 1 + below(3);
    for (std::uint32_t i = 0; i < born_; ++i) living_.push_back(i);
    const std::uint32_t length = 5 + below(actions_max - 4);
    for (std::uint32_t i = 0; i < length; ++i) add();
    for (const std::uint32_t process : living_) made_.actions.push_back({Action::What::probe, process});
    return made_;
  }

 private:
  std::uint32_t below(std::uint32_t n) { return random_.below(n); }

  void add() {
    using enum Action::What;
    const std::uint32_t process = living_[below(static_cast<std::uint32_t>(living_.size()))];
    const std::uint32_t other = living_[below(static_cast<std::uint32_t>(living_.size()))];
    constexpr std::array<Action::What, 16> often{claim, claim, claim, claim, claim, claim, free, free,
                                                 probe, fork,  fork,  fork,  send,  close, kill, exit};
    const Action::What what = often[below(often.size())];
    switch (what) {
      case claim:
      case free: made_.actions.push_back({what, process, below(bytes_max)}); break;
      case probe: made_.actions.push_back({what, process}); break;
      case fork:
        if (born_ == processes_max) break;
        made_.actions.push_back({what, process, born_});
        living_.push_back(born_++);
        break;
      case send:
        if (other != process) made_.actions.push_back({what, process, other});
        break;
      case close: made_.actions.push_back({what, process}); break;
      case kill:
      case exit:
        if (living_.size() == 1) break;
        made_.actions.push_back({what, process});
        std::erase(living_, process);
    }
  }

  Random& random_;
  Case made_;
  std::vector<std::uint32_t> living_;
  std::uint32_t born_ = 0;
};

}  // namespace

Case make_case(Random& random) { return Maker(random).make(); }

std::string text_of(const Case& c) {
  std::ostringstream text;
  text << c.first << " processes";
  for (const Action& action : c.actions) {
    constexpr std::array<const char*, 8> names{"claims", "frees", "probes", "forks", "sends to", "closes", "is killed", "exits"};
    text << "\n  " << action.process << ' ' << names[static_cast<std::size_t>(action.what)] << ' ' << action.target;
  }
  return text.str();
}

std::string text_of(const Outcome& outcome) {
  std::string text;
  for (const std::uint32_t answer : outcome) text += std::to_string(answer) + ' ';
  return text;
}

}  // namespace tenure::sim::conformance::byte_locks
