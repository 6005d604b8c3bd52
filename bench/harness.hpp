// Measuring and telling: two works in turn, medians, one table.
//
// The machine is shared and its clock rate moves, so nothing here means much by itself: ours and the peer run in turn, a round of each, and
// the ratio is the median of the rounds' ratios.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tenure::bench {

// Ends the program: a benchmark that can't do its work has nothing to say. Adds what errno says where it says something.
[[noreturn, gnu::cold]] void fail(std::string_view what);

[[nodiscard]] std::uint64_t now_ns();  // CLOCK_MONOTONIC
void sleep_ns(std::uint64_t duration_ns);

[[nodiscard]] double median(std::vector<double> values);  // 0 of none

// How long one `work` takes, when it is done `count` times.
template <class Work>
[[nodiscard]] double ns_each(int count, Work&& work) {
  const std::uint64_t begin_ns = now_ns();
  for (int i = 0; i < count; ++i) work();
  return static_cast<double>(now_ns() - begin_ns) / count;
}

struct Measured {
  double ours = 0;
  double peer = 0;
  double ratio = 0;  // the median of the rounds' ratios, not the ratio of the medians
};

[[nodiscard]] Measured medians_of(const std::vector<double>& ours, const std::vector<double>& peer);

// Each work returns what it measured in one round. The first round only warms up.
template <class Ours, class Peer>
[[nodiscard]] Measured in_turn(int rounds, Ours&& ours, Peer&& peer) {
  std::vector<double> of_ours;
  std::vector<double> of_peer;
  for (int round = 0; round <= rounds; ++round) {
    const double our_figure = ours();
    const double peer_figure = peer();
    if (round == 0) continue;
    of_ours.push_back(our_figure);
    of_peer.push_back(peer_figure);
  }
  return medians_of(of_ours, of_peer);
}

enum class Unit : std::uint8_t { nanoseconds, bytes, per_second, plain };

struct Bar {
  double limit = 0;
  bool at_least = false;
};
[[nodiscard]] constexpr Bar at_most(double limit) { return {limit, false}; }
[[nodiscard]] constexpr Bar at_least(double limit) { return {limit, true}; }

// Rows of `work | ours | peer | ratio | bar | met?`, printed as they come.
class Report {
 public:
  explicit Report(bool markdown) : markdown_(markdown) {}
  void head() const;
  void add(const std::string& work, Unit unit, const Measured& measured, std::optional<Bar> bar = std::nullopt) const;
  // A figure with a limit of its own and no peer: the ratio is to the limit.
  void add_limited(const std::string& work, Unit unit, double ours, double limit) const;
  // A figure for information.
  void add_figure(const std::string& work, Unit unit, double ours) const;
  void note(const std::string& text) const;  // a line across the table

 private:
  void line(const std::string& work, const std::string& ours, const std::string& peer, const std::string& ratio, const std::string& bar,
            const std::string& met) const;
  bool markdown_;
};

}  // namespace tenure::bench
