// Histories of each kind of lock, made by hand: what a lock may answer, and what it may not.
#include <tenure/sim/linearizability.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tenure::sim {
namespace {

using Kind = LockModel::Kind;
using Busy = LockModel::Busy;

constexpr auto good = Linearizability::linearizable;
constexpr auto bad = Linearizability::not_linearizable;

// A history written as a script. A call and its answer take one nanosecond each, unless told apart.
class Script {
 public:
  Script& did(SessionId session, Call call, Response answer, const Grant& grant = {}, const Request& request = {}) {
    calls(session, call, request);
    return answers(session, answer, grant);
  }
  Script& calls(SessionId session, Call call, const Request& request = {}) {
    recorder_.invoke(session, call, now_ns_++, request);
    return *this;
  }
  Script& answers(SessionId session, Response answer, const Grant& grant = {}) {
    recorder_.respond(session, answer, now_ns_++, grant);
    return *this;
  }
  Script& unknown(SessionId session) {
    recorder_.outcome_unknown(session);
    return *this;
  }
  Script& dies(SessionId session) {
    recorder_.crash(session, now_ns_++);
    return *this;
  }
  Script& at(std::uint64_t now_ns) {
    now_ns_ = now_ns;
    return *this;
  }

  Linearizability judged(const LockModel& model = {}) const { return LinearizabilityChecker().check(history(), model); }
  std::string explained(const LockModel& model = {}) const { return LinearizabilityChecker().explain(history(), model); }
  const History& history() const { return recorder_.history(); }

