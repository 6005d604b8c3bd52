#include "ipc/real_platform.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include <array>

#include "core/lease_word.hpp"
#include "ipc/descriptor.hpp"
#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;
using core::ByteClaim;
using core::WaitResult;
using Watch = core::Watch<RealPlatform>;

constexpr std::uint64_t minute_ns = 60'000'000'000;

class RealPlatformTest : public ::testing::Test {
 protected:
  RealPlatformTest() {
    options_.directory = directory_ / "place";
    options_.state_directory = directory_ / "state";
    options_.capacity = {352, 130};
    segment_ = value_of(SegmentFile::open(options_));
    platform_ = std::make_unique<RealPlatform>(*segment_);
  }
  ~RealPlatformTest() override {
    force_kernel_abilities(std::nullopt);
    platform_.reset();
  }
  static std::atomic<std::uint32_t>& bell_in(const SegmentFile& segment, std::uint32_t slot) {
    auto* slots = reinterpret_cast<core::Segment<RealPlatform>::Slot*>(segment.base() + segment.geometry().slot_offset);
    return slots[slot].bells[0];
  }
  std::atomic<std::uint32_t>& bell(std::uint32_t slot) const { return bell_in(*segment_, slot); }
  // What a process with an own attachment says.
  int elsewhere(const std::function<int(RealPlatform&)>& body) const {
    return in_child([&] {
      const auto segment = value_of(SegmentFile::open(options_));
      RealPlatform platform(*segment);
      return body(platform);
    });
  }
  void expect_wakes_by_the_second_word(RealPlatform& platform) {
    const Shared<std::array<std::atomic<std::uint32_t>, 2>> words;
    Child changer([&] {
      std::this_thread::sleep_for(20ms);
      (*words)[1].store(1);
      wake_sleepers((*words)[1], 1);
      return 0;
    });
    const Watch watches[] = {{&(*words)[0], 0}, {&(*words)[1], 0}};
    while ((*words)[1].load() == 0) ASSERT_NE(platform.wait(watches, minute_ns), WaitResult::timed_out);
  }

  TemporaryDirectory directory_;
  SpaceOptions options_;
  std::unique_ptr<SegmentFile> segment_;
  std::unique_ptr<RealPlatform> platform_;
};

TEST_F(RealPlatformTest, a_wait_ends_by_any_of_its_words) { expect_wakes_by_the_second_word(*platform_); }

TEST_F(RealPlatformTest, a_wait_ends_by_any_of_its_words_also_without_futex_waitv) {
  force_kernel_abilities(KernelAbilities{false, true, true, true});
  RealPlatform plain(*segment_);
  expect_wakes_by_the_second_word(plain);
}

TEST_F(RealPlatformTest, a_wait_knows_what_has_changed_before_it_began_and_when_its_time_is_over) {
  std::array<std::atomic<std::uint32_t>, 32> words{};
  std::vector<Watch> watches;
  for (auto& word : words) watches.push_back({&word, 0});
  force_kernel_abilities(KernelAbilities{false, true, true, true});
  RealPlatform plain(*segment_);
  for (RealPlatform* platform : {platform_.get(), &plain}) {
    for (const std::size_t count : {0u, 1u, 2u, 32u}) {
      words[31] = words[0] = 0;
      const std::span<const Watch> some(watches.data(), count);
      EXPECT_EQ(platform->wait(some, 1'000'000), WaitResult::timed_out) << count;
      EXPECT_EQ(platform->wait(some, 0), WaitResult::timed_out) << count;
      if (count == 0) continue;
      words[count - 1] = 1;
      EXPECT_EQ(platform->wait(some, minute_ns), WaitResult::changed) << count;
      words[count - 1] = 0;
    }
  }
}

TEST_F(RealPlatformTest, under_a_filter_that_forbids_it_all_sleeps_and_bytes_still_work_and_bells_say_no) {
  EXPECT_EQ(in_child([&] {
              if (!forbid_system_calls({449, SYS_set_robust_list})) return 2;
              const auto segment = value_of(SegmentFile::open(options_));
              RealPlatform platform(*segment);
              expect_wakes_by_the_second_word(platform);
              if (platform.arm_bell(bell_in(*segment, 3))) return 3;
              return platform.claim_byte(3) == ByteClaim::claimed ? 0 : 4;
            }),
            0);
}

