#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <string>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"

namespace tenure::bench {
namespace {

constexpr std::size_t large_bytes = std::size_t{2} << 30;

struct Scene {
  std::atomic<bool> held{false};
  std::atomic<bool> waiting{false};
  std::atomic<std::uint64_t> inside_ns{0};
};

// In small pages, which the kernel gives back one by one when the process ends.
void become_large(std::size_t bytes) {
  if (bytes == 0) return;
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || madvise(memory, bytes, MADV_NOHUGEPAGE) != 0) fail("mmap");
  auto* const begin = static_cast<volatile char*>(memory);
  for (std::size_t offset = 0; offset < bytes; offset += 4096) begin[offset] = 1;
}

// From kill(2) until the waiter, who slept in acquire(), is inside.
double replaced_ns(const MakeLock& make, std::size_t holder_bytes) {
  const Shared<Scene> scene;
  Child holder([&] {
    become_large(holder_bytes);
    const auto lock = make();
    lock->acquire();
    scene->held = true;
    for (;;) pause();
  });
  wait_until([&] { return scene->held.load(); });
  Child waiter([&] {
    const auto lock = make();
    scene->waiting = true;
    lock->acquire();
    scene->inside_ns = now_ns();
  });
  wait_until([&] { return scene->waiting.load(); });
  sleep_ns(5'000'000);
  waiter.wait_until_asleep();
  const std::uint64_t killed_ns = now_ns();
  holder.kill();
  waiter.join();
  return static_cast<double>(scene->inside_ns - killed_ns);
}

Measured measure(int rounds, std::size_t holder_bytes, const MakeLock& ours, const MakeLock& peer) {
  return in_turn(rounds, [&] { return replaced_ns(ours, holder_bytes); }, [&] { return replaced_ns(peer, holder_bytes); });
}

}  // namespace

void death(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  SharedMutex robust;
  const MakeLock ours = tenure_lock(directory);
  const MakeLock peer = file_lock(directory);
  report.add("SIGKILL of a small holder to the next inside; peer: flock(2)", Unit::nanoseconds, measure(100, 0, ours, peer), at_most(0.7));
  report.add("  the same; peer: robust mutex", Unit::nanoseconds, measure(60, 0, ours, robust_mutex(robust)));
  report.add("SIGKILL of a holder with 2 GiB in 4 KiB pages; peer: flock(2)", Unit::nanoseconds, measure(7, large_bytes, ours, peer),
             at_most(0.02));
}

}  // namespace tenure::bench