 private:
  HistoryRecorder recorder_;
  std::uint64_t now_ns_ = 0;
};

Script granted(SessionId session, std::uint64_t token = 0) {
  return Script().did(session, Call::acquire, Response::granted, {.token = token});
}

TEST(Exclusive, OneAfterTheOther) {
  EXPECT_EQ(Script().judged(), good);
  EXPECT_EQ(granted(0).did(0, Call::release, Response::ok).did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(granted(0).did(1, Call::acquire, Response::granted).judged(), bad);
  EXPECT_EQ(granted(0).did(0, Call::acquire, Response::granted).judged(), bad) << "it is not re-entrant";
}

TEST(Exclusive, TheReleaseMayTakeEffectBeforeItsAnswer) {
  EXPECT_EQ(granted(0).calls(0, Call::release).did(1, Call::acquire, Response::granted).answers(0, Response::ok).judged(), good);
  EXPECT_EQ(granted(0).calls(1, Call::acquire).calls(0, Call::release).answers(1, Response::granted).answers(0, Response::ok).judged(),
            good);
  EXPECT_EQ(granted(0).calls(1, Call::acquire).answers(1, Response::granted).did(0, Call::release, Response::ok).judged(), bad);
}

TEST(Exclusive, WhoGivesUpHasNoEffect) {
  const auto gave_up = [](Response answer) {
    return granted(0).did(1, Call::acquire, answer).did(0, Call::release, Response::ok).did(2, Call::acquire, Response::granted).judged();
  };
  for (const Response answer : {Response::timed_out, Response::cancelled, Response::refused}) EXPECT_EQ(gave_up(answer), good);
}

TEST(Exclusive, BusyOnlyWhileSomebodyHoldsIt) {
  EXPECT_EQ(granted(0).did(1, Call::try_acquire, Response::busy).judged(), good);
  EXPECT_EQ(Script().did(1, Call::try_acquire, Response::busy).judged(), bad);
  EXPECT_EQ(Script().did(1, Call::try_acquire, Response::busy).judged({.busy = Busy::spurious}), good);
  EXPECT_EQ(Script().did(1, Call::try_acquire, Response::busy).judged({.busy = Busy::queued}), bad);
  EXPECT_EQ(Script().calls(0, Call::acquire).did(1, Call::try_acquire, Response::busy).judged({.busy = Busy::queued}), good);
  EXPECT_EQ(granted(0).calls(1, Call::try_acquire).did(0, Call::release, Response::ok).answers(1, Response::busy).judged(), good);
  EXPECT_EQ(granted(0).did(0, Call::release, Response::ok).did(1, Call::try_acquire, Response::busy).judged(), bad);
}

TEST(Exclusive, OnlyTheHolderReleases) {
  EXPECT_EQ(granted(0).did(1, Call::release, Response::not_held).judged(), good);
  EXPECT_EQ(granted(0).did(1, Call::release, Response::ok).judged(), bad);
  EXPECT_EQ(granted(0).did(0, Call::release, Response::not_held).judged(), bad) << "nothing has ended the hold";
  EXPECT_EQ(granted(0).did(0, Call::release, Response::ok).did(0, Call::release, Response::ok).judged(), bad);
}

TEST(Exclusive, ABreakNamesTheHold) {
  EXPECT_EQ(granted(0, 7).did(1, Call::break_lease, Response::ok, {}, {.token = 7}).did(2, Call::acquire, Response::granted).judged(),
            good);
  EXPECT_EQ(granted(0, 7).did(1, Call::break_lease, Response::ok, {}, {.token = 6}).judged(), bad);
  EXPECT_EQ(granted(0, 7).did(1, Call::break_lease, Response::not_held, {}, {.token = 6}).judged(), good);
  EXPECT_EQ(granted(0, 7).did(1, Call::break_lease, Response::ok).did(0, Call::release, Response::lost).judged(), good);
  EXPECT_EQ(granted(0, 7).did(1, Call::break_lease, Response::ok).did(0, Call::release, Response::ok).judged(), bad);
}

TEST(Crash, EndsTheHoldAtAnyLaterTime) {
  EXPECT_EQ(granted(0).dies(0).did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(granted(0).dies(0).did(1, Call::try_acquire, Response::busy).did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(granted(0).did(1, Call::acquire, Response::granted).dies(0).judged(), bad) << "the grant came before the death";
  EXPECT_EQ(granted(0).calls(1, Call::acquire).dies(0).answers(1, Response::granted).judged(), good);
  EXPECT_EQ(granted(0).dies(1).did(2, Call::acquire, Response::granted).judged(), bad) << "somebody else died";
}

TEST(Crash, WhatWasUnderWayMayHappenOrNot) {
  const auto dead_caller = [] { return Script().calls(0, Call::acquire).dies(0); };
  EXPECT_EQ(dead_caller().did(1, Call::try_acquire, Response::granted).judged(), good);
  EXPECT_EQ(dead_caller().did(1, Call::try_acquire, Response::busy).judged(), good);
  EXPECT_EQ(dead_caller().did(1, Call::try_acquire, Response::granted).did(2, Call::try_acquire, Response::granted).judged(), bad);
  // A request that arrives after the death of its sender, between two others.
  EXPECT_EQ(dead_caller()
                .did(1, Call::try_acquire, Response::granted)
                .did(1, Call::release, Response::ok)
                .did(2, Call::try_acquire, Response::busy)
                .did(2, Call::try_acquire, Response::granted)
                .judged(),
            good);
  // It happens once.
  EXPECT_EQ(dead_caller()
                .did(1, Call::try_acquire, Response::busy)
                .did(1, Call::try_acquire, Response::granted)
                .did(1, Call::release, Response::ok)
                .did(1, Call::try_acquire, Response::busy)
                .judged(),
            bad);
  EXPECT_EQ(granted(0).calls(0, Call::release).dies(0).did(1, Call::try_acquire, Response::busy).judged(), good);
}

TEST(UnknownOutcome, IsPendingForEver) {
  const auto asked = [] { return Script().calls(0, Call::acquire).unknown(0); };
  EXPECT_EQ(asked().did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(asked().did(0, Call::release, Response::ok).judged(), good) << "it took effect";
  EXPECT_EQ(asked().did(0, Call::release, Response::not_held).judged(), good);
  EXPECT_EQ(asked().did(0, Call::release, Response::ok).did(0, Call::release, Response::ok).judged(), bad) << "once";
}

TEST(Deadline, EndsTheHoldFromThenOn) {
  const auto until_100 = [] { return Script().did(0, Call::acquire, Response::granted, {.deadline_ns = 100}); };
  EXPECT_EQ(until_100().at(50).did(1, Call::acquire, Response::granted).judged(), bad);
  EXPECT_EQ(until_100().at(100).did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(until_100().calls(1, Call::acquire).at(99).answers(1, Response::granted).judged(), bad);
  EXPECT_EQ(until_100().calls(1, Call::acquire).at(100).answers(1, Response::granted).judged(), good);
  EXPECT_EQ(until_100().at(500).did(1, Call::try_acquire, Response::busy).judged(), good) << "it may, it need not";
  EXPECT_EQ(until_100().at(500).did(0, Call::release, Response::lost).judged(), good);
  EXPECT_EQ(until_100().at(50).did(0, Call::release, Response::lost).judged(), bad);
}

TEST(Deadline, IsRenewedOrLost) {
  const auto until_100 = [] { return Script().did(0, Call::acquire, Response::granted, {.deadline_ns = 100}); };
  const auto renewed = [&] { return until_100().at(50).did(0, Call::renew, Response::ok, {.deadline_ns = 200}); };
  EXPECT_EQ(renewed().at(150).did(1, Call::acquire, Response::granted).judged(), bad);
  EXPECT_EQ(renewed().at(200).did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(until_100().at(120).did(0, Call::renew, Response::lost).did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(until_100().at(50).did(0, Call::renew, Response::lost).judged(), bad);
  // Row 6 of the bugs that locks shipped: a renewal that revives a lease after somebody else was granted it.
  EXPECT_EQ(until_100().at(120).did(1, Call::acquire, Response::granted).did(0, Call::renew, Response::ok).judged(), bad);
}

TEST(Deadline, OfAnAcquisitionThatWasNeverAnswered) {
  const auto asked = [](std::uint64_t deadline_ns) {
    return Script().calls(0, Call::acquire, {.deadline_ns = deadline_ns}).unknown(0).did(1, Call::try_acquire, Response::busy);
  };
  EXPECT_EQ(asked(100).at(100).did(1, Call::acquire, Response::granted).judged(), good);
  EXPECT_EQ(asked(100).at(50).did(1, Call::acquire, Response::granted).judged(), bad);
  EXPECT_EQ(asked(no_deadline_ns).at(100).did(1, Call::acquire, Response::granted).judged(), bad);
}

TEST(Fenced, TokensGrow) {
  const LockModel fenced{.fenced = true};
  const auto two = [&](std::uint64_t first, std::uint64_t second) {
    return granted(0, first).did(0, Call::release, Response::ok).did(1, Call::acquire, Response::granted, {.token = second}).judged(fenced);
  };
  EXPECT_EQ(two(4, 5), good);
  EXPECT_EQ(two(4, 9), good);
  EXPECT_EQ(two(4, 4), bad);
  EXPECT_EQ(two(5, 4), bad);
  EXPECT_EQ(two(0, 1), bad) << "a grant without a token";
}

TEST(Fenced, AGrantThatNobodyWasToldOfHasATokenToo) {
  const LockModel fenced{.fenced = true};
  const auto between = [](std::uint64_t next) {
    return granted(0, 4)
        .did(0, Call::release, Response::ok)
        .calls(1, Call::acquire)
        .dies(1)
        .did(2, Call::try_acquire, Response::busy)
        .did(2, Call::acquire, Response::granted, {.token = next});
  };
  EXPECT_EQ(between(6).judged(fenced), good);
  EXPECT_EQ(between(5).judged(fenced), bad) << "that one was the dead session's";
}

TEST(Reentrant, CountsAndKeepsItsToken) {
  const LockModel model{.reentrant = true, .fenced = true};
  const auto twice = [](std::uint64_t second) { return granted(0, 4).did(0, Call::acquire, Response::granted, {.token = second}); };
  const auto next = [](Script script) { return script.did(1, Call::acquire, Response::granted, {.token = 9}); };
  EXPECT_EQ(twice(4).judged(model), good);
  EXPECT_EQ(twice(5).judged(model), bad);
  EXPECT_EQ(next(twice(4).did(0, Call::release, Response::ok)).judged(model), bad);
  EXPECT_EQ(next(twice(4).did(0, Call::release, Response::ok).did(0, Call::release, Response::ok)).judged(model), good);
  EXPECT_EQ(next(twice(4).dies(0)).judged(model), good) << "a death ends all of it";
}

TEST(Shared, ReadersOrOneWriter) {
  const LockModel shared{.kind = Kind::shared};
  const auto readers = [] {
    return Script().did(0, Call::acquire_shared, Response::granted).did(1, Call::try_acquire_shared, Response::granted);
  };
  EXPECT_EQ(readers().judged(shared), good);
  EXPECT_EQ(readers().did(2, Call::acquire, Response::granted).judged(shared), bad);
  EXPECT_EQ(readers().did(2, Call::try_acquire, Response::busy).judged(shared), good);
  EXPECT_EQ(granted(0).did(1, Call::acquire_shared, Response::granted).judged(shared), bad);
  EXPECT_EQ(readers().did(0, Call::release, Response::ok).did(2, Call::acquire, Response::granted).judged(shared), bad);
  EXPECT_EQ(readers().did(0, Call::release, Response::ok).dies(1).did(2, Call::acquire, Response::granted).judged(shared), good);
}

TEST(Shared, UpgradeAndDowngrade) {
  const LockModel shared{.kind = Kind::shared, .fenced = true};
  const auto one = [] { return Script().did(0, Call::acquire_shared, Response::granted, {.token = 1}); };
  const auto two = [&] { return one().did(1, Call::acquire_shared, Response::granted, {.token = 2}); };
  EXPECT_EQ(one().did(0, Call::upgrade, Response::granted).judged(shared), good);
  EXPECT_EQ(one().did(0, Call::upgrade, Response::granted, {.token = 1}).judged(shared), bad) << "a token that was given before";
  EXPECT_EQ(two().did(0, Call::upgrade, Response::granted).judged(shared), bad);
  EXPECT_EQ(two().did(0, Call::upgrade, Response::busy).judged(shared), good);
  EXPECT_EQ(one().did(0, Call::upgrade, Response::busy).judged(shared), bad);
  EXPECT_EQ(two().calls(0, Call::upgrade).did(1, Call::release, Response::ok).answers(0, Response::granted).judged(shared), good);
  // Both wait for each other: each may give up, not both be granted.
  EXPECT_EQ(two().calls(0, Call::upgrade).did(1, Call::upgrade, Response::timed_out).answers(0, Response::timed_out).judged(shared), good);
  EXPECT_EQ(two().calls(0, Call::upgrade).did(1, Call::upgrade, Response::granted).answers(0, Response::granted).judged(shared), bad);

  const auto writer = [] { return granted(0, 1).did(0, Call::downgrade, Response::ok); };
  EXPECT_EQ(writer().did(1, Call::acquire_shared, Response::granted, {.token = 2}).judged(shared), good);
  EXPECT_EQ(writer().did(1, Call::acquire, Response::granted, {.token = 2}).judged(shared), bad);
  EXPECT_EQ(writer().did(0, Call::downgrade, Response::ok).judged(shared), bad);
}

TEST(Semaphore, HasSoManyPermits) {
  const LockModel three{.kind = Kind::semaphore, .permits = 3};
  const auto take = [](Script script, SessionId session, std::uint32_t permits, Response answer = Response::granted) {
    return script.did(session, Call::try_acquire_permits, answer, {}, {.permits = permits});
  };
  EXPECT_EQ(take(take({}, 0, 2), 1, 1).judged(three), good);
  EXPECT_EQ(take(take({}, 0, 2), 1, 2).judged(three), bad);
  EXPECT_EQ(take(take({}, 0, 2), 1, 2, Response::busy).judged(three), good);
  EXPECT_EQ(take(take({}, 0, 2), 1, 1, Response::busy).judged(three), bad);
  EXPECT_EQ(take(take(take({}, 0, 2), 0, 1), 1, 1).judged(three), bad) << "a session's permits add up";
  EXPECT_EQ(take(take({}, 0, 3).did(0, Call::release, Response::ok, {}, {.permits = 1}), 1, 1).judged(three), good);
  EXPECT_EQ(take(take({}, 0, 3).did(0, Call::release, Response::ok, {}, {.permits = 1}), 1, 2).judged(three), bad);
  EXPECT_EQ(take(take({}, 0, 3).did(0, Call::release, Response::ok), 1, 3).judged(three), good) << "all of them";
  EXPECT_EQ(take({}, 0, 1).did(0, Call::release, Response::ok, {}, {.permits = 2}).judged(three), bad);
  EXPECT_EQ(take(take({}, 0, 3).dies(0), 1, 3).judged(three), good);
}

TEST(Histories, ThatAreNone) {
  const auto complaint = [](const Script& script) { return std::string(script.history().complaint()); };
  EXPECT_NE(complaint(Script().dies(0).dies(0)), "");
  EXPECT_NE(complaint(Script().dies(0).calls(0, Call::acquire)), "");
  EXPECT_NE(complaint(Script().did(0, Call::acquire, Response::not_held)), "");
  EXPECT_NE(complaint(Script().at(5).calls(0, Call::acquire).at(4).calls(1, Call::acquire)), "");
  EXPECT_NE(complaint(Script().calls(History::sessions_max, Call::acquire)), "");
  const Script shared = Script().did(0, Call::acquire_shared, Response::granted);
  EXPECT_EQ(complaint(shared), "");
  EXPECT_EQ(shared.judged(), Linearizability::malformed) << "an exclusive lock has no shared mode";
  EXPECT_NE(shared.explained(), "");
  EXPECT_EQ(Script().dies(0).dies(0).judged(), Linearizability::malformed);
}

TEST(Histories, ThatAreFull) {
  Script script;
  const auto rounds = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) script.did(i % 3, Call::acquire, Response::granted).did(i % 3, Call::release, Response::ok);
  };
  rounds(History::operations_max / 2);
  EXPECT_EQ(script.judged(), good);
  rounds(1);
  EXPECT_TRUE(script.history().full());
  EXPECT_EQ(script.history().size(), History::operations_max);
  EXPECT_EQ(script.judged(), Linearizability::undecided) << "nobody knows how it went on";
  EXPECT_NE(script.explained(), "");

  script = granted(7);
  rounds(History::operations_max);
  EXPECT_TRUE(script.history().full());
  EXPECT_EQ(script.judged(), bad) << "what it has is bad enough";
}

TEST(Histories, AreUsedAgain) {
  History history;
  const OperationId acquire = history.invoke(0, Call::acquire, 10);
  history.respond(acquire, Response::granted, 11);
  history.crash(0, 12);
  history.reset();
  EXPECT_EQ(history.size(), 0U);
  EXPECT_FALSE(history.crashed(0));
  EXPECT_NE(history.invoke(0, Call::acquire, 1), History::no_operation) << "time starts anew";
}

// Many at once, in an order that has to be found: session i is granted in the order of the tokens, all calls overlap.
TEST(Search, FindsTheOrderAmongMany) {
  constexpr SessionId sessions = 10;
  Script script;
  for (SessionId i = 0; i < sessions; ++i) script.calls(i, Call::acquire);
  for (SessionId i = 0; i < sessions; ++i) script.answers(i, Response::granted, {.token = 100 - i});
  for (SessionId i = 0; i < sessions; ++i) script.calls(i, Call::release);
  for (SessionId i = 0; i < sessions; ++i) script.answers(i, Response::ok);
  EXPECT_EQ(script.judged({.fenced = true}), bad) << "all hold it before anybody releases";
  EXPECT_EQ(script.judged({.kind = Kind::semaphore, .permits = sessions, .fenced = true}), good);
}

// The subsets of ten that hold it are a thousand, their orders millions.
TEST(Search, LooksAtAStateOnce) {
  constexpr SessionId sessions = 10;
  Script script;
  for (SessionId i = 0; i < sessions; ++i) script.calls(i, Call::acquire);
  script.calls(sessions, Call::acquire);
  for (SessionId i = 0; i <= sessions; ++i) script.answers(i, Response::granted);
  LinearizabilityChecker checker;
  EXPECT_EQ(checker.check(script.history(), {.kind = Kind::semaphore, .permits = sessions}), bad);
  EXPECT_LE(checker.states(), 3000U);
  EXPECT_EQ(checker.check(script.history(), {.kind = Kind::semaphore, .permits = sessions + 1}), good)
      << "nothing is left of the last search";
}

TEST(Search, GivesUpWithAWord) {
  constexpr SessionId sessions = 12;
  Script script;
  for (SessionId i = 0; i < sessions; ++i) script.calls(i, Call::acquire);
  for (SessionId i = 0; i < sessions; ++i) script.answers(i, Response::granted, {.token = i % 2 == 0 ? 100 - i : i + 1});
  script.did(20, Call::acquire, Response::granted, {.token = 50});
  LinearizabilityChecker hasty(3);
  const LockModel model{.kind = Kind::semaphore, .permits = 100, .fenced = true};
  EXPECT_EQ(hasty.check(script.history(), model), Linearizability::undecided);
  EXPECT_NE(hasty.explain(script.history(), model), "");
  EXPECT_EQ(LinearizabilityChecker().check(script.history(), model), bad);
}

TEST(Search, TakesNoWrongTurnInAUsualHistory) {
  Script script;
  script.calls(1, Call::acquire).calls(2, Call::acquire);
  for (SessionId i = 0; i < 3; ++i) {
    script.did(0, Call::try_acquire, Response::granted).calls(0, Call::release).answers(0, Response::ok);
  }
  script.answers(2, Response::granted).calls(2, Call::release).answers(1, Response::granted).answers(2, Response::ok);
  LinearizabilityChecker checker;
  EXPECT_EQ(checker.check(script.history(), {}), good);
  EXPECT_LE(checker.states(), script.history().size() + 1);
}

TEST(Explanation, NamesTheAnswerThatFitsNowhere) {
  Script script = granted(3, 1);
  script.did(3, Call::release, Response::ok).did(0, Call::acquire, Response::granted, {.token = 2});
  script.calls(1, Call::acquire).did(0, Call::renew, Response::ok).answers(1, Response::granted, {.token = 4});
  script.did(0, Call::release, Response::ok);
  EXPECT_EQ(script.explained({.fenced = true}),
            "no order of the answers is one of an exclusive lock, fenced; all before, in an order, since it was last free:\n"
            "  session 0: acquire: granted with token 2 [4, 5] ns\n"
            "  session 0: renew: ok [7, 8] ns\n"
            "this one has no place there:\n"
            "  session 1: acquire: granted with token 4 [6, 9] ns\n"
            "as then session 0 holds it with token 2");
  EXPECT_EQ(granted(0).explained(), "");
}

TEST(Explanation, OfAnAnswerOnWhoseEffectAnotherRests) {
  History history;
  const OperationId acquire = history.invoke(0, Call::try_acquire, 1);
  const OperationId release = history.invoke(0, Call::release, 2);
  history.respond(release, Response::ok, 3);
  history.respond(acquire, Response::busy, 4);
  EXPECT_EQ(LinearizabilityChecker().explain(history, {}),
            "no order of the answers is one of an exclusive lock; all before, in an order, since it was last free:\n"
            "  session 0: try_acquire, unanswered [1, never)\n"
            "  session 0: release: ok [2, 3] ns\n"
            "this one has no place there:\n"
            "  session 0: try_acquire: busy [1, 4] ns\n"
            "as then nobody holds it");
}

TEST(Explanation, OfATokenThatDoesNotGrow) {
  const std::string text =
      granted(0, 5).did(0, Call::release, Response::ok).did(1, Call::acquire, Response::granted, {.token = 5}).explained({.fenced = true});
  EXPECT_NE(text.find("as then a grant with token 5 came before"), std::string::npos) << text;
}

struct FakeWorld {
  std::string property;
  std::uint32_t noted = 0;
  void fail(std::string_view what, std::string_view) { property = what; }
  void sometimes(const char*) { ++noted; }
};

TEST(Judge, FailsTheRun) {
  LinearizabilityChecker checker;
  FakeWorld world;
  judge(world, checker, granted(0).history(), {});
  EXPECT_EQ(world.property, "");
  judge(world, checker, granted(0).did(1, Call::acquire, Response::granted).history(), {});
  EXPECT_EQ(world.property, "linearizability");
  judge(world, checker, Script().dies(0).dies(0).history(), {});
  EXPECT_EQ(world.property, "history");
  Script full;
  for (std::uint32_t i = 0; i <= History::operations_max; ++i) full.did(0, Call::acquire, Response::timed_out);
  judge(world, checker, full.history(), {});
  EXPECT_EQ(world.noted, 1U);
}

}  // namespace
}  // namespace tenure::sim
