// Locks in a PostgreSQL: session advisory locks, and rows of a table.
#include <tenure/sim/postgres.hpp>

#include <string_view>

#include "sim/catalogue/lease_protocol.hpp"

namespace tenure::sim::protocols {

namespace {

class SqlProtocol : public LeaseProtocol {
 public:
  using LeaseProtocol::LeaseProtocol;
  void setup(World& in) override {
    database_.deviations = deviations();
    database_.start(in, "postgres");
    LeaseProtocol::setup(in);
  }

 protected:
  using Op = SqlRequest::Op;
  static constexpr std::uint64_t key = 1;
  virtual Postgres::Deviations deviations() const { return {}; }
  bool done(const SqlRequest& request) const { return database_.ask(request)->done; }

  Postgres database_;
};

// Row 37. The lock belongs to the session of whichever connection the pooler used. Another client's statement on the same connection takes
// it again. The remedy: a connection of one's own.
class PooledAdvisoryLock : public SqlProtocol {
 public:
  using SqlProtocol::SqlProtocol;

 protected:
  Postgres::Deviations deviations() const override { return {.pooled_backends = broken() ? 2u : 0u}; }
  void begin(World& in) override {
    for (int i = 0; i < 2; ++i) start_client(in, [this] { work(); });
  }

 private:
  void work() {
    for (int tries = 0; tries < 4; ++tries) {
      if (done({.op = Op::try_advisory_lock, .key = key}) && begin_hold(look(), never_ns)) {
        nap(2 * ms);
        end_hold();
        done({.op = Op::advisory_unlock, .key = key});
      }
      nap(ms);
    }
  }
};

// Row 37. The unlock goes over another connection, which holds nothing; the lock stays with the first, and nobody is left to give it back.
class StrandedAdvisoryLock : public SqlProtocol {
 public:
  using SqlProtocol::SqlProtocol;

 protected:
  Postgres::Deviations deviations() const override { return {.pooled_backends = broken() ? 4u : 0u}; }
  void begin(World& in) override {
    for (int i = 0; i < 2; ++i) start_client(in, [this] { work(); });
  }

 private:
  static constexpr std::uint64_t bound_ns = 25 * ms;

  void work() {
    world().begin_wait();
    while (!done({.op = Op::try_advisory_lock, .key = key})) {
      world().end_wait(bound_ns);
      nap(4 * ms);
    }
    nap(ms);
    if (!done({.op = Op::advisory_unlock, .key = key})) world().sometimes("unlock of what the session doesn't hold");
  }
};

constexpr std::uint64_t crc32(std::string_view text) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb8'8320u : 0u);
  }
  return ~crc;
}
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t basis = 0xcbf2'9ce4'8422'2325) {
  std::uint64_t hash = basis;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01b3;
  return hash;
}
static_assert(crc32("plumless") == crc32("buckeroo") && fnv1a("plumless") != fnv1a("buckeroo"));

// Row 38. Locks are known by 32 bits of their names' hashes. A client that holds one waits for another, and it is the same. The remedy:
// 64 bits, which makes that improbable, no more.
class NarrowHash : public SqlProtocol {
 public:
  using SqlProtocol::SqlProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint32_t client = 0; client < 2; ++client) start_client(in, [this, client] { work(client); });
  }

 private:
  static constexpr std::uint64_t bound_ns = 40 * ms;

  // Always in this order: no two clients wait for each other.
  void work(std::uint32_t client) {
    take("plumless", 2 * client + 1);
    take("buckeroo", 2 * client + 2);
    done({.op = Op::free_row, .owner = 2 * client + 2, .key = hash("buckeroo")});
    done({.op = Op::free_row, .owner = 2 * client + 1, .key = hash("plumless")});
  }
  // Each lock object is an owner of its own. A row that the dead have left is free after its time.
  void take(std::string_view name, std::uint32_t owner) {
    world().begin_wait();
    while (!done({.op = Op::take_row, .owner = owner, .key = hash(name), .span_ns = 20 * ms})) {
      world().end_wait(bound_ns);
      nap(3 * ms);
    }
  }
  std::uint64_t hash(std::string_view name) const { return broken() ? crc32(name) : fnv1a(name); }
};

