// Locks that are a file which exists: stale files, and who may remove them.
#include <tenure/sim/oracle.hpp>
#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

namespace {

constexpr std::uint64_t no_file = 0;

// A file of a few bytes, written whole. Every call is a step.
class LockFile {
 public:
  void reset() { content_.store(no_file); }
  std::uint64_t read() const { return content_.load(); }
  bool create(std::uint64_t content) { return replace(no_file, content); }  // O_CREAT | O_EXCL
  // Removes what the path names now, whatever a read showed before.
  void unlink() { content_.exchange(no_file); }
  // What a protocol gets from a rename or a link under a guard.
  bool replace(std::uint64_t from, std::uint64_t to) { return content_.compare_exchange_strong(from, to); }

 private:
  Atomic<std::uint64_t> content_;
};

// Row 43. Each process holds a byte of its own as long as it lives; the file says whose byte that is. Two find the same stale file, the
// first replaces it by its own, and the second removes that. The remedy: only under a guard, and after another look.
class StaleTakeover : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    file_.reset();
    lease_.reset();
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
      in.preset_byte(start_process(in, [this, slot] { work(slot); }), slot);
    }
  }
  void on_death(World&, ProcessId process) override { lease_.process_died(process); }

 private:
  static constexpr std::uint32_t guard = 7;

  void work(std::uint32_t slot) {
    for (int i = 0; i < 2; ++i) {
      while (!acquire(slot)) nap(ms);
      lease_.granted(world());
      nap(ms);
      lease_.released(world());
      file_.unlink();
    }
  }
  bool acquire(std::uint32_t slot) {
    if (file_.create(slot + 1)) return true;
    const std::uint64_t seen = file_.read();
    if (seen == no_file || world().byte_is_held(static_cast<std::uint32_t>(seen - 1))) return false;
    world().sometimes("stale file found");
    if (broken()) {
      file_.unlink();
      return file_.create(slot + 1);
    }
    if (world().claim_byte(guard) != ByteClaim::claimed) return false;
    if (file_.read() == seen) file_.unlink();
    const bool created = file_.create(slot + 1);
    world().free_byte(guard);
    return created;
  }

  LockFile file_;
  LeaseOracle lease_;
};

// Row 44. A reaper takes a file for abandoned because it is old; its owner is merely slow.
class AgeReaper : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    file_.reset();
    lease_.reset();
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
      in.preset_byte(start_process(in, [this, slot] { work(slot); }), slot);
    }
  }
  void on_death(World&, ProcessId process) override { lease_.process_died(process); }

 private:
  static constexpr std::uint64_t age_max_ns = 20 * ms;

  void work(std::uint32_t slot) {
    for (int i = 0; i < 2; ++i) {
      std::uint64_t mine = 0;
      while ((mine = acquire(slot)) == 0) nap(5 * ms);
      lease_.granted(world());
      nap(world().choose(8) == 0 ? 3 * age_max_ns : 2 * ms);
      lease_.released(world());
      file_.replace(mine, no_file);
    }
  }
  // The content that makes the file ours, or 0.
  std::uint64_t acquire(std::uint32_t slot) {
    const std::uint64_t now_ns = world().read_boottime_ns();
    const std::uint64_t mine = now_ns << 4 | (slot + 1);
    if (file_.create(mine)) return mine;
    const std::uint64_t seen = file_.read();
    if (seen == no_file || now_ns < (seen >> 4) + age_max_ns) return 0;
    world().sometimes("old file found");
    if (!broken() && world().byte_is_held(static_cast<std::uint32_t>(seen & 15) - 1)) return 0;
    return file_.replace(seen, mine) ? mine : 0;
  }

  LockFile file_;
  LeaseOracle lease_;
};

