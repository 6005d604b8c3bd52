// Each property without a world: what keeps it, what breaks it, and what excuses.
#include <tenure/sim/properties.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include <tenure/sim/atomic.hpp>
#include <tenure/sim/runner.hpp>

namespace tenure::sim {
namespace {

constexpr std::string_view fine;

std::string_view broken(const std::optional<Finding>& finding) { return finding ? finding->property : fine; }

TEST(Faults, NothingIsOwedBeforeTheLastOne) {
  Faults faults;
  EXPECT_EQ(faults.quiet_ns(10, 30), 20U);
  faults.struck(20);
  EXPECT_EQ(faults.quiet_ns(10, 30), 10U);
  EXPECT_EQ(faults.quiet_ns(25, 30), 5U);
  faults.began();
  EXPECT_EQ(faults.quiet_ns(10, 1000), 0U);
  faults.began();
  faults.ended(2000);
  EXPECT_EQ(faults.quiet_ns(10, 2500), 0U) << "one of two still lasts";
  faults.ended(3000);
  EXPECT_EQ(faults.quiet_ns(10, 3005), 5U);
}

TEST(FencedResource, RemembersTheLargestToken) {
  FencedResource resource;
  EXPECT_TRUE(resource.accepts(4));
  EXPECT_TRUE(resource.accepts(4));
  EXPECT_TRUE(resource.accepts(9));
  EXPECT_FALSE(resource.accepts(4));
  EXPECT_EQ(resource.largest(), 9U);
  resource.reset();
  EXPECT_TRUE(resource.accepts(1));
}

TEST(Fencing, AStaleHolderMustNotWriteAfterItsSuccessor) {
  Fencing fencing;
  const auto first = fencing.granted();
  const auto second = fencing.granted();
  EXPECT_EQ(broken(fencing.wrote(first)), fine) << "the resource can't know yet";
  EXPECT_EQ(broken(fencing.wrote(second)), fine);
  EXPECT_EQ(broken(fencing.wrote(second)), fine);
  EXPECT_EQ(broken(fencing.wrote(first)), "fencing");
  EXPECT_EQ(broken(fencing.wrote(first)), "fencing");
  fencing.reset();
  EXPECT_EQ(broken(fencing.wrote(fencing.granted())), fine);
}

TEST(Fencing, AResourceThatAsksTheLockKnowsAtOnce) {
  Fencing fencing(Fencing::Guard::sees_grants);
  const auto first = fencing.granted();
  EXPECT_EQ(broken(fencing.wrote(first)), fine);
  fencing.granted();
  EXPECT_EQ(broken(fencing.wrote(first)), "fencing");
}

// The tokens of a lock that gives the thief the token of the robbed: the guard lets it pass, the judge doesn't.
TEST(Fencing, SeesThroughTokensThatDoNotGrow) {
  const auto story = [](std::uint64_t token_of_second) {
    FencedResource resource;
    Fencing fencing;
    const auto first = fencing.granted();
    const auto second = fencing.granted();
    EXPECT_TRUE(resource.accepts(token_of_second));
    EXPECT_EQ(broken(fencing.wrote(second)), fine);
    return resource.accepts(7) ? broken(fencing.wrote(first)) : fine;
  };
  EXPECT_EQ(story(8), fine);
  EXPECT_EQ(story(7), "fencing");
}

TEST(BeliefOverlap, OneAtATime) {
  BeliefOverlap belief;
  EXPECT_EQ(broken(belief.believes(0, 10)), fine);
  EXPECT_EQ(broken(belief.believes(0, 20)), fine) << "asked again";
  EXPECT_EQ(broken(belief.believes(1, 30)), "belief");
  belief.reset();
  EXPECT_EQ(broken(belief.believes(0, 10)), fine);
  belief.stops(0);
  EXPECT_EQ(broken(belief.believes(1, 30)), fine);
}

TEST(BeliefOverlap, EndsAtItsOwnDeadline) {
  BeliefOverlap belief;
  EXPECT_EQ(broken(belief.believes(0, 10, 100)), fine);
  EXPECT_EQ(broken(belief.believes(1, 100, 200)), fine);
  EXPECT_EQ(broken(belief.believes(0, 150, 300)), "belief") << "a renewal that came too late";
  belief.reset();
  EXPECT_EQ(broken(belief.believes(0, 10, 100)), fine);
  EXPECT_EQ(broken(belief.believes(1, 99, 200)), "belief");
}

TEST(BeliefOverlap, ReadersMayBelieveTogether) {
  BeliefOverlap belief;
  EXPECT_EQ(broken(belief.believes(0, 10, BeliefOverlap::until_told_ns, true)), fine);
  EXPECT_EQ(broken(belief.believes(1, 10, BeliefOverlap::until_told_ns, true)), fine);
  EXPECT_EQ(broken(belief.believes(2, 10)), "belief");
}

TEST(Fairness, NobodyIsPassedOverTooOften) {
  Fairness fairness(2);
  fairness.queued(0, 0);
  for (int i = 0; i < 2; ++i) {
    fairness.queued(1, 1);
    EXPECT_EQ(broken(fairness.granted(1)), fine);
  }
  EXPECT_EQ(broken(fairness.granted(2)), "fairness") << "one that never queued";
}

TEST(Fairness, InOrderNobodyIsPassedOver) {
  Fairness fairness(0);
  fairness.queued(0, 0);
  fairness.queued(1, 1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(broken(fairness.granted(0)), fine);
    fairness.queued(0, 0);
    EXPECT_EQ(broken(fairness.granted(1)), fine);
    fairness.queued(1, 1);
  }
  EXPECT_EQ(broken(fairness.granted(1)), "fairness");
}

TEST(Fairness, ExcusesWhoCannotGoFirst) {
  Fairness fairness(0);
  fairness.queued(0, 0);
  fairness.stopped(0);
  EXPECT_EQ(broken(fairness.granted(1)), fine);
  fairness.resumed(0);
  fairness.queued(2, 2, 1);
  EXPECT_EQ(broken(fairness.granted(2)), fine) << "of higher priority";
  EXPECT_EQ(broken(fairness.granted(1, 1)), fine);
  EXPECT_EQ(broken(fairness.granted(1)), "fairness");
  fairness.left(0);
  EXPECT_EQ(broken(fairness.granted(1)), fine);
  fairness.queued(0, 0);
  fairness.died(0);
  EXPECT_EQ(broken(fairness.granted(1)), fine);
}

TEST(BoundedWake, ASleeperBeforeAFreeLock) {
  const Faults quiet;
  BoundedWake wake(100);
  EXPECT_EQ(broken(wake.taken(0, quiet)), fine);
  wake.slept(0, 0, 10);
  EXPECT_EQ(broken(wake.check(1000, quiet)), fine) << "somebody holds it";
  wake.freed(1000);
  EXPECT_EQ(broken(wake.check(1100, quiet)), fine);
  EXPECT_EQ(broken(wake.check(1101, quiet)), "bounded_wake");
}

TEST(BoundedWake, ATimeOutHidesNothing) {
  const Faults quiet;
  BoundedWake wake(100);
  EXPECT_EQ(broken(wake.taken(0, quiet)), fine);
  wake.slept(0, 0, 10);
  wake.freed(50);
  EXPECT_EQ(broken(wake.woke(0, 160, quiet)), "bounded_wake") << "and then takes it";
}

TEST(BoundedWake, NapsAddUpUntilItIsTaken) {
  const Faults quiet;
  BoundedWake wake(100);
  const auto nap = [&](std::uint64_t from_ns) {
    wake.slept(0, 0, from_ns);
    return broken(wake.woke(0, from_ns + 60, quiet));
  };
  EXPECT_EQ(nap(0), fine);
  EXPECT_EQ(nap(500), "bounded_wake") << "120 of them asleep";
  wake.reset();
  EXPECT_EQ(nap(0), fine);
  EXPECT_EQ(broken(wake.taken(200, quiet)), fine);
  EXPECT_EQ(nap(300), fine);
  wake.freed(400);
  EXPECT_EQ(nap(500), fine);
  EXPECT_EQ(nap(600), "bounded_wake");
}

TEST(BoundedWake, ADeadlineFreesToo) {
  const Faults quiet;
  BoundedWake wake(100);
  EXPECT_EQ(broken(wake.taken(0, quiet, 1000)), fine);
  wake.slept(0, 0, 10);
  EXPECT_EQ(broken(wake.check(1100, quiet)), fine);
  EXPECT_EQ(broken(wake.check(1101, quiet)), "bounded_wake");
  wake.reset();
  EXPECT_EQ(broken(wake.taken(0, quiet, 1000)), fine);
  wake.slept(0, 0, 10);
  wake.renewed(5000);
  EXPECT_EQ(broken(wake.check(5100, quiet)), fine);
}

TEST(BoundedWake, CountsFromTheLastFaultAndOnlyTheLiving) {
  Faults faults;
  BoundedWake wake(100);
  wake.slept(0, 0, 0);
  EXPECT_EQ(broken(wake.woke(0, 90, faults)), fine);
  faults.struck(95);
  wake.slept(0, 0, 100);
  EXPECT_EQ(broken(wake.check(200, faults)), fine) << "the nap before the fault is forgiven";
  faults.began();
  EXPECT_EQ(broken(wake.check(900, faults)), fine);
  faults.ended(1000);
  EXPECT_EQ(broken(wake.check(1100, faults)), fine);
  EXPECT_EQ(broken(wake.check(1101, faults)), "bounded_wake");
  wake.died(0);
  EXPECT_EQ(broken(wake.check(5000, faults)), fine);
}

TEST(Recovery, TheNextOneIsGrantedInTimeAndTold) {
  const Faults quiet;
  Recovery recovery(100);
  const auto after_a_death = [&] {
    recovery.reset();
    recovery.begin_wait(1, 1, 10);
    recovery.died(0, true, 50);
  };
  after_a_death();
  EXPECT_EQ(broken(recovery.granted(1, true, 150, quiet)), fine);
  after_a_death();
  EXPECT_EQ(broken(recovery.granted(1, true, 151, quiet)), "recovery") << "late";
  after_a_death();
  EXPECT_EQ(broken(recovery.granted(1, false, 60, quiet)), "recovery") << "not told";
  after_a_death();
  EXPECT_EQ(broken(recovery.check(150, quiet)), fine);
  EXPECT_EQ(broken(recovery.check(151, quiet)), "recovery") << "never";
  after_a_death();
  recovery.died(1, false, 60);
  EXPECT_EQ(broken(recovery.check(5000, quiet)), fine) << "nobody waits";
  recovery.begin_wait(2, 2, 5000);
  EXPECT_EQ(broken(recovery.granted(2, true, 5100, quiet)), fine) << "from when one began to wait";
}

TEST(Recovery, NobodyIsToldOfADeathThatWasNone) {
  const Faults quiet;
  Recovery recovery(100);
  EXPECT_EQ(broken(recovery.granted(1, true, 10, quiet)), "recovery");
  recovery.died(0, false, 20);
  EXPECT_EQ(broken(recovery.granted(1, true, 30, quiet)), fine) << "it may have held it";
  EXPECT_EQ(broken(recovery.granted(1, true, 40, quiet)), "recovery") << "told twice";
}

TEST(Liveness, EveryWaiterIsServedInTime) {
  const Faults quiet;
  Liveness liveness(100);
  liveness.begin_wait(0, 0, 10);
  EXPECT_EQ(broken(liveness.served(0, 110, quiet)), fine);
  liveness.begin_wait(0, 0, 200);
  EXPECT_EQ(broken(liveness.served(0, 301, quiet)), "liveness");
  EXPECT_EQ(broken(liveness.check(1000, quiet)), fine) << "it waits no more";
  liveness.begin_wait(0, 0, 1000);
  EXPECT_EQ(broken(liveness.gave_up(0, 1050, quiet)), fine);
  liveness.begin_wait(0, 0, 2000);
  EXPECT_EQ(broken(liveness.gave_up(0, 2200, quiet)), "liveness");
  liveness.begin_wait(0, 0, 3000);
  EXPECT_EQ(broken(liveness.check(3101, quiet)), "liveness") << "never served";
  liveness.died(0);
  EXPECT_EQ(broken(liveness.check(3101, quiet)), fine);
}

TEST(Liveness, CountsFromTheLastFault) {
  Faults faults;
  Liveness liveness(100);
  liveness.begin_wait(0, 0, 10);
  faults.struck(500);
  EXPECT_EQ(broken(liveness.check(600, faults)), fine);
  EXPECT_EQ(broken(liveness.check(601, faults)), "liveness");
  faults.began();
  EXPECT_EQ(broken(liveness.check(900, faults)), fine);
}

TEST(Properties, AResetForgetsTheRunBefore) {
  const Faults quiet;
  Fairness fairness(0);
  fairness.queued(0, 0);
  fairness.stopped(1);
  fairness.reset();
  EXPECT_EQ(broken(fairness.granted(9)), fine);
  fairness.queued(1, 1);
  EXPECT_EQ(broken(fairness.granted(9)), "fairness") << "process 1 is not stopped any more";

  BoundedWake wake(100);
  EXPECT_EQ(broken(wake.taken(0, quiet)), fine);
  wake.slept(0, 0, 0);
  wake.reset();
  EXPECT_EQ(broken(wake.check(1000, quiet)), fine);
  wake.slept(0, 0, 0);
  EXPECT_EQ(broken(wake.check(1000, quiet)), "bounded_wake") << "free at the start";

  Recovery recovery(100);
  recovery.begin_wait(1, 1, 0);
  recovery.died(0, true, 10);
  recovery.reset();
  EXPECT_EQ(broken(recovery.check(1000, quiet)), fine);
  EXPECT_EQ(broken(recovery.granted(1, true, 1000, quiet)), "recovery") << "nobody died in this run";

  Liveness liveness(100);
  liveness.begin_wait(0, 0, 0);
  liveness.reset();
  EXPECT_EQ(broken(liveness.check(1000, quiet)), fine);
}

TEST(ParticipantDeath, ANumberTooLargeEndsTheProgramWithASentence) {
  Liveness liveness(100);
  EXPECT_DEATH(liveness.begin_wait(participants_max, 0, 0), "numbers lie below 64");
}

// The forms that take a world, in one: a lock whose grant ignores everything.
class Careless : public Scenario {
 public:
  explicit Careless(std::string_view property) : property_(property) {}
  std::string_view name() const override { return "careless"; }
  Config config() const override { return {}; }
  void setup(World& world) override {
    word_.store(0);
    faults_.reset();
    fencing_.reset();
    belief_.reset();
    fairness_.reset();
    wake_.reset();
    recovery_.reset();
    liveness_.reset();
    world.spawn(world.spawn_process(false), [this] { run(*World::active()); });
  }

