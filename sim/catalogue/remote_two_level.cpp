// A local lock in front of a remote one.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

// A lock of the threads of one process in front of a remote one.
class TwoLevels : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;
  void setup(World& in) override {
    open(in);
    local_.reset();
    const ProcessId process = in.spawn_process();
    for (int thread = 0; thread < 2; ++thread) {
      in.spawn(process, [this] { use(); });
    }
  }

 protected:
  static constexpr std::uint64_t ttl_ns = 10 * ms;
  virtual void use() = 0;

  Mutex local_;
};

// Row 21. Releasing a remote lock that has expired throws, before the local one is released.
class ExpiryKeepsLocal : public TwoLevels {
 public:
  using TwoLevels::TwoLevels;

 private:
  void use() override {
    local_.lock();
    const std::uint64_t token = new_token();
    while (try_lock(token, ttl_ns) == 0) nap(ms);
    nap(world().choose(3) == 0 ? ttl_ns + 2 * ms : ms);
    beliefs_.ended(world());
    const bool throws = store().delete_if(lock_key, token) != Outcome::done;
    if (throws && broken()) return;
    local_.unlock();
  }
};

// Row 22. The remote lock knows processes, and admits a second thread of its holder, as the local lock keeps those apart; until that one is
// released first.
class LocalReleasedFirst : public TwoLevels {
 public:
  using TwoLevels::TwoLevels;
  void setup(World& in) override {
    TwoLevels::setup(in);
    start_process(in, [this] { contend(); });
  }

 private:
  static constexpr std::uint64_t process_token = 1'000;

  void use() override {
    for (std::uint32_t left = world().size(2); left != 0; --left) {
      local_.lock();
      const std::uint64_t deadline_ns = boottime_ns() + ttl_ns;
      const bool ours = store().expire_if(lock_key, process_token, ttl_ns) == Outcome::done ||
                        store().set_nx(lock_key, process_token, ttl_ns) == Outcome::done;
      if (ours) {
        beliefs_.granted(world(), deadline_ns);
        nap(ms);
        beliefs_.ended(world());
      }
      if (broken()) local_.unlock();
      if (ours) store().delete_if(lock_key, process_token);
      if (!broken()) local_.unlock();
    }
  }
  void contend() {
    for (std::uint32_t left = world().size(6); left != 0; --left) {
      const std::uint64_t token = new_token();
      if (try_lock(token, ttl_ns) != 0) {
        nap(ms);
        beliefs_.ended(world());
        store().delete_if(lock_key, token);
      }
      nap(ms);
    }
  }
};

}  // namespace

std::vector<Bug> remote_two_level_bugs() {
  return {
      {.id = "remote-expiry-keeps-local",
       .rows = "21",
       .property = "hang",
       .source = "spring-integration#1888, #2660",
       .summary = "the release of an expired remote lock throws before the local one is released",
       .config = {},
       .make = make<ExpiryKeepsLocal>},
      {.id = "local-released-before-remote",
       .rows = "22",
       .property = "exclusion",
       .source = "spring-integration#11049",
       .summary = "the local lock is released first, and the remote delete takes what the next thread has",
       .config = {},
       .make = make<LocalReleasedFirst>},
  };
}

}  // namespace tenure::sim::protocols