// Row 39. The hash of a name depends on the build, as a language's own hash function may: two versions take two locks. The remedy: a hash
// that is a format.
class HashOfBuild : public SqlProtocol {
 public:
  using SqlProtocol::SqlProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint64_t build = 1; build <= 2; ++build) start_client(in, [this, build] { work(build); });
  }

 private:
  void work(std::uint64_t build) {
    const std::uint64_t hash = broken() ? fnv1a("orders", build) : fnv1a("orders");
    for (int tries = 0; tries < 4; ++tries) {
      if (done({.op = Op::try_advisory_lock, .key = hash}) && begin_hold(look(), never_ns)) {
        nap(2 * ms);
        end_hold();
        done({.op = Op::advisory_unlock, .key = hash});
      }
      nap(world().choose(3) * ms);
    }
  }
};

// In wide use for migrations. A row says "locked"; an instance that has waited in vain cleans up after itself, and unlocks the one that
// works. The remedy: the row names the instance, and the unlock asks for it.
class MigrationRow : public SqlProtocol {
 public:
  using SqlProtocol::SqlProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint32_t client = 1; client <= 3; ++client) start_client(in, [this, client] { work(client); });
  }

 private:
  void work(std::uint32_t client) {
    nap(world().choose(8) * ms);
    bool taken = false;
    for (int tries = 0; tries < 3 && !taken; ++tries) {
      taken = done({.op = Op::take_row, .owner = client, .key = key});
      if (!taken) nap(ms);
    }
    if (taken && begin_hold(look(), never_ns)) nap(8 * ms);
    end_hold();
    done({.op = Op::free_row, .owner = broken() ? 0 : client, .key = key});
  }
};

// In wide use for scheduled tasks. The clients' clocks of day say when a lease is over. The remedy: the server's clock, which in the model
// nobody sets; that of a real PostgreSQL is a clock of day too, and must not be set back or ahead by more than the margin.
class WallClockTable : public SqlProtocol {
 public:
  using SqlProtocol::SqlProtocol;

 protected:
  void begin(World& in) override {
    for (std::uint32_t client = 1; client <= 2; ++client) start_client(in, [this, client] { work(client); });
  }

 private:
  static constexpr std::uint64_t span_ns = 20 * ms;

  void work(std::uint32_t client) {
    for (int looks = 0; looks < 5; ++looks) {
      const std::uint64_t now_ns = broken() ? realtime_ms() * ms : 0;
      const Reading asked = look();
      if (done({.op = Op::take_row, .owner = client, .key = key, .span_ns = span_ns, .now_ns = now_ns}) && begin_hold(asked, span_ns)) {
        nap(span_ns / 2);
        end_hold();
        done({.op = Op::free_row, .owner = client, .key = key});
      }
      nap(3 * ms);
    }
  }
};

}  // namespace

std::vector<Bug> postgres_bugs() {
  return {
      {.id = "advisory-lock-behind-transaction-pooler",
       .rows = "37",
       .property = "exclusion",
       .source = "pgbouncer#102, rails#31190",
       .summary = "a session's lock is taken again by another client that the pooler gives the same connection",
       .config = {},
       .make = make<PooledAdvisoryLock>},
      {.id = "advisory-lock-stranded-in-pool",
       .rows = "37",
       .property = "liveness",
       .source = "authentik#23876",
       .summary = "the unlock goes over another of the pooler's connections: the lock is nobody's",
       .config = {},
       .make = make<StrandedAdvisoryLock>},
      {.id = "lock-name-hash-collides",
       .rows = "38",
       .property = "liveness",
       .source = "symfony#58838, symfony#41990",
       .summary = "two names with one CRC-32: whoever holds one and wants the other waits for itself",
       .config = {},
       .make = make<NarrowHash>},
      {.id = "lock-name-hash-of-build",
       .rows = "39",
       .property = "exclusion",
       .source = "Gitlawb/node#210",
       .summary = "two builds hash the same name to different locks",
       .config = {},
       .make = make<HashOfBuild>},
      {.id = "single-row-migration-lock-without-instance-check",
       .rows = "P",
       .property = "exclusion",
       .source = "liquibase#5438, liquibase#6251",
       .summary = "who gave up waiting unlocks the row, without a look whose it is",
       .config = {},
       .make = make<MigrationRow>},
      {.id = "lease-table-by-wall-clock",
       .rows = "P",
       .property = "exclusion",
       .source = "ShedLock#231, ShedLock#132",
       .summary = "the clients' clocks of day decide when a lease in a table is over",
       .config = {.realtime_jumps_max = 1},
       .make = make<WallClockTable>},
  };
}

}  // namespace tenure::sim::protocols