TEST_F(RealPlatformTest, wake_wakes_no_more_than_it_is_told) {
  const Shared<std::atomic<std::uint32_t>> word, woken;
  std::vector<std::unique_ptr<Child>> sleepers;
  for (int i = 0; i < 3; ++i) {
    sleepers.push_back(std::make_unique<Child>([&] {
      const Watch watches[] = {{&*word, 0}};
      (void)platform_->wait(watches, minute_ns);
      woken->fetch_add(1);
      return 0;
    }));
  }
  std::this_thread::sleep_for(50ms);
  platform_->wake(*word, 1);
  EXPECT_TRUE(eventually([&] { return woken->load() == 1; }));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(woken->load(), 1u);
  platform_->wake(*word, ~std::uint32_t{0});
  EXPECT_TRUE(eventually([&] { return woken->load() == 3; }));
}

TEST_F(RealPlatformTest, a_byte_has_one_claimant_on_the_whole_host) {
  EXPECT_EQ(platform_->claim_byte(5), ByteClaim::claimed);
  EXPECT_EQ(platform_->claim_byte(5), ByteClaim::held_by_other) << "by another session of this object";
  EXPECT_TRUE(platform_->byte_is_held(5)) << "a session without a bell lives for its own process, too";
  const auto second = value_of(SegmentFile::open(options_));
  RealPlatform other(*second);
  EXPECT_EQ(other.claim_byte(5), ByteClaim::held_by_other) << "by another object of this process";
  EXPECT_EQ(elsewhere([](RealPlatform& platform) {
              return platform.byte_is_held(5) && !platform.byte_is_held(6) && platform.claim_byte(5) == ByteClaim::held_by_other ? 0 : 1;
            }),
            0);
  platform_->free_byte(5);
  EXPECT_FALSE(platform_->byte_is_held(5));
  EXPECT_EQ(elsewhere([](RealPlatform& platform) { return platform.claim_byte(5) == ByteClaim::claimed ? 0 : 1; }), 0);
  EXPECT_FALSE(platform_->byte_is_held(5)) << "its claimant has died";
}

TEST_F(RealPlatformTest, a_byte_that_was_another_s_can_be_claimed_when_it_is_free) {
  const auto second = value_of(SegmentFile::open(options_));
  RealPlatform other(*second);
  ASSERT_EQ(other.claim_byte(9), ByteClaim::claimed);
  ASSERT_EQ(platform_->claim_byte(9), ByteClaim::held_by_other);
  other.free_byte(9);
  EXPECT_EQ(platform_->claim_byte(9), ByteClaim::claimed);
}