// Row 45. The child inherits the handle, and its destructors or exit handlers release what only the parent holds. The remedy: a handle
// knows whose it is.
class ForkedChildReleases : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    file_.reset();
    lease_.reset();
    start_process(in, [this] { parent(); }, false);
    start_process(in, [this] { other(); }, false);
  }

 private:
  struct Handle {
    std::uint32_t pid;
    bool held;
  };

  void acquire() {
    while (!file_.create(1)) nap(ms);
    lease_.granted(world());
  }
  void parent() {
    acquire();
    const Handle handle{world().pid(world().this_process()), true};
    start_process(world(), [this, handle] { child(handle); }, false);
    nap(3 * ms);
    lease_.released(world());
    file_.unlink();
  }
  void child(const Handle& inherited) {
    nap(ms);
    const bool own = inherited.pid == world().pid(world().this_process());
    if (inherited.held && (own || broken())) file_.unlink();
  }
  void other() {
    acquire();
    nap(ms);
    lease_.released(world());
    file_.unlink();
  }

  LockFile file_;
  LeaseOracle lease_;
};

// Row 52. The file names the owner's pid alone. A stranger that gets the number of the dead keeps the lock alive for it.
class PidReuse : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    file_.reset();
    processes_ = 0;
    over_.store(0);
    start_process(in, [this] { owner(); });
    start_process(in, [this] { contender(); }, false);
    processes_ = 2;
  }
  // The supervisor: starts another service, which has nothing to do with the lock.
  void on_death(World& in, ProcessId) override {
    start_process(in, [this] { supervisor(); }, false);
    ++processes_;
  }

 private:
  // The start time of a process is as good as its number in the simulator, which never recurs.
  static std::uint64_t identity(ProcessId process) { return std::uint64_t{process} << 32 | world().pid(process); }

  void owner() {
    if (!file_.create(identity(world().this_process()))) return;
    nap(5 * ms);
    file_.replace(identity(world().this_process()), no_file);
  }
  void contender() {
    nap(ms + world().choose(4) * ms);
    world().begin_wait();
    const std::uint64_t mine = identity(world().this_process());
    while (!file_.create(mine)) {
      const std::uint64_t seen = file_.read();
      if (seen != no_file && !owner_lives(seen)) file_.replace(seen, no_file);
      world().end_wait(200 * ms);
      nap(ms);
    }
    file_.replace(mine, no_file);
    over_.store(1);
    wake(over_, everybody);
  }
  void supervisor() {
    nap(ms / 2);
    start_process(
        world(),
        [this] {
          while (over_.load() == 0) sleep_on(over_, 0);
        },
        false);
    ++processes_;
  }
  // kill(pid, 0), or a look at /proc/<pid>/stat: one step.
  bool owner_lives(std::uint64_t content) const {
    world().step();
    for (ProcessId process = 0; process < processes_; ++process) {
      if (!world().alive(process) || world().pid(process) != static_cast<std::uint32_t>(content)) continue;
      const bool itself = process == content >> 32;
      if (!itself) world().sometimes("pid reused");
      return itself || broken();
    }
    return false;
  }

  LockFile file_;
  Atomic<std::uint32_t> over_;
  std::uint32_t processes_ = 0;
};

}  // namespace

std::vector<Bug> lock_file_bugs() {
  return {
      {.id = "stale-takeover-unlink",
       .rows = "43",
       .property = "exclusion",
       .source = "npm/lockfile#4, proper-lockfile#121",
       .summary = "take-over = stat, unlink, create: removes the lock of whoever was faster",
       .config = {.kills_max = 1},
       .make = make<StaleTakeover>},
      {.id = "age-reaper-steals-live",
       .rows = "44",
       .property = "exclusion",
       .source = "gajae-code#669",
       .summary = "a lock is taken for abandoned by its age alone, and its owner is only slow",
       .config = {.kills_max = 1},
       .make = make<AgeReaper>},
      {.id = "pid-reuse-looks-alive",
       .rows = "52",
       .property = "liveness",
       .source = "nightlyone/lockfile#39, filelock#660, stellar-core#883",
       .summary = "the owner is known by its pid alone, and a stranger gets the number",
       .config = {.kills_max = 1},
       .make = make<PidReuse>},
      {.id = "forked-child-releases",
       .rows = "45",
       .property = "exclusion",
       .source = "filelock#634, aws-c-common#1192",
       .summary = "a forked child's clean-up releases what its parent holds",
       .config = {},
       .make = make<ForkedChildReleases>},
  };
}

}  // namespace tenure::sim::protocols
