// What goes wrong around a robust mutex: its memory, its owner's number, its list, and the data that it guards.
#include <algorithm>
#include <array>

#include <tenure/sim/oracle.hpp>
#include "sim/catalogue/robust_mutex.hpp"

namespace tenure::sim::protocols {

namespace {

// Row 50. One thread has unlocked, and the kernel's pending entry still names the word. Another thread of the process destroys the mutex
// and maps a file there, whose first bytes look like the first thread's number. A kill now writes OWNER_DIED into the file. The remedy of
// musl: who unmaps waits for the unlocks that are under way.
class RemappedAfterUnlock : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    mutex_.reset(Flaw::none);
    unlocking_.store(0);
    done_.store(0);
    mapped_ = false;
    const ProcessId process = in.spawn_process();
    const ThreadId first = in.spawn(process, [this] { user(); });
    tid_ = in.tid(first);
    in.spawn(process, [this] { destroyer(); });
  }
  void check(World& in) override {
    if (mapped_ && mutex_.word().ghost() != tid_) in.fail("recovery", "the kernel wrote into a file");
  }

 private:
  void user() {
    mutex_.lock();
    done_.store(1);
    unlocking_.fetch_add(1);
    mutex_.unlock();
    unlocking_.fetch_add(everybody);  // less one
  }
  void destroyer() {
    for (bool done = false; !done;) {
      mutex_.lock();
      done = done_.load() != 0;
      mutex_.unlock();
      if (!done) nap(ms);
    }
    while (!broken() && unlocking_.load() != 0) nap(ms);
    mutex_.word().store(tid_);
    mapped_ = true;
    nap(ms);
  }

  RobustMutex mutex_;
  Atomic<std::uint32_t> unlocking_;
  Atomic<std::uint32_t> done_;
  std::uint32_t tid_ = 0;
  bool mapped_ = false;
};

// Row 52, of threads. A recursive mutex knows its owner by thread number. The owner ends without unlocking, and a stranger gets the
// number. The remedy of musl: also such a mutex is on the list that the kernel marks.
class TidReuse : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    word_.store(0);
    lease_.reset();
    start_process(in, [this] { owner(); }, false);
    start_process(in, [this] { supervisor(); }, false);
  }

 private:
  bool try_lock() {
    std::uint32_t seen = 0;
    return word_.compare_exchange_strong(seen, my_tid()) || seen == my_tid();
  }
  void owner() {
    if (!try_lock()) return;
    if (!broken()) world().robust_add(word_.address());
    lease_.granted(world());
  }
  void supervisor() {
    nap(3 * ms);
    start_process(world(), [this] { stranger(); }, false);
  }
  void stranger() {
    if (try_lock() && lease_.grants() != 0) world().fail("exclusion", "a stranger with the owner's number got in");
  }

  Atomic<std::uint32_t> word_;
  LeaseOracle lease_;
};

// Row 52, of a database. Two snapshots take turns, each with the number of its transaction; readers use the one with the larger number.
// The lock keeps a copy of that number, and a writer that dies between the two leaves the copy behind: the next writer, who believes it,
// overwrites the snapshot in use. The remedy: recovery takes the number from the snapshots.
class RepairForgetsField : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    mutex_.reset(Flaw::none);
    copy_.store(0);
    for (auto& snapshot : snapshots_) snapshot.store(0);
    for (int i = 0; i < 3; ++i) start_process(in, [this] { work(); });
  }

 private:
  void work() {
    for (int i = 0; i < 2; ++i) {
      const bool died = mutex_.lock() == LockResult::owner_died;
      if (died && !broken()) copy_.store(std::max(snapshots_[0].load(), snapshots_[1].load()));
      const std::uint32_t number = copy_.load() + 1;
      auto& mine = snapshots_[number % 2];
      if (mine.ghost() > snapshots_[1 - number % 2].ghost()) world().fail("recovery", "a writer overwrites the snapshot in use");
      mine.store(number);
      copy_.store(number);
      mutex_.unlock();
    }
  }

  RobustMutex mutex_;
  Atomic<std::uint32_t> copy_;
  std::array<Atomic<std::uint32_t>, 2> snapshots_;
};