TEST_F(RealPlatformTest, a_child_may_claim_what_its_parent_has_given_back) {
  const Shared<std::atomic<int>> given_back;
  ASSERT_EQ(platform_->claim_byte(9), ByteClaim::claimed);
  Child child([&] {
    while (given_back->load() == 0) usleep(100);
    if (platform_->renew_after_fork().has_value()) return 1;
    return platform_->claim_byte(9) == ByteClaim::claimed ? 0 : 2;
  });
  platform_->free_byte(9);
  given_back->store(1);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(RealPlatformTest, the_first_and_the_last_slot_and_none_beyond) {
  EXPECT_EQ(platform_->claim_byte(0), ByteClaim::claimed);
  EXPECT_EQ(platform_->claim_byte(129), ByteClaim::claimed);
  EXPECT_EQ(platform_->claim_byte(130), ByteClaim::failed);
  EXPECT_TRUE(platform_->byte_is_held(130));
  platform_->free_byte(130);
}

TEST_F(RealPlatformTest, of_threads_that_claim_one_byte_at_once_one_has_it) {
  std::atomic<int> inside{0}, overlaps{0}, claims{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        if (platform_->claim_byte(1) != ByteClaim::claimed) continue;
        overlaps += inside.fetch_add(1);
        overlaps += is_write_locked(segment_->lock_descriptor(), 0) ? 1 : 0;
        ++claims;
        inside.fetch_sub(1);
        platform_->free_byte(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(overlaps.load(), 0);
  EXPECT_GT(claims.load(), 0);
}

TEST_F(RealPlatformTest, who_locks_a_byte_for_reading_looks_not_alive) {
  const Descriptor reader(open((options_.directory + "/default.lock").c_str(), O_RDWR));
  ASSERT_EQ(lock_byte(reader.get(), slot_byte_first + 4, LockKind::read), LockOutcome::done);
  EXPECT_FALSE(platform_->byte_is_held(4));
}

TEST_F(RealPlatformTest, a_killed_process_frees_its_byte_and_rings_while_its_child_lives) {
  const Shared<std::atomic<pid_t>> orphan;
  Child holder([&] {
    const auto segment = value_of(SegmentFile::open(options_));
    RealPlatform platform(*segment);
    if (platform.claim_byte(7) != ByteClaim::claimed || !platform.arm_bell(bell_in(*segment, 7))) return 1;
    const pid_t pid = fork();
    if (pid == 0) sleep_until_killed();
    orphan->store(pid);
    sleep_until_killed();
  });
  ASSERT_TRUE(eventually([&] { return orphan->load() != 0; }));
  EXPECT_TRUE(platform_->byte_is_held(7));
  EXPECT_FALSE(core::bell::rung(bell(7).load()));
  holder.kill();
  EXPECT_TRUE(eventually([&] { return core::bell::rung(bell(7).load()); }));
  EXPECT_TRUE(eventually([&] { return !platform_->byte_is_held(7); }));
  EXPECT_EQ(kill(orphan->load(), SIGKILL), 0);
}

TEST_F(RealPlatformTest, a_child_can_do_nothing_to_the_sessions_of_its_parent) {
  ASSERT_EQ(platform_->claim_byte(2), ByteClaim::claimed);
  ASSERT_TRUE(platform_->arm_bell(bell(2)));
  EXPECT_TRUE(platform_->is_of_this_process());
  EXPECT_EQ(in_child([&] {
              if (platform_->is_of_this_process()) return 1;
              if (platform_->claim_byte(3) != ByteClaim::failed || !platform_->byte_is_held(3) || platform_->arm_bell(bell(3))) return 2;
              platform_->free_byte(2);
              platform_->disarm_bell(bell(2));
              if (platform_->renew_after_fork().has_value() || !platform_->is_of_this_process()) return 3;
              if (platform_->claim_byte(2) != ByteClaim::held_by_other || !platform_->byte_is_held(2)) return 4;
              platform_->free_byte(2);
              return platform_->claim_byte(3) == ByteClaim::claimed && platform_->arm_bell(bell(3)) ? 0 : 5;
            }),
            0);
  EXPECT_TRUE(core::bell::rung(bell(3).load()));
  EXPECT_FALSE(core::bell::rung(bell(2).load()));
  EXPECT_EQ(elsewhere([](RealPlatform& platform) { return platform.byte_is_held(2) && !platform.byte_is_held(3) ? 0 : 1; }), 0);
}

TEST_F(RealPlatformTest, two_objects_of_one_process_have_bells_of_their_own) {
  const auto second = value_of(SegmentFile::open(options_));
  {
    RealPlatform other(*second);
    ASSERT_TRUE(platform_->arm_bell(bell(0)));
    ASSERT_TRUE(other.arm_bell(bell_in(*second, 1)));
    EXPECT_NE(bell(0).load(), bell(1).load()) << "two threads";
  }
  EXPECT_FALSE(core::bell::rung(bell(0).load()));
}

TEST_F(RealPlatformTest, boottime_is_the_same_in_every_time_namespace) {
  const std::uint64_t before_ns = platform_->boottime_ns();
  const int status = in_child([&] {
    if (unshare(CLONE_NEWTIME) != 0) return 77;
    write_text("/proc/self/timens_offsets", "boottime 2000000 0");
    return in_child([&] {
      const auto attached = SegmentFile::open(options_);
      if (fault_in(attached) != nullptr) return 1;
      const RealPlatform fresh(*std::get<0>(attached));
      if (platform_->renew_after_fork().has_value()) return 2;
      const auto is_near = [&](std::uint64_t now_ns) { return now_ns >= before_ns && now_ns < before_ns + 60 * minute_ns; };
      return is_near(fresh.boottime_ns()) && is_near(platform_->boottime_ns()) ? 0 : 3;
    });
  });
  if (status == 77) GTEST_SKIP() << "may not make a time namespace";
  EXPECT_EQ(status, 0);
}

TEST_F(RealPlatformTest, the_mark_is_raised_in_the_files_own_place) {
  EXPECT_TRUE(platform_->raise_token_mark(77));
  EXPECT_EQ(text_of(directory_ / "state/default.mark"), std::to_string(77 + TokenMark::step) + "\n");
}

}  // namespace
}  // namespace tenure::ipc
