#include <atomic>
#include <string>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"

namespace tenure::bench {
namespace {

constexpr int rounds = 15;
constexpr int hand_offs = 30;  // in one round

struct Scene {
  std::atomic<int> held{0};     // hand-offs that the giver is ready for
  std::atomic<int> waiting{0};  // and the taker
  std::atomic<int> done{0};
  std::atomic<std::uint64_t> released_ns{0};
  std::atomic<std::uint64_t> inside_ns{0};
};

void give(Lock& lock, Scene& scene) {
  for (int i = 1; i <= hand_offs; ++i) {
    lock.acquire();
    scene.held = i;
    wait_until([&] { return scene.waiting == i; });
    sleep_ns(1'000'000);  // by now the taker sleeps
    scene.released_ns = now_ns();
    lock.release();
    wait_until([&] { return scene.done == i; });
  }
}

std::vector<double> take(Lock& lock, Scene& scene) {
  std::vector<double> durations_ns;
  for (int i = 1; i <= hand_offs; ++i) {
    wait_until([&] { return scene.held == i; });
    scene.waiting = i;
    lock.acquire();
    scene.inside_ns = now_ns();
    durations_ns.push_back(static_cast<double>(scene.inside_ns - scene.released_ns));
    lock.release();
    scene.done = i;
  }
  return durations_ns;
}

double round_ns(const MakeLock& make, int giver_processor, int taker_processor) {
  const Shared<Scene> scene;
  const Shared<double> result;
  Child giver([&] {
    run_on(giver_processor);
    give(*make(), *scene);
  });
  Child taker([&] {
    run_on(taker_processor);
    *result = median(take(*make(), *scene));
  });
  giver.join();
  taker.join();
  return *result;
}

}  // namespace

void hand_off(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  SharedMutex robust;
  const MakeLock ours = tenure_lock(directory);
  const auto against = [&](const MakeLock& peer, int taker_processor) {
    return in_turn(rounds, [&] { return round_ns(ours, 0, taker_processor); }, [&] { return round_ns(peer, 0, taker_processor); });
  };
  if (processors() > 1) {
    report.add("hand-off to a sleeping waiter, another core; peer: robust mutex", Unit::nanoseconds, against(robust_mutex(robust), 1),
               at_most(1.1));
  }
  report.add("hand-off to a sleeping waiter, the same core; peer: robust mutex", Unit::nanoseconds, against(robust_mutex(robust), 0),
             at_most(1.1));
  report.add("  the same core; peer: flock(2)", Unit::nanoseconds, against(file_lock(directory), 0));
}

}  // namespace tenure::bench