// Row 45, of robust lists. The list runs through the mutexes, which are shared; only its head belongs to the thread. A child that keeps
// the parent's head links its own mutex into the parent's chain, the parent's unlock then mends the child's chain instead of its own, and
// what the parent still holds is cut off when another takes what it no longer does. The remedy: a child starts with an empty list.
class ForkKeepsList : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    for (Node& node : nodes_) {
      node.word.store(0);
      node.next.store(end);
      node.previous.store(end);
    }
    for (auto& head : heads_) head.store(end);
    for (auto& pending : pending_) pending.store(end);
    in.name_word(&nodes_[kept].word, "kept");
    in.name_word(&nodes_[passed].word, "passed");
    start_process(in, [this] { parent(); });
    start_process(in, [this] { contend(passed); }, false);
    start_process(in, [this] { contend(kept); }, false);
  }
  // The kernel's walk follows links, so it is told here, not by the world.
  void on_death(World& in, ProcessId process) override {
    const std::uint32_t tid = in.pid(process);
    start_process(in, [this, process, tid] { walk(process, tid); }, false);
  }
  void on_idle(World& in) override {
    for (const Node& node : nodes_) {
      const bool parents = (node.word.ghost() & futex_tid_mask) == in.pid(0);
      if (parents && !in.alive(0)) in.fail("recovery", "the kernel's walk missed a word of the dead owner");
    }
  }

 private:
  struct Node {
    Atomic<std::uint32_t> word;
    Atomic<std::uint32_t> next;
    Atomic<std::uint32_t> previous;
  };
  static constexpr std::uint32_t end = 9;  // the address of the head: another word in each process
  static constexpr std::uint32_t kept = 0;
  static constexpr std::uint32_t passed = 1;
  static constexpr std::uint32_t childs = 2;

  void lock(std::uint32_t number) {
    Node& node = nodes_[number];
    pending_[world().this_process()].store(number);
    for (std::uint32_t seen = 0; !node.word.compare_exchange_strong(seen, my_tid() | (seen & futex_waiters));) {
      if ((seen & futex_tid_mask) == 0) continue;
      std::uint32_t expected = seen;
      if (node.word.compare_exchange_strong(expected, seen | futex_waiters)) sleep_on(node.word, seen | futex_waiters);
      seen = node.word.load() & ~futex_tid_mask;
    }
    auto& head = heads_[world().this_process()];
    const std::uint32_t first = head.load();
    node.next.store(first);
    node.previous.store(end);
    if (first != end) nodes_[first].previous.store(number);
    head.store(number);
    pending_[world().this_process()].store(end);
  }
  void unlock(std::uint32_t number) {
    Node& node = nodes_[number];
    pending_[world().this_process()].store(number);
    const std::uint32_t next = node.next.load();
    const std::uint32_t previous = node.previous.load();
    if (next != end) nodes_[next].previous.store(previous);
    (previous == end ? heads_[world().this_process()] : nodes_[previous].next).store(next);
    std::uint32_t seen = node.word.load();
    while (!node.word.compare_exchange_strong(seen, seen & futex_waiters)) {
    }
    wake(node.word);
    pending_[world().this_process()].store(end);
  }

  void parent() {
    lock(kept);
    lock(passed);
    const std::uint32_t inherited = heads_[world().this_process()].load();
    start_process(world(), [this, inherited] { child(inherited); }, false);
    nap(2 * ms);
    unlock(passed);
    nap(4 * ms);
    unlock(kept);
  }
  void child(std::uint32_t inherited) {
    if (broken()) heads_[world().this_process()].store(inherited);
    lock(childs);
    nap(4 * ms);
    unlock(childs);
  }
  void contend(std::uint32_t number) {
    nap(2 * ms);
    lock(number);
    nap(ms);
    unlock(number);
  }
  // A marked word has a new owner at once, who changes the link: the next one is read first, as Linux does.
  void walk(ProcessId process, std::uint32_t tid) {
    std::uint32_t number = heads_[process].load();
    for (int limit = 0; number != end && limit < 8; ++limit) {
      const std::uint32_t next = nodes_[number].next.load();
      mark(nodes_[number], tid);
      number = next;
    }
    if (const std::uint32_t pending = pending_[process].load(); pending != end) mark(nodes_[pending], tid);
  }
  static void mark(Node& node, std::uint32_t tid) {
    std::uint32_t seen = node.word.load();
    while ((seen & futex_tid_mask) == tid && !node.word.compare_exchange_strong(seen, (seen & futex_waiters) | futex_owner_died)) {
    }
    if ((seen & futex_tid_mask) == tid || (seen & futex_tid_mask) == 0) wake(node.word);
  }

  std::array<Node, 3> nodes_;
  std::array<Atomic<std::uint32_t>, World::processes_max> heads_;
  std::array<Atomic<std::uint32_t>, World::processes_max> pending_;
};

}  // namespace

std::vector<Bug> robust_memory_bugs() {
  return {
      {.id = "owner-died-into-remapped",
       .rows = "50",
       .property = "recovery",
       .source = "musl da8d0fc4",
       .summary = "the kernel writes OWNER_DIED into what is mapped where the mutex was",
       .config = {.kills_max = 1},
       .make = make<RemappedAfterUnlock>},
      {.id = "tid-reuse-grants",
       .rows = "52",
       .property = "exclusion",
       .source = "musl fffc5cda",
       .summary = "a thread with the number of the one that ended without unlocking is taken for the owner",
       .config = {},
       .make = make<TidReuse>},
      {.id = "repair-forgets-field",
       .rows = "52",
       .property = "recovery",
       .source = "LMDB 443a7e4",
       .summary = "after EOWNERDEAD one field stays behind, and the next writer overwrites live data",
       .config = {.kills_max = 1},
       .make = make<RepairForgetsField>},
      {.id = "forked-child-keeps-list",
       .rows = "45",
       .property = "recovery",
       .source = "glibc 8e31cafb26 (BZ 19402)",
       .summary = "a forked child keeps the robust list of its parent, and the two corrupt it",
       .config = {.kills_max = 1},
       .make = make<ForkKeepsList>},
  };
}

}  // namespace tenure::sim::protocols
