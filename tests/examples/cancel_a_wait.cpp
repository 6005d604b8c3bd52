// A wait that a std::jthread gives up when it is asked to stop.
#include <tenure/tenure.hpp>

#include <cstdio>
#include <thread>

int main(int count, char** arguments) {
  if (count < 2) return 64;
  tenure::Space::Options options;
  options.name = arguments[1];
  auto space = tenure::Space::open(options);
  if (!space) return 1;
  auto holder = space->acquire("migrations/7");
  if (!holder) return 1;

  int outcome = 1;
  std::jthread waiter([&](std::stop_token stop) {
    auto lease = space->acquire("migrations/7", {}, stop);
    if (!lease && lease.error() == tenure::AcquireError::cancelled) outcome = 0;
  });
  while (space->show("migrations/7")->waiters.empty()) std::this_thread::yield();
  waiter.request_stop();
  waiter.join();
  std::puts(outcome == 0 ? "the wait was cancelled" : "the wait went wrong");
  return outcome;
}
