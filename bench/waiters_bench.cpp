#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"

namespace tenure::bench {
namespace {

constexpr int rounds = 2;
constexpr int small_scenes = 9;  // in a round, since ten hand-offs are few
constexpr std::uint64_t settle_ns = 200'000'000;
constexpr std::uint64_t idle_ns = 1'000'000'000;

struct Scene {
  std::atomic<int> ready{0};
  std::atomic<int> left{0};
};

std::uint64_t processor_ns(const std::vector<Child>& children) {
  std::uint64_t sum_ns = 0;
  for (const Child& child : children) sum_ns += child.processor_ns();
  return sum_ns;
}

struct Cost {
  double hand_off_ns = 0;  // processor time of all for one hand-off, user and system
  double idle = 0;         // processors that the waiters keep busy while nothing happens
};

// All wait while this process holds; then each enters once. Nobody comes again, for flock(2) would let him in before the others.
Cost cost_of(const MakeLock& make, int count, std::uint64_t watch_ns) {
  const Shared<Scene> scene;
  const auto lock = make();
  lock->acquire();
  std::vector<Child> children;
  children.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    children.emplace_back([&] {
      const auto own = make();
      ++scene->ready;
      own->acquire();
      own->release();
      ++scene->left;
      for (;;) pause();  // so that its processor time can still be read
    });
  }
  wait_until([&] { return scene->ready == count; });
  for (const Child& child : children) child.wait_until_asleep();
  sleep_ns(watch_ns == 0 ? settle_ns / 10 : settle_ns);  // and the last of them have found their place
  const std::uint64_t first_ns = processor_ns(children);
  const std::uint64_t begin_ns = now_ns();
  sleep_ns(watch_ns);
  const std::uint64_t idled_ns = now_ns() - begin_ns;
  const std::uint64_t second_ns = processor_ns(children);
  lock->release();
  wait_until([&] { return scene->left == count; });
  const std::uint64_t third_ns = processor_ns(children);
  const double idle = static_cast<double>(second_ns - first_ns) / static_cast<double>(idled_ns);
  return {static_cast<double>(third_ns - second_ns) / count, idle};
}

struct Figures {
  Measured cost;  // of 1,000 waiters, and of 10
  double idle_of_many = 0;
};

Figures figures_of(const MakeLock& make) {
  std::vector<double> idle;
  const auto many = [&] {
    const Cost cost = cost_of(make, 1000, idle_ns);
    idle.push_back(cost.idle);
    return cost.hand_off_ns;
  };
  const auto few = [&] {
    std::vector<double> costs_ns;
    for (int scene = 0; scene < small_scenes; ++scene) costs_ns.push_back(cost_of(make, 10, 0).hand_off_ns);
    return median(costs_ns);
  };
  const Measured cost = in_turn(rounds, many, few);
  return {cost, median(idle)};
}

void tell(const std::string& title, const Figures& figures, std::optional<Bar> bar, const Report& report) {
  report.add(title + ", processor time a hand-off, 1,000 waiters; peer: 10 waiters", Unit::nanoseconds, figures.cost, bar);
  report.add_figure("  " + title + ", 1,000 waiting: percent of one processor", Unit::plain, 100 * figures.idle_of_many);
}

}  // namespace

void waiters(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  tell("tenure", figures_of(tenure_lock(directory)), at_most(1.5), report);
  tell("flock(2)", figures_of(file_lock(directory)), std::nullopt, report);
}

}  // namespace tenure::bench
