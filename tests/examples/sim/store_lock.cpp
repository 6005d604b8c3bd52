// A lock over the network: a server with SET NX PX and compare-and-delete, and the disk that the lock guards. The broken variant's disk
// does not look at tokens: a holder that was stopped for longer than its lease writes into the work of its successor.
#include <tenure/sim/sim.hpp>
using namespace tenure::sim;

struct Command {
  enum : std::uint32_t { set_nx_px, compare_and_delete } what;
  std::uint32_t value;  // who asks
};
struct Store : ServerOf<Command, std::uint64_t> {
  std::uint64_t answer(World& world, ThreadId, const Command& command) override {  // the token; 0: somebody else has the lock
    if (world.true_now() >= expires_ns) value = 0;
    if (command.what == Command::compare_and_delete && value == command.value) value = 0;
    if (command.what == Command::compare_and_delete || value != 0) return 0;
    value = command.value;
    expires_ns = world.true_now() + 20 * ms;
    return ++token;
  }
  std::uint64_t value = 0, expires_ns = 0, token = 0;
};
template <bool broken>
struct Disk : ServerOf<std::uint64_t, bool> {
  bool answer(World& world, ThreadId, const std::uint64_t& token) override {
    if (!broken && !guard.accepts(token)) return false;
    fencing.wrote(world, static_cast<Fencing::GrantNumber>(token));  // fails the run if the holder of a later grant has written
    return true;
  }
  FencedResource guard;
  Fencing fencing;
};
template <bool broken>
struct StoreLock : Protocol {
  StoreLock() : Protocol(broken ? "store-lock-broken" : "store-lock", {.kills_max = 1, .pauses_max = 1, .message_faults_max = 2}) {}
  void setup(World& world) override {
    store = {};
    disk = {};
    const ServerId at_store = world.add_server(store), at_disk = world.add_server(disk);
    for (std::uint32_t i = 1; i <= 3; ++i) start_process(world, [=] { work(i, at_store, at_disk); });
  }
  static void work(std::uint32_t self, ServerId at_store, ServerId at_disk) {
    std::uint64_t token = 0;
    while (here().call(at_store, Command{Command::set_nx_px, self}, token, 10 * ms) != Answer::replied || token == 0) nap(5 * ms);
    bool written = false;
    here().call(at_disk, token, written, 10 * ms);
    here().call(at_store, Command{Command::compare_and_delete, self}, token, 10 * ms);
  }
  Store store;
  Disk<broken> disk;
};
TENURE_SIM_MAIN(StoreLock<true>, StoreLock<false>)
