#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"

namespace tenure::bench {
namespace {

constexpr std::size_t large_bytes = std::size_t{2} << 30;

struct Waiter {
  std::atomic<bool> waiting{false};
  std::atomic<std::uint64_t> inside_ns{0};
};

struct Scene {
  std::atomic<bool> held{false};
  std::array<Waiter, 2> waiters;
};

// In small pages, which the kernel gives back one by one when the process ends.
void become_large(std::size_t bytes) {
  if (bytes == 0) return;
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || madvise(memory, bytes, MADV_NOHUGEPAGE) != 0) fail("mmap");
  if (madvise(memory, bytes, MADV_POPULATE_WRITE) != 0) fail("MADV_POPULATE_WRITE");
}

// From kill(2) until the waiter of each lock, who slept in acquire(), is inside. One holder has them all.
std::vector<double> replaced_ns(const std::vector<MakeLock>& makes, std::size_t holder_bytes) {
  const Shared<Scene> scene;
  const Child holder([&] {
    become_large(holder_bytes);
    std::vector<std::unique_ptr<Lock>> locks;
    for (const MakeLock& make : makes) locks.push_back(make());
    for (const auto& lock : locks) lock->acquire();
    scene->held = true;
    for (;;) pause();
  });
  wait_until([&] { return scene->held.load(); });
  std::vector<Child> children;
  for (std::size_t i = 0; i < makes.size(); ++i) {
    children.emplace_back([&, i] {
      const auto lock = makes[i]();
      scene->waiters[i].waiting = true;
      lock->acquire();
      scene->waiters[i].inside_ns = now_ns();
    });
    wait_until([&] { return scene->waiters[i].waiting.load(); });
    sleep_ns(5'000'000);
    children.back().wait_until_asleep();
  }
  const std::uint64_t killed_ns = now_ns();
  holder.kill();
  std::vector<double> durations_ns;
  for (std::size_t i = 0; i < makes.size(); ++i) {
    children[i].join();
    durations_ns.push_back(static_cast<double>(scene->waiters[i].inside_ns - killed_ns));
  }
  return durations_ns;
}

Measured small(int rounds, const MakeLock& ours, const MakeLock& peer) {
  return in_turn(rounds, [&] { return replaced_ns({ours}, 0)[0]; }, [&] { return replaced_ns({peer}, 0)[0]; });
}

// Both locks die with one holder, for it takes a second to make one; what the first waiter does on its way out costs the other nothing
// that shows beside the time to free 2 GiB.
Measured large(int rounds, const MakeLock& ours, const MakeLock& peer) {
  std::vector<double> of_ours;
  std::vector<double> of_peer;
  for (int round = 0; round < rounds; ++round) {
    const std::vector<double> both_ns = replaced_ns({ours, peer}, large_bytes);
    of_ours.push_back(both_ns[0]);
    of_peer.push_back(both_ns[1]);
  }
  return medians_of(of_ours, of_peer);
}

}  // namespace

void death(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  SharedMutex robust;
  const MakeLock ours = tenure_lock(directory);
  const MakeLock peer = file_lock(directory);
  report.add("SIGKILL of a small holder to the next inside; peer: flock(2)", Unit::nanoseconds, small(60, ours, peer), at_most(0.7));
  report.add("  the same; peer: robust mutex", Unit::nanoseconds, small(30, ours, robust_mutex(robust)));
  report.add("SIGKILL of a holder with 2 GiB in 4 KiB pages; peer: flock(2)", Unit::nanoseconds, large(9, ours, peer), at_most(0.02));
}

}  // namespace tenure::bench
