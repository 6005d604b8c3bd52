#include <boost/interprocess/sync/named_mutex.hpp>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <string>

#include "bench/benchmarks.hpp"
#include "bench/locks.hpp"

namespace tenure::bench {
namespace {

constexpr int rounds = 301;
constexpr int batch = 10'000;  // short beside a time slice, so that what other work takes away is missing from few rounds

double try_acquire_ns(const Name& name, Terms terms = {}) {
  return ns_each(batch, [&] {
    const auto lease = name.try_acquire(terms);
    if (!lease) fail(to_string(lease.error()));
  });
}

template <class Mutex>
double lock_ns(Mutex& mutex) {
  return ns_each(batch, [&] {
    mutex.lock();
    mutex.unlock();
  });
}

double lock_and_boottime_ns(SharedMutex& mutex) {
  return ns_each(batch, [&] {
    mutex.lock();
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    mutex.unlock();
  });
}

// The least that any lock of this kind can cost: it must be taken by one compare-and-swap and given back by another, since a third party
// may move the word in between.
double two_swaps_ns(std::atomic<std::uint64_t>& word) {
  return ns_each(batch, [&] {
    for (int i = 0; i < 2; ++i) {
      std::uint64_t seen = word.load(std::memory_order_relaxed);
      word.compare_exchange_strong(seen, seen + 1, std::memory_order_acq_rel, std::memory_order_relaxed);
    }
  });
}

void against_named_mutex(const Name& name, const Report& report) {
  namespace bip = boost::interprocess;
  const std::string title = "tenure_bench_" + std::to_string(getpid());
  bip::named_mutex mutex(bip::create_only, title.c_str());
  report.add("uncontended, strict; peer: boost named_mutex (hangs after kill -9)", Unit::nanoseconds,
             in_turn(rounds, [&] { return try_acquire_ns(name); }, [&] { return lock_ns(mutex); }));
  bip::named_mutex::remove(title.c_str());
}

}  // namespace

void uncontended(const Settings& /*settings*/, const Report& report) {
  const TemporaryDirectory directory;
  Space space = open_space(directory.path() + "/space");
  const Name name = resolve(space, "bench/uncontended");
  Mutex mutex(space, "bench/mutex");
  SharedMutex robust;
  const Shared<std::atomic<std::uint64_t>> word;
  const Terms leased{.ttl = std::chrono::seconds(60), .renew = false};
  const auto peer = [&] { return lock_ns(robust); };

  report.add("uncontended, strict, resolved name; peer: robust mutex", Unit::nanoseconds,
             in_turn(rounds, [&] { return try_acquire_ns(name); }, peer), at_most(0.6));
  report.add("  the floor: two compare-and-swaps; peer: robust mutex", Unit::nanoseconds,
             in_turn(rounds, [&] { return two_swaps_ns(*word); }, peer));
  report.add("  strict; peer: the floor", Unit::nanoseconds,
             in_turn(rounds, [&] { return try_acquire_ns(name); }, [&] { return two_swaps_ns(*word); }));
  report.add("  tenure::Mutex; peer: robust mutex", Unit::nanoseconds, in_turn(rounds, [&] { return lock_ns(mutex); }, peer));
  report.add("uncontended, leased, exact deadline; peer: robust mutex + CLOCK_BOOTTIME", Unit::nanoseconds,
             in_turn(rounds, [&] { return try_acquire_ns(name, leased); }, [&] { return lock_and_boottime_ns(robust); }), at_most(1.0));
  against_named_mutex(name, report);
}

}  // namespace tenure::bench
