// The simulated consensus store, PostgreSQL and object store: what they promise, and that each switch breaks the promise it names.
#include <gtest/gtest.h>

#include <tenure/sim/consensus_store.hpp>
#include <tenure/sim/object_store.hpp>
#include <tenure/sim/postgres.hpp>
#include <tenure/sim/runner.hpp>
#include "tests/sim/script.hpp"

namespace tenure::sim {
namespace {

constexpr std::uint64_t ttl_ns = 10 * ms;

template <class Hosted>
struct ServerTest : testing::Test {
  // Each client is a process on a host of its own.
  template <class... Client>
  Report run(const Client&... clients) {
    Script script;
    script.settings = settings;
    script.build = [&](World& world) {
      server.start(world, "server");
      (world.spawn(world.spawn_process(false, world.add_host()), [&clients] { clients(); }), ...);
    };
    Report report = Runner(script).explore({.runs_max = runs});
    EXPECT_FALSE(report.failed()) << to_text(report);
    return report;
  }

  Hosted server;
  Config settings;
  std::uint64_t runs = 1;
};

using Op = ConsensusRequest::Op;

struct ConsensusStoreTest : ServerTest<ConsensusStore> {
  ConsensusReply ask(const ConsensusRequest& request) { return server.ask(request).value_or(ConsensusReply{}); }
  std::uint32_t open_session() { return ask({.op = Op::open_session, .ttl_ns = ttl_ns}).record.session; }

