#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"

namespace tenure::bench {
namespace {

constexpr int rounds = 3;
constexpr int hand_offs = 3000;
constexpr std::uint64_t idle_ns = 2'000'000'000;

struct Scene {
  std::atomic<int> ready{0};
  std::atomic<int> entered{0};
};

// Each comes again at once, so that the queue stays as long as it is; until all together have entered often enough.
void pass_along(Lock& lock, Scene& scene) {
  do {
    lock.acquire();
    const bool last = ++scene.entered >= hand_offs;
    lock.release();
    if (last) break;
  } while (true);
  for (;;) pause();  // so that its processor time can still be read
}

std::uint64_t processor_ns(const std::vector<Child>& children) {
  std::uint64_t sum_ns = own_processor_ns();
  for (const Child& child : children) sum_ns += child.processor_ns();
  return sum_ns;
}

struct Cost {
  double hand_off_ns = 0;  // processor time of all for one hand-off
  double idle = 0;         // processors that the waiters keep busy while nothing happens
};

Cost cost_of(const MakeLock& make, int count) {
  const Shared<Scene> scene;
  const auto lock = make();
  lock->acquire();
  std::vector<Child> children;
  children.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    children.emplace_back([&] {
      const auto own = make();
      ++scene->ready;
      pass_along(*own, *scene);
    });
  }
  wait_until([&] { return scene->ready == count; });
  for (const Child& child : children) child.wait_until_asleep();
  sleep_ns(300'000'000);  // and the last of them have found their place
  const std::uint64_t first_ns = processor_ns(children);
  const std::uint64_t begin_ns = now_ns();
  sleep_ns(idle_ns);
  const std::uint64_t idled_ns = now_ns() - begin_ns;
  const std::uint64_t second_ns = processor_ns(children);
  lock->release();
  wait_until([&] { return scene->entered >= hand_offs; });
  const int entered = scene->entered;
  const std::uint64_t third_ns = processor_ns(children);
  return {static_cast<double>(third_ns - second_ns) / entered, static_cast<double>(second_ns - first_ns) / static_cast<double>(idled_ns)};
}

// A row that compares 1,000 waiters with 10 of the same lock.
void measure(const std::string& title, const MakeLock& make, std::optional<Bar> bar, const Report& report) {
  std::vector<double> idle_of_many;
  const auto cost = [&](int count) {
    const Cost measured = cost_of(make, count);
    if (count == 1000) idle_of_many.push_back(measured.idle);
    return measured.hand_off_ns;
  };
  const Measured measured = in_turn(rounds, [&] { return cost(1000); }, [&] { return cost(10); });
  report.add(title + ", processor time a hand-off: 1,000 waiters; peer: 10", Unit::nanoseconds, measured, bar);
  report.add_figure("  " + title + ", 1,000 waiting: percent of one processor", Unit::plain, 100 * median(idle_of_many));
}

}  // namespace

void waiters(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  measure("tenure", tenure_lock(directory), at_most(1.5), report);
  measure("flock(2)", file_lock(directory), std::nullopt, report);
}

}  // namespace tenure::bench
