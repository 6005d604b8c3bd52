// The simulated store of keys and values: what its commands do, when keys end, and what a fail-over or a restart takes away.
#include <gtest/gtest.h>

#include <set>

#include <tenure/sim/process.hpp>
#include <tenure/sim/store.hpp>
#include "tests/sim/script.hpp"

namespace tenure::sim {
namespace {

constexpr std::uint64_t key = store_key("lock:orders");
constexpr std::uint64_t runs = 300;

// One store, and clients that talk to it. Every process runs its body in every run.
class Store : public testing::Test {
 protected:
  template <class Body>
  Report explore(Body body, int processes = 1) {
    script_.build = [this, body, processes](World& world) {
      server_ = store_.open(world, options_);
      for (int i = 0; i < processes; ++i) start_process(world, [this, body] { body(StoreClient(server_, timeout_ns_)); });
    };
    const Report report = Runner(script_).explore({.runs_max = runs});
    EXPECT_FALSE(report.failed()) << to_text(report);
    return report;
  }

  Script script_;
  StoreOptions options_;
  KeyValueStore store_;
  ServerId server_ = 0;
  std::uint64_t timeout_ns_ = never_ns;
};

TEST_F(Store, SetsByConditionAndTellsTheValue) {
  explore([](StoreClient store) {
    EXPECT_EQ(store.get(key).outcome, Outcome::refused);
    EXPECT_EQ(store.set_xx(key, 1), Outcome::refused);
    EXPECT_EQ(store.set_nx(key, 2), Outcome::done);
    EXPECT_EQ(store.set_nx(key, 3), Outcome::refused);
    EXPECT_EQ(store.get(key).value, 2u);
    EXPECT_EQ(store.set_xx(key, 4), Outcome::done);
    EXPECT_EQ(store.set(key, 5), Outcome::done);
    EXPECT_EQ(store.get(key).value, 5u);
    EXPECT_EQ(store.set(key, 6, 0), Outcome::refused);
    EXPECT_EQ(store.compare_and_set(key, 4, 7), Outcome::refused);
    EXPECT_EQ(store.compare_and_set(key, 5, 7), Outcome::done);
    EXPECT_EQ(store.compare_and_set(store_key("none"), 0, 8), Outcome::done);
    EXPECT_EQ(store.get(store_key("none")).value, 8u);
  });
}

TEST_F(Store, DeletesAndExtendsForTheOwnerOnly) {
  explore([](StoreClient store) {
    store.set(key, 1, 10 * ms);
    EXPECT_EQ(store.delete_if(key, 2), Outcome::refused);
    EXPECT_EQ(store.expire_if(key, 2, 50 * ms), Outcome::refused);
    EXPECT_EQ(store.expire_if(key, 1, 50 * ms), Outcome::done);
    nap(20 * ms);
    EXPECT_EQ(store.get(key).value, 1u);
    EXPECT_EQ(store.delete_if(key, 1), Outcome::done);
    EXPECT_EQ(store.delete_if(key, 1), Outcome::refused);
    EXPECT_EQ(store.del(key), Outcome::refused);
    EXPECT_EQ(store.expire(key, ms), Outcome::refused);
    EXPECT_EQ(store.incr(key).value, 1u);
    EXPECT_EQ(store.incr(key).value, 2u);
    EXPECT_EQ(store.expire(key, 0), Outcome::done);
    EXPECT_EQ(store.get(key).outcome, Outcome::refused);
  });
}

TEST_F(Store, AKeyEndsWithItsTimeToLiveAndNotBefore) {
  explore([this](StoreClient store) {
    const std::uint64_t asked_ns = boottime_ns();
    EXPECT_EQ(store.set_nx(key, 1, 20 * ms), Outcome::done);
    while (store.get(key).outcome == Outcome::done) nap(ms);
    const std::uint64_t passed_ns = boottime_ns() - asked_ns;
    EXPECT_GE(passed_ns, 20 * ms);
    EXPECT_LT(passed_ns, 30 * ms);
    EXPECT_EQ(store.set_nx(key, 2), Outcome::done);
    nap(1000 * ms);
    EXPECT_EQ(store.get(key).value, 2u);
    store.expire(key, 10 * ms);
    EXPECT_EQ(store.incr(key).value, 3u);
    EXPECT_TRUE(store_.has(here(), key));
    EXPECT_EQ(store_.value(here(), key), 3u);
    nap(20 * ms);
    EXPECT_FALSE(store_.has(here(), key));
    EXPECT_EQ(store_.value(here(), key), 0u);
    EXPECT_EQ(store.incr(key).value, 1u);
  });
}

// How often a key had ended long before its time.
int early_ends(bool by_realtime, Script& script, KeyValueStore& kept) {
  int early = 0;
  script.settings.realtime_jumps_max = 2;
  script.build = [&, by_realtime](World& world) {
    const StoreClient store(kept.open(world, {.expires_by_realtime = by_realtime}));
    start_process(world, [&early, store] {
      store.set(key, 1, 1000 * ms);
      for (int i = 0; i < 10; ++i) nap(ms);
      early += store.get(key).outcome != Outcome::done ? 1 : 0;
    });
  };
  EXPECT_FALSE(Runner(script).explore({.runs_max = runs}).failed());
  return early;
}

TEST_F(Store, AJumpOfTheClockOfDayEndsKeysOnlyWhereTheyAreTimedByIt) {
  EXPECT_EQ(early_ends(false, script_, store_), 0);
  EXPECT_GT(early_ends(true, script_, store_), 0);
}

TEST_F(Store, ACommandIsOneStepForAllClients) {
  std::set<std::uint64_t> winners;
  int done = 0;  // in a run
  script_.at_end = [&](World&) {
    EXPECT_EQ(done, 1);
    done = 0;
  };
  explore(
      [&](StoreClient store) {
        const std::uint64_t mine = World::active()->this_thread() + 1;
        if (store.set_nx(key, mine) != Outcome::done) return;
        winners.insert(mine);
        ++done;
        EXPECT_EQ(store.get(key).value, mine);
      },
      3);
  EXPECT_EQ(winners.size(), 3u);
}

TEST_F(Store, TellsSubscribersOfDeletionsAndOfWhatIsPublished) {
  explore([](StoreClient store) {
    StoreNotice notice{};
    store.subscribe(key);
    store.set(key, 1);
    EXPECT_FALSE(here().receive(notice, 5 * ms));
    store.delete_if(key, 2);
    EXPECT_FALSE(here().receive(notice, 5 * ms));
    store.delete_if(key, 1);
    EXPECT_TRUE(here().receive(notice));
    EXPECT_EQ(notice.key, key);
    EXPECT_EQ(notice.value, 0u);
    store.publish(key, 7);
    EXPECT_TRUE(here().receive(notice));
    EXPECT_EQ(notice.value, 7u);
    store.set(key, 1);
    store.expire(key, 0);
    EXPECT_TRUE(here().receive(notice));
    store.set(key, 1, ms);
    nap(5 * ms);
    EXPECT_FALSE(here().receive(notice, 5 * ms));
  });
}

TEST_F(Store, ARestartEndsSubscriptions) {
  for (const std::uint32_t restarts : {0u, 1u}) {
    script_.settings.restarts_max = restarts;
    int untold = 0;
    explore([&](StoreClient store) {
      StoreNotice notice{};
      store.subscribe(key);
      nap(ms);
      store.publish(key, 1);
      untold += here().receive(notice, 10 * ms) ? 0 : 1;
    });
    EXPECT_EQ(untold != 0, restarts != 0);
  }
}

TEST_F(Store, AFailOverTakesBackWhatTheReplicaHasNotGot) {
  constexpr std::uint64_t lag_ns = 5 * ms;
  script_.settings.fail_overs_max = 1;
  for (const std::uint64_t lag : {std::uint64_t{0}, lag_ns}) {
    options_.replica_lag_ns = lag;
    int lost = 0;
    explore([&](StoreClient store) {
      store.set(key, 1);
      nap(2 * lag_ns);
      store.set(key, 2);
      nap(ms);
      const bool arrived = store.wait(key, 2) == Outcome::done;
      EXPECT_FALSE(arrived && lag == lag_ns);
      nap(lag_ns);
      const bool waited = store.wait(key, 2) == Outcome::done;
      nap(2 * ms);
      const std::uint64_t value = store.get(key).value;
      EXPECT_TRUE(!waited || value == 2);
      EXPECT_TRUE(waited || value != 2 || lag == lag_ns);
      lost += value != 2 ? 1 : 0;
    });
    EXPECT_EQ(lost != 0, lag != 0) << lost;
  }
}

TEST_F(Store, ARestartKeepsWhatIsOnDisk) {
  script_.settings.restarts_max = 1;
  for (const std::uint64_t lag_ns : {std::uint64_t{0}, 2 * ms, never_ns}) {
    options_.disk_lag_ns = lag_ns;
    int lost_old = 0;
    int lost_new = 0;
    explore([&](StoreClient store) {
      store.set(store_key("old"), 1);
      nap(10 * ms);
      if (store.get(store_key("old")).outcome != Outcome::done) return;
      store.set(key, 1);
      for (int i = 0; i < 10; ++i) nap(ms / 10);
      lost_old += store.get(store_key("old")).outcome == Outcome::refused ? 1 : 0;
      lost_new += store.get(key).outcome == Outcome::refused ? 1 : 0;
    });
    EXPECT_EQ(lost_old != 0, lag_ns == never_ns) << lost_old;
    EXPECT_EQ(lost_new != 0, lag_ns != 0) << lost_new;
  }
}

TEST_F(Store, WhoseConnectionBreaksDoesNotKnow) {
  script_.settings.message_faults_max = 1;
  timeout_ns_ = 5 * ms;
  int executed = 0;
  int not_executed = 0;
  explore([&](StoreClient store) {
    if (store.set_nx(key, 1) != Outcome::unknown) return;
    (store_.has(here(), key) ? executed : not_executed)++;
  });
  EXPECT_GT(executed, 0);
  EXPECT_GT(not_executed, 0);
}

}  // namespace
}  // namespace tenure::sim
