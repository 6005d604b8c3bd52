// Read and write locks elsewhere: one word at the store, a bit for each reader, changed by compare-and-set.
#include "sim/catalogue/remote.hpp"

namespace tenure::sim::protocols {

namespace {

class ReadWriteLock : public RemoteLock {
 public:
  using RemoteLock::RemoteLock;

 protected:
  static constexpr std::uint64_t readers = 0xff;   // a bit for each
  static constexpr std::uint64_t wanted = 1 << 8;  // by a writer, or by a reader for writing
  static constexpr std::uint64_t writer = 1 << 9;

  static std::uint64_t reader(std::uint32_t client) { return std::uint64_t{1} << client; }
  // One script of the store: the word becomes `next(word)`. ~0 says no.
  template <class Next>
  bool change(Next next) {
    for (;;) {
      const std::uint64_t word = store().get(lock_key).value;
      const std::uint64_t wish = next(word);
      if (wish == no) return false;
      if (store().compare_and_set(lock_key, word, wish) == Outcome::done) return true;
    }
  }
  bool try_read(std::uint32_t client, std::uint64_t unless) {
    return change([=](std::uint64_t word) { return (word & unless) != 0 ? no : word | reader(client); });
  }
  bool try_write() {
    return change([](std::uint64_t word) { return word != 0 ? no : writer; });
  }
  void leave(std::uint64_t bits) {
    change([=](std::uint64_t word) { return word & ~bits; });
  }

  static constexpr std::uint64_t no = ~std::uint64_t{0};
};

// Row 17. A client unlocks in its clean-up, whether it has got the lock or not, and the lock does not ask whose unlock that is.
class UnlockIgnoresOwner : public ReadWriteLock {
 public:
  using ReadWriteLock::ReadWriteLock;
  void setup(World& in) override {
    open(in);
    for (std::uint32_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { use(client); });
    }
  }

 private:
  void use(std::uint32_t client) {
    for (std::uint32_t left = world().size(3); left != 0; --left) {
      const bool writes = client == 0;
      const bool got = writes ? try_write() : try_read(client, writer);
      if (got) {
        beliefs_.granted(world(), never_ns, writes ? Beliefs::Mode::exclusive : Beliefs::Mode::shared);
        nap(5 * ms);
        beliefs_.ended(world());
      }
      if (broken()) {
        store().del(lock_key);
      } else if (got) {
        leave(writes ? writer : reader(client));
      }
      nap(ms);
    }
  }
};

// Row 18. Two readers want to write, and each waits for the other one to leave. The remedy: only one may wait so; the other one leaves.
class UpgradeDeadlock : public ReadWriteLock {
 public:
  using ReadWriteLock::ReadWriteLock;
  void setup(World& in) override {
    open(in);
    for (std::uint32_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { use(client); }, false);
    }
  }

 private:
  static constexpr std::uint64_t poll_ns = 50 * ms;
  static constexpr std::uint64_t bound_ns = 300 * ms;

  void use(std::uint32_t client) {
    const std::uint64_t mine = reader(client);
    await([&] { return try_read(client, wanted | writer); }, poll_ns, bound_ns);
    beliefs_.granted(world(), never_ns, Beliefs::Mode::shared);
    nap(world().choose(4) * ms);
    const bool first = broken() || change([](std::uint64_t word) { return (word & wanted) != 0 ? no : word | wanted; });
    if (!first) {
      beliefs_.ended(world());
      leave(mine);
      await([this] { return try_write(); }, poll_ns, bound_ns);
    } else {
      await([&] { return change([=](std::uint64_t word) { return (word & readers) != mine ? no : writer; }); }, poll_ns, bound_ns);
    }
    beliefs_.granted(world());
    nap(ms);
    beliefs_.ended(world());
    leave(writer);
  }
};

// Row 19. Readers come in as long as there are readers. The remedy: not while a writer waits.
class WriterStarves : public ReadWriteLock {
 public:
  using ReadWriteLock::ReadWriteLock;
  void setup(World& in) override {
    open(in);
    fairness_.reset();
    start_process(in, [this] { write(); }, false);
    for (std::uint32_t client = 0; client < 2; ++client) {
      start_process(in, [this, client] { read(client); }, false);
    }
  }

 private:
  // Each reader may have come in before it could know.
  static constexpr std::uint32_t overtaken_max = 4;

  void write() {
    nap(ms);
    change([](std::uint64_t word) { return word | wanted; });
    fairness_.queued(world());
    while (!change([](std::uint64_t word) { return (word & readers) != 0 ? no : writer; })) nap(ms);
    fairness_.granted(world());
    beliefs_.granted(world());
    nap(ms);
    beliefs_.ended(world());
    leave(writer);
  }
  void read(std::uint32_t client) {
    for (std::uint32_t left = world().size(6); left != 0; --left) {
      if (try_read(client, broken() ? writer : writer | wanted)) {
        beliefs_.granted(world(), never_ns, Beliefs::Mode::shared);
        fairness_.granted(world());
        nap(2 * ms);
        beliefs_.ended(world());
        leave(reader(client));
      } else {
        nap(ms);
      }
    }
  }

  Fairness fairness_{overtaken_max};
};

}  // namespace

std::vector<Bug> remote_mode_bugs() {
  return {
      {.id = "rw-unlock-ignores-owner",
       .rows = "17",
       .property = "exclusion",
       .source = "redisson 1ce49b7a2",
       .summary = "the clean-up of a client that got nothing unlocks what another one has",
       .config = {},
       .make = make<UnlockIgnoresOwner>},
      {.id = "upgrade-deadlock",
       .rows = "18",
       .property = "liveness",
       .source = "redisson#4796, seastar#2665, vivace-graph#76",
       .summary = "two readers want to write, and each waits for the other one to leave",
       .config = {},
       .make = make<UpgradeDeadlock>},
      {.id = "writer-starves",
       .rows = "19",
       .property = "fairness",
       .source = "minio#2629, dynamodb-lock-client(js)#14",
       .summary = "readers come in as long as there are readers, whoever waits to write",
       .config = {},
       .make = make<WriterStarves>},
  };
}

}  // namespace tenure::sim::protocols
