// Shared holders of a lease, each with a record of its own, and the writer that must see them all go. S1 to S4 and U of the lease table.
#include <array>

#include "sim/catalogue/protocol.hpp"

namespace tenure::sim::protocols {

namespace {

// Who is inside, in true time.
class SharedOracle {
 public:
  void reset() { *this = SharedOracle(); }
  void reader_in(World& in) {
    reading_[in.this_process()] = true;
    judge(in);
  }
  void reader_out(const World& in) { reading_[in.this_process()] = false; }
  void writer_in(World& in) {
    writing_ = true;
    judge(in);
  }
  void writer_out() { writing_ = false; }
  void process_died(ProcessId process) { reading_[process] = false; }
  bool anybody() const { return writing_ || any_reader(); }

 private:
  bool any_reader() const {
    bool any = false;
    for (const bool reading : reading_) any |= reading;
    return any;
  }
  void judge(World& in) const {
    if (writing_ && any_reader()) in.fail("exclusion", "a writer beside a reader");
  }

  std::array<bool, World::processes_max> reading_{};
  bool writing_ = false;
};

// A reader sets its record, then looks whether a writer is pending; a writer says that it is pending, then looks at the records: each
// must see the other. Both looks come after a store, so without a full fence both may see nothing. The same holds where a reader leaves:
// it clears its record, then looks whether a writer sleeps for that. The remedy: both stores are exchanges.
template <bool join_is_plain, bool leave_is_plain>
class DekkerJoin : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    word_.store(open);
    sequence_.store(0);
    oracle_.reset();
    writer_waits_ = false;
    for (std::uint32_t i = 0; i < readers; ++i) {
      records_[i].store(0);
      start_process(in, [this, i] { read(i); }, false);
    }
    start_process(in, [this] { write(); }, false);
  }
  void on_idle(World& in) override {
    if (writer_waits_ && !oracle_.anybody()) in.fail("lost_wake", "the writer sleeps, and nobody is left to wait for");
  }

 private:
  static constexpr std::uint32_t readers = 2;
  static constexpr std::uint32_t open = 0;
  static constexpr std::uint32_t pending = 1;

  void read(std::uint32_t self) {
    for (int i = 0; i < 3; ++i) {
      while (!join(self)) nap(2 * ms);
      oracle_.reader_in(world());
      if (world().choose(2) != 0) nap(ms);
      oracle_.reader_out(world());
      leave(self);
    }
  }
  bool join(std::uint32_t self) {
    set(records_[self], 1, join_is_plain);
    if (word_.load(std::memory_order_acquire) == open) return true;
    leave(self);
    return false;
  }
  void leave(std::uint32_t self) {
    set(records_[self], 0, leave_is_plain);
    if (word_.load(std::memory_order_acquire) == open) return;
    sequence_.fetch_add(1);
    wake(sequence_);
  }
  void set(Atomic<std::uint32_t>& record, std::uint32_t value, bool plain) {
    if (plain && broken()) {
      record.store(value, std::memory_order_release);
    } else {
      record.exchange(value);
    }
  }
  void write() {
    for (int i = 0; i < 2; ++i) {
      word_.exchange(pending);
      for (;;) {
        const std::uint32_t seen = sequence_.load();
        std::uint32_t joined = 0;
        for (const auto& record : records_) joined += record.load();
        if (joined == 0) break;
        writer_waits_ = true;
        sleep_on(sequence_, seen);
        writer_waits_ = false;
      }
      oracle_.writer_in(world());
      nap(ms);
      oracle_.writer_out();
      word_.exchange(open);
    }
  }

  Atomic<std::uint32_t> word_;
  Atomic<std::uint32_t> sequence_;
  std::array<Atomic<std::uint32_t>, readers> records_;
  SharedOracle oracle_;
  bool writer_waits_ = false;
};

