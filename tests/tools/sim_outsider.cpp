// A program of somebody else's who has a lock to try: its taker looks before it leaps.
#include <tenure/sim/main.hpp>
#include <tenure/sim/oracle.hpp>
#include <tenure/sim/process.hpp>

namespace {

using namespace tenure::sim;

class TestAndSet final : public Scenario {
 public:
  std::string_view name() const override { return "test-and-set"; }
  Config config() const override { return {}; }
  void setup(World& world) override {
    word_.store(0);
    lease_.reset();
    for (int i = 0; i < 2; ++i) start_process(world, [this] { work(); });
  }

 private:
  void work() {
    while (word_.load() != 0) nap(ms);
    word_.store(1);
    lease_.granted(here());
    nap(ms);
    lease_.released(here());
    word_.store(0);
  }

  Atomic<std::uint32_t> word_;
  LeaseOracle lease_;
};

}  // namespace

TENURE_SIM_MAIN(TestAndSet)