 private:
  void run(World& world) {
    liveness_.begin_wait(world);
    recovery_.begin_wait(world);
    fairness_.queued(world);
    wake_.slept(world);
    const auto grant = fencing_.granted();
    word_.fetch_add(1);
    word_.fetch_add(1);
    if (property_ == "liveness") liveness_.served(world, faults_);
    if (property_ == "bounded_wake") wake_.woke(world, faults_);
    if (property_ == "recovery") recovery_.granted(world, true, faults_);
    if (property_ == "belief") report(world, belief_.believes(9, world.true_now()));
    belief_.believes(world);
    fencing_.granted();
    fencing_.wrote(world, property_ == "fencing" ? grant : grant + 1);
    fairness_.granted(world);
    fairness_.queued(9, 9);
    if (property_ == "fairness") fairness_.granted(world);
    belief_.stops(world);
  }

  std::string_view property_;
  Atomic<std::uint32_t> word_;
  Faults faults_;
  Fencing fencing_{Fencing::Guard::sees_grants};
  BeliefOverlap belief_;
  Fairness fairness_{0};
  BoundedWake wake_{1};
  Recovery recovery_{1'000'000};
  Liveness liveness_{1};
};

class InAWorld : public testing::TestWithParam<std::string_view> {};

TEST_P(InAWorld, FailsTheRun) {
  Careless scenario(GetParam());
  EXPECT_EQ(Runner(scenario).run_at(1).property, GetParam());
}

INSTANTIATE_TEST_SUITE_P(EveryProperty, InAWorld,
                         testing::Values("", "liveness", "bounded_wake", "recovery", "belief", "fencing", "fairness"));

}  // namespace
}  // namespace tenure::sim