// S3. The writer sleeps on the bell of each session whose record it saw. A reader clears its record and dies before its poke, another
// session takes the slot; a writer that read the record first then reads the bell of the newcomer, and sleeps on a stranger. The remedy:
// the bell first, and one for each generation of the slot.
class BellAfterRecord : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    record_.store(0);
    generation_.store(1);
    pending_.store(0);
    sequence_.store(0);
    over_.store(0);
    for (auto& bell : bells_) bell.store(0);
    oracle_.reset();
    writer_waits_ = false;
    const ProcessId first = start_process(in, [this] { read(); });
    in.preset_byte(first, slot);
    in.preset_bell(first, bells_[1].address());
    start_process(in, [this] { write(); }, false);
  }
  void on_death(World& in, ProcessId process) override {
    oracle_.process_died(process);
    start_process(in, [this] { take_over_slot(); }, false);
  }
  void on_idle(World& in) override {
    if (writer_waits_ && !oracle_.anybody()) in.fail("lost_wake", "the writer sleeps on the bell of a stranger");
  }

 private:
  static constexpr std::uint32_t slot = 3;

  void read() {
    for (int i = 0; i < 3; ++i) {
      record_.exchange(1);
      if (pending_.load() == 0) {
        oracle_.reader_in(world());
        nap(ms);
        oracle_.reader_out(world());
      }
      clear_record();
    }
  }
  void clear_record() {
    if (record_.exchange(0) == 0 || pending_.load() == 0) return;
    sequence_.fetch_add(1);
    wake(sequence_);
  }
  // Registers in the slot of the dead, and lives on without reading.
  void take_over_slot() {
    while (world().claim_byte(slot) != ByteClaim::claimed) nap(ms / 2);
    clear_record();
    const std::uint32_t generation = generation_.load() + 1;
    generation_.store(generation);
    world().arm_bell(bells_[generation % bells_.size()].address());
    while (over_.load() == 0) sleep_on(over_, 0);
  }
  Atomic<std::uint32_t>& bell() { return bells_[generation_.load() % bells_.size()]; }

  void write() {
    nap(ms);
    pending_.exchange(1);
    for (;;) {
      const std::uint32_t seen = sequence_.load();
      std::uint32_t record = broken() ? record_.load() : 0;
      Atomic<std::uint32_t>& watched = bell();
      const std::uint32_t ring = watched.load();
      if (!broken()) record = record_.load();
      if (record == 0 || (ring & futex_owner_died) != 0) break;
      const FutexWatch watches[2] = {{sequence_.address(), seen}, {watched.address(), ring}};
      writer_waits_ = true;
      world().futex_wait(watches, never_ns);
      writer_waits_ = false;
    }
    oracle_.writer_in(world());
    oracle_.writer_out();
    over_.store(1);
    wake(over_, everybody);
  }

  Atomic<std::uint32_t> record_;
  Atomic<std::uint32_t> generation_;
  std::array<Atomic<std::uint32_t>, 4> bells_;
  Atomic<std::uint32_t> pending_;
  Atomic<std::uint32_t> sequence_;
  Atomic<std::uint32_t> over_;
  SharedOracle oracle_;
  bool writer_waits_ = false;
};

// S4. Two readers want to become the writer, and each waits until the other has left. The remedy: the second one is refused at once.
class TwoUpgraders : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    upgrading_.store(0);
    sequence_.store(0);
    oracle_.reset();
    for (std::uint32_t i = 0; i < 2; ++i) {
      records_[i].store(1);
      start_process(in, [this, i] { upgrade(i); }, false);
    }
  }

 private:
  void upgrade(std::uint32_t self) {
    oracle_.reader_in(world());
    for (std::uint32_t seen = 0; !upgrading_.compare_exchange_strong(seen, 1); seen = 0) {
      if (!broken()) {
        world().sometimes("would deadlock");
        oracle_.reader_out(world());
        records_[self].exchange(0);
        return poke();
      }
      sleep_on(upgrading_, 1);
    }
    for (;;) {
      const std::uint32_t seen = sequence_.load();
      if (records_[1 - self].load() == 0) break;
      sleep_on(sequence_, seen);
    }
    oracle_.reader_out(world());
    oracle_.writer_in(world());
    oracle_.writer_out();
    records_[self].exchange(0);
    upgrading_.exchange(0);
    wake(upgrading_);
    poke();
  }
  void poke() {
    sequence_.fetch_add(1);
    wake(sequence_);
  }

  Atomic<std::uint32_t> upgrading_;
  Atomic<std::uint32_t> sequence_;
  std::array<Atomic<std::uint32_t>, 2> records_;
  SharedOracle oracle_;
};