  static constexpr std::uint64_t key = consensus_key(1, 1);
};

TEST_F(ConsensusStoreTest, PutsIfTheRevisionIsTheNewestOne) {
  run([this] {
    const ConsensusReply first = ask({.op = Op::put_if, .key = key, .value = 7});
    EXPECT_TRUE(first.done);
    const ConsensusReply refused = ask({.op = Op::put_if, .key = key, .value = 8});
    EXPECT_FALSE(refused.done);
    EXPECT_EQ(refused.record.value, 7u);
    const ConsensusReply second = ask({.op = Op::put_if, .key = key, .value = 9, .revision = first.record.revision});
    EXPECT_TRUE(second.done);
    EXPECT_GT(second.record.revision, first.record.revision);
    EXPECT_EQ(second.record.create_revision, first.record.create_revision);
    EXPECT_EQ(ask({.op = Op::get, .key = key}).record.value, 9u);
  });
}

TEST_F(ConsensusStoreTest, RemovesTheKeyThatWasMeant) {
  run([this] {
    const std::uint64_t first = ask({.op = Op::put, .key = key}).record.create_revision;
    EXPECT_TRUE(ask({.op = Op::remove, .key = key}).done);
    const std::uint64_t second = ask({.op = Op::put, .key = key}).record.create_revision;
    EXPECT_FALSE(ask({.op = Op::remove_if, .key = key, .revision = first}).done);
    EXPECT_TRUE(ask({.op = Op::remove_if, .key = key, .revision = second}).done);
    EXPECT_FALSE(ask({.op = Op::get, .key = key}).done);
  });
}

TEST_F(ConsensusStoreTest, FindsInItsDirectoryByAgeNameAndValue) {
  run([this] {
    ask({.op = Op::put, .key = consensus_key(1, 3), .value = 30});
    ask({.op = Op::put, .key = consensus_key(1, 5), .value = 50});
    ask({.op = Op::put, .key = consensus_key(2, 4), .value = 30});
    const ConsensusReply own = ask({.op = Op::put, .key = consensus_key(1, 4), .value = 40});
    const auto looks = [&](Op op) { return ask({.op = op, .key = own.record.key, .revision = own.record.create_revision}); };
    EXPECT_EQ(looks(Op::last_before).record.key, consensus_key(1, 5));
    EXPECT_EQ(looks(Op::name_before).record.key, consensus_key(1, 3));
    EXPECT_EQ(ask({.op = Op::name_before, .key = consensus_key(1, 9)}).record.key, consensus_key(1, 5));
    EXPECT_EQ(ask({.op = Op::find, .key = consensus_key(1, 0), .value = 30}).record.key, consensus_key(1, 3));
    EXPECT_FALSE(ask({.op = Op::find, .key = consensus_key(2, 0), .value = 50}).done);
    EXPECT_FALSE(ask({.op = Op::last_before, .key = own.record.key, .revision = 1}).done);
  });
}

TEST_F(ConsensusStoreTest, ASessionEndsWithItsTimeAndTakesItsKeysAlong) {
  run([this] {
    const std::uint32_t session = open_session();
    EXPECT_TRUE(ask({.op = Op::put_if, .session = session, .key = key}).done);
    nap(ttl_ns * 3 / 4);
    EXPECT_TRUE(ask({.op = Op::keep_alive, .session = session}).done);
    nap(ttl_ns * 3 / 4);
    EXPECT_TRUE(ask({.op = Op::get, .key = key}).done);
    nap(ttl_ns);
    EXPECT_FALSE(ask({.op = Op::get, .key = key}).done);
    EXPECT_FALSE(ask({.op = Op::keep_alive, .session = session}).done);
    EXPECT_FALSE(ask({.op = Op::put_if, .session = session, .key = key}).done);
    EXPECT_EQ(server.record(key), nullptr);
  });
}

TEST_F(ConsensusStoreTest, ARestartGivesSessionsTheirWholeTimeAgain) {
  run([this] {
    const std::uint32_t session = open_session();
    nap(ttl_ns * 3 / 4);
    server.restarted(here());
    nap(ttl_ns * 3 / 4);
    EXPECT_TRUE(ask({.op = Op::keep_alive, .session = session}).done);
  });
}

TEST_F(ConsensusStoreTest, TellsWatchersOfExpiryAndOfClosing) {
  for (const bool closes : {false, true}) {
    std::uint64_t told_ns = 0;
    std::uint64_t opened_ns = 0;
    run(
        [&] {
          opened_ns = here().true_now();
          const std::uint32_t session = open_session();
          ask({.op = Op::put_if, .session = session, .key = key});
          nap(ttl_ns / 2);
          if (closes) ask({.op = Op::close_session, .session = session});
        },
        [&] {
          nap(2 * ms);
          const std::uint64_t created = ask({.op = Op::get, .key = key}).record.create_revision;
          EXPECT_TRUE(ask({.op = Op::watch, .key = key, .revision = created}).done);
          ConsensusEvent event{};
          EXPECT_TRUE(here().receive(event, 5 * ttl_ns));
          EXPECT_EQ(event.create_revision, created);
          told_ns = here().true_now();
          EXPECT_FALSE(ask({.op = Op::watch, .key = key, .revision = created}).done) << "it is gone";
        });
    EXPECT_GT(told_ns, opened_ns + ttl_ns / 2);
    EXPECT_EQ(told_ns < opened_ns + ttl_ns, closes);
  }
}

// What a client can rely on that does not know what became of its request.
TEST_F(ConsensusStoreTest, ARequestOfAClosedSessionDoesNothingHoweverLate) {
  const auto client = [this] {
    const std::optional<ConsensusReply> opened = server.ask({.op = Op::open_session, .ttl_ns = 10 * seconds}, 5 * ms);
    if (!opened) return;
    const std::uint32_t session = opened->record.session;
    if (server.ask({.op = Op::put_if, .session = session, .key = key}, 2 * ms)) return;
    here().sometimes("no answer");
    while (!server.ask({.op = Op::close_session, .session = session}, 5 * ms)) here().sometimes("not closed at once");
    nap(seconds);
    EXPECT_EQ(server.record(key), nullptr);
  };
  settings.message_faults_max = 2;
  runs = 2000;
  const Report report = run(client);
  EXPECT_GT(report.sometimes_count("no answer"), 0u);
  EXPECT_GT(report.sometimes_count("not closed at once"), 0u);
}

struct PostgresTest : ServerTest<Postgres> {
  bool ask(const SqlRequest& request) { return server.ask(request)->done; }
  bool lock() { return ask({.op = SqlRequest::Op::try_advisory_lock, .key = 1}); }
  bool unlock() { return ask({.op = SqlRequest::Op::advisory_unlock, .key = 1}); }
};

TEST_F(PostgresTest, AdvisoryLocksAreOfTheSessionAndCount) {
  run(
      [this] {
        EXPECT_TRUE(lock());
        EXPECT_TRUE(lock());
        nap(10 * ms);
        EXPECT_TRUE(unlock());
        nap(10 * ms);
        EXPECT_TRUE(unlock());
        EXPECT_FALSE(unlock());
        nap(10 * ms);
      },
      [this] {
        nap(5 * ms);
        EXPECT_FALSE(lock());
        EXPECT_FALSE(unlock());
        nap(10 * ms);
        EXPECT_FALSE(lock());
        nap(10 * ms);
        EXPECT_TRUE(lock());
      });
}

TEST_F(PostgresTest, ASessionEndsWithItsProcessUnlessAPoolerOwnsIt) {
  for (const std::uint32_t backends : {0u, 2u}) {
    runs = 100;
    server.deviations.pooled_backends = backends;
    const Report report = run([this] { EXPECT_TRUE(lock()); },
                              [this] {
                                nap(10 * ms);
                                if (!lock()) here().sometimes("stranded");
                              });
    EXPECT_EQ(report.sometimes_count("stranded") != 0, backends != 0);
  }
}

TEST_F(PostgresTest, ARowIsTakenInOneStepAndByTheClockOfTheStatement) {
  using Statement = SqlRequest::Op;
  run([this] {
    const SqlRequest first{.op = Statement::take_row, .owner = 1, .key = 1, .span_ns = ttl_ns};
    const SqlRequest second{.op = Statement::take_row, .owner = 2, .key = 1, .span_ns = ttl_ns};
    EXPECT_TRUE(ask(first));
    EXPECT_FALSE(ask(second));
    SqlRequest ahead = second;
    ahead.now_ns = boottime_ns() + seconds;
    EXPECT_TRUE(ask(ahead)) << "it believes the client's clock";
    EXPECT_FALSE(ask(first));
    EXPECT_FALSE(ask({.op = Statement::free_row, .owner = 1, .key = 1}));
    EXPECT_TRUE(ask({.op = Statement::free_row, .key = 1})) << "whosever it is";
    EXPECT_TRUE(ask(first));
    nap(ttl_ns);
    EXPECT_TRUE(ask(second));
  });
}

struct ObjectStoreTest : ServerTest<ObjectStore> {
  ObjectReply ask(const ObjectRequest& request) { return *server.ask(request); }
};

TEST_F(ObjectStoreTest, ConditionsHold) {
  using What = ObjectRequest::Op;
  run([this] {
    EXPECT_EQ(ask({.op = What::get, .key = 1}).status, ObjectStatus::not_found);
    const ObjectReply first = ask({.op = What::put_if_absent, .key = 1, .value = 7});
    EXPECT_EQ(first.status, ObjectStatus::ok);
    EXPECT_EQ(ask({.op = What::put_if_absent, .key = 1}).status, ObjectStatus::precondition_failed);
    const ObjectReply second = ask({.op = What::put_if_match, .key = 1, .value = 8, .etag = first.etag});
    EXPECT_EQ(second.status, ObjectStatus::ok);
    EXPECT_NE(second.etag, first.etag);
    EXPECT_EQ(ask({.op = What::put_if_match, .key = 1, .etag = first.etag}).status, ObjectStatus::precondition_failed);
    EXPECT_EQ(ask({.op = What::remove_if_match, .key = 1, .etag = first.etag}).status, ObjectStatus::precondition_failed);
    EXPECT_EQ(ask({.op = What::get, .key = 1}).value, 8u);
    EXPECT_EQ(ask({.op = What::remove_if_match, .key = 1, .etag = second.etag}).status, ObjectStatus::ok);
    EXPECT_EQ(ask({.op = What::put_if_match, .key = 1, .etag = second.etag}).status, ObjectStatus::not_found);
    EXPECT_EQ(ask({.op = What::remove, .key = 1}).status, ObjectStatus::ok);
    EXPECT_EQ(ask({.op = What::get, .key = 1}).status, ObjectStatus::not_found);
  });
}

TEST_F(ObjectStoreTest, ConditionsMayBeIgnored) {
  using What = ObjectRequest::Op;
  server.deviations = {.ignores_if_none_match = true, .ignores_if_match = true};
  run([this] {
    ask({.op = What::put, .key = 1, .value = 7});
    EXPECT_EQ(ask({.op = What::put_if_absent, .key = 1, .value = 8}).status, ObjectStatus::ok);
    EXPECT_EQ(ask({.op = What::get, .key = 1}).value, 8u);
    EXPECT_EQ(ask({.op = What::put_if_match, .key = 1, .value = 9, .etag = 1}).status, ObjectStatus::ok);
    EXPECT_EQ(ask({.op = What::remove_if_match, .key = 1, .etag = 1}).status, ObjectStatus::ok);
    EXPECT_EQ(ask({.op = What::get, .key = 1}).status, ObjectStatus::not_found);
  });
}

TEST_F(ObjectStoreTest, AnErrorMayFollowAWriteThatWasMade) {
  using What = ObjectRequest::Op;
  runs = 50;
  server.deviations.errors_after_writing_max = 1;
  const Report report = run([this] {
    const bool error = ask({.op = What::put_if_absent, .key = 1, .value = 7}).status == ObjectStatus::internal_error;
    EXPECT_EQ(ask({.op = What::get, .key = 1}).value, 7u);
    EXPECT_EQ(ask({.op = What::put_if_absent, .key = 1, .value = 7}).status, ObjectStatus::precondition_failed);
    here().sometimes(error ? "error" : "no error");
  });
  EXPECT_GT(report.sometimes_count("error"), 0u);
  EXPECT_GT(report.sometimes_count("no error"), 0u);
}

}  // namespace
}  // namespace tenure::sim
