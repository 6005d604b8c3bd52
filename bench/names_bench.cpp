#include <array>
#include <cstdio>
#include <random>
#include <string_view>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"

namespace tenure::bench {
namespace {

constexpr std::uint32_t names_used = 1'000'000;
constexpr std::uint32_t names_capacity = 1'400'000;
constexpr int rounds = 61;
constexpr int batch = 10'000;  // long enough to warm the hot ones up, short beside a time slice

struct Text {
  explicit Text(std::uint32_t number) { std::snprintf(bytes.data(), bytes.size(), "jobs/%07u", number); }
  [[nodiscard]] std::string_view view() const { return {bytes.data(), 12}; }
  std::array<char, 13> bytes{};
};

// Drawn beforehand, and read in this order, so that the caller's own memory costs next to nothing.
std::vector<Text> random_texts(std::uint32_t below) {
  std::mt19937 random(1);
  std::uniform_int_distribution<std::uint32_t> any(0, below - 1);
  std::vector<Text> texts;
  texts.reserve(std::size_t{batch} * (rounds + 1));
  for (int i = 0; i < batch * (rounds + 1); ++i) texts.emplace_back(any(random));
  return texts;
}

Measured measure(Space& space, const FileLock& peer, std::uint32_t below) {
  const std::vector<Text> texts = random_texts(below);
  auto next = texts.begin();
  const auto ours = [&] {
    return ns_each(batch, [&] {
      const auto lease = space.try_acquire((next++)->view());
      if (!lease) fail(to_string(lease.error()));
    });
  };
  const auto theirs = [&] {
    return ns_each(batch, [&] {
      peer.lock();
      peer.unlock();
    });
  };
  return in_turn(rounds, ours, theirs);
}

}  // namespace

void names(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  Space space = open_space(directory.path() + "/space", names_capacity);
  const std::uint64_t begin_ns = now_ns();
  for (std::uint32_t number = 0; number < names_used; ++number) (void)resolve(space, Text(number).view());
  const double insert_ns = static_cast<double>(now_ns() - begin_ns) / names_used;
  const FileLock peer(directory.path() + "/flock");
  report.add("by name, 1,000 hot ones of 1,000,000; peer: flock(2), open descriptor", Unit::nanoseconds, measure(space, peer, 1'000),
             at_most(0.1));
  report.add("by name, any of 1,000,000; peer: flock(2), open descriptor", Unit::nanoseconds, measure(space, peer, names_used),
             at_most(0.5));
  report.add_figure("  entering a name, of 1,000,000", Unit::nanoseconds, insert_ns);
}

}  // namespace tenure::bench