// U. Readers enter one at a time through a gate that the lease word names; the gate of a dead one is reopened by whoever comes next. If
// passing the gate doesn't raise the counter, the word of a dead session and that of its successor in the slot are the same, and a late
// take-over opens the gate of the living.
class GateWithoutCounter : public Protocol {
 public:
  using Protocol::Protocol;
  void setup(World& in) override {
    word_.store(0);
    inside_ = nobody;
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
      in.preset_byte(start_process(in, [this, slot] { work(slot); }, slot == 0), slot);
    }
  }
  void on_death(World& in, ProcessId process) override {
    if (inside_ == process) inside_ = nobody;
    start_process(
        in,
        [this] {
          while (world().claim_byte(0) != ByteClaim::claimed) nap(ms / 5);
          work(0);
        },
        false);
  }

 private:
  struct Word {
    std::uint32_t bits;
    std::uint32_t counter() const { return bits >> 8; }
    std::uint32_t gate() const { return bits & 0xff; }  // the slot in the gate, plus 1
    static Word of(std::uint32_t counter, std::uint32_t gate) { return {counter << 8 | gate}; }
  };

  void work(std::uint32_t slot) {
    for (int i = 0; i < 3; ++i) {
      const Word mine = enter(slot);
      if (inside_ != nobody) world().fail("exclusion", "two in the gate");
      inside_ = world().this_process();
      nap(ms / 5);
      inside_ = nobody;
      std::uint32_t seen = mine.bits;
      if (!word_.compare_exchange_strong(seen, Word::of(mine.counter(), 0).bits)) {
        world().fail("exclusion", "the gate was taken from a live session");
      }
    }
  }
  Word enter(std::uint32_t slot) {
    for (;;) {
      const Word seen{word_.load()};
      const Word mine = Word::of(seen.counter() + (broken() ? 0 : 1), slot + 1);
      std::uint32_t expected = seen.bits;
      if (seen.gate() == 0) {
        if (word_.compare_exchange_strong(expected, mine.bits)) return mine;
      } else if (seen.gate() == slot + 1 || !world().byte_is_held(seen.gate() - 1)) {
        if (word_.compare_exchange_strong(expected, Word::of(seen.counter(), 0).bits)) world().sometimes("gate of the dead reopened");
      } else {
        nap(ms / 5);
      }
    }
  }

  Atomic<std::uint32_t> word_;
  ProcessId inside_ = nobody;
};

}  // namespace

std::vector<Bug> shared_mode_bugs() {
  const Config buffered{.memory = Memory::total_store_order};
  return {
      {.id = "shared-join-unfenced",
       .rows = "S1",
       .property = "exclusion",
       .source = "lease-table S1",
       .summary = "a reader's record is still in its store buffer when it looks for a writer",
       .config = buffered,
       .make = make<DekkerJoin<true, false>>},
      {.id = "shared-leave-unfenced",
       .rows = "S2",
       .property = "lost_wake",
       .source = "lease-table S2",
       .summary = "a reader looks for a sleeping writer before its leaving can be seen",
       .config = buffered,
       .make = make<DekkerJoin<false, true>>},
      {.id = "bell-after-record",
       .rows = "S3",
       .property = "lost_wake",
       .source = "lease-table S3",
       .summary = "the writer reads a record, then a bell that belongs to the slot's next session",
       .config = {.kills_max = 1, .pauses_max = 1, .pause_steps_max = 64},
       .make = make<BellAfterRecord>},
      {.id = "two-upgraders-wait",
       .rows = "S4",
       .property = "hang",
       .source = "lease-table S4",
       .summary = "two readers upgrade, and each waits until the other has left",
       .config = {},
       .make = make<TwoUpgraders>},
      {.id = "gate-without-counter",
       .rows = "U",
       .property = "exclusion",
       .source = "lease-table rule U",
       .summary = "a pass through the gate doesn't raise the counter: a late take-over hits the slot's next session",
       .config = {.kills_max = 1},
       .make = make<GateWithoutCounter>},
  };
}

}  // namespace tenure::sim::protocols
