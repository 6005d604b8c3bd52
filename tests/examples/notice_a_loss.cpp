// A lease with a time to live, kept up by the library, and three ways to hear that it is lost: an operator breaks it here.
#include <poll.h>
#include <tenure/tenure.hpp>

#include <atomic>
#include <cstdio>

int main(int count, char** arguments) {
  if (count < 2) return 64;
  tenure::Space::Options options;
  options.name = arguments[1];
  auto space = tenure::Space::open(options);
  if (!space) return 1;
  auto lease = space->acquire("reports/daily", {.ttl = std::chrono::seconds(2)});
  if (!lease) return 1;
  const tenure::Token mine = lease->token();

  std::atomic<bool> told{false};
  lease->on_loss([&told](tenure::LeaseState state) {
    std::printf("told: %.*s\n", static_cast<int>(to_string(state).size()), to_string(state).data());
    told = true;
  });
  const std::stop_token stop = lease->loss_token();
  const int descriptor = lease->loss_descriptor();

  if (!space->break_lease("reports/daily", mine)) return 1;
  pollfd readable{descriptor, POLLIN, 0};
  if (poll(&readable, 1, 10'000) != 1) return 1;
  while (!told || !stop.stop_requested()) poll(nullptr, 0, 1);
  if (lease->still_held()) return 1;

  auto next = space->try_acquire("reports/daily");
  if (!next || next->token() <= mine || !next->previous_holder_died()) return 1;
  std::puts("the next holder has the larger token");
  return 0;
}
