// Leases of a server elsewhere, and the clock by which their holder learns that it lost one.
#include <tenure/sim/oracle.hpp>
#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 59. The holder counts the lease's time on a clock that stops while its host is suspended; the server's goes on. The remedy:
// CLOCK_BOOTTIME, read before the request is sent.
class SuspendStopsClock : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    lease_.store(0);
    for (std::uint64_t host = 0; host < 2; ++host) {
      suspended_ns_[host] = 0;
      start_process(in, [this, host] { use(host); }, false);
    }
  }

 private:
  static constexpr std::uint64_t ttl_ns = 20 * ms;

  void use(std::uint64_t host) {
    for (int i = 0; i < 3; ++i) {
      std::uint64_t asked_ns = loss_clock_ns(host);
      while (!request(host)) {
        nap(5 * ms);
        asked_ns = loss_clock_ns(host);
      }
      for (int writes = 0; writes < 4 && loss_clock_ns(host) < asked_ns + ttl_ns; ++writes) {
        if (owner() != host + 1) world().fail("exclusion", "a host uses the lease of another");
        if (world().choose(4) == 0) suspend(host);
      }
    }
  }
  std::uint64_t loss_clock_ns(std::uint64_t host) const { return world().read_boottime_ns() - (broken() ? suspended_ns_[host] : 0); }
  // The server takes one request at a time, and expires by its own clock.
  bool request(std::uint64_t host) {
    std::uint64_t seen = lease_.load();
    if (seen != 0 && world().true_now() < seen >> 2) return false;
    return lease_.compare_exchange_strong(seen, (world().true_now() + ttl_ns) << 2 | (host + 1));
  }
  std::uint64_t owner() const { return lease_.ghost() & 3; }
  void suspend(std::uint64_t host) {
    constexpr std::uint64_t length_ns = 2 * ttl_ns;
    suspended_ns_[host] += length_ns;
    nap(length_ns);
  }

  Atomic<std::uint64_t> lease_;  // the server's record: when it ends, whose it is
  std::uint64_t suspended_ns_[2] = {};
};

}  // namespace

std::vector<Bug> clock_bugs() {
  return {
      {.id = "suspend-stops-loss-clock",
       .rows = "59",
       .property = "exclusion",
       .source = "nextly#777 review, systemd#9538",
       .summary = "the holder's clock stops during suspend, the server's doesn't",
       .config = {},
       .make = make<SuspendStopsClock>},
  };
}

}  // namespace tenure::sim::protocols
