#include "ipc/token_mark.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

#include <algorithm>

#include "ipc/descriptor.hpp"
#include "ipc/fork_watch.hpp"
#include "ipc/kernel.hpp"
#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;

class TokenMarkTest : public ::testing::Test {
 protected:
  [[nodiscard]] TokenMark mark() const { return TokenMark("space", state_, no_group); }
  [[nodiscard]] std::string text() const { return text_of(state_ + "/space.mark"); }
  [[nodiscard]] ino_t inode() const {
    struct stat facts{};
    return stat((state_ + "/space.mark").c_str(), &facts) == 0 ? facts.st_ino : 0;
  }
  TemporaryDirectory directory_;
  std::string state_ = directory_ / "state";
};

TEST_F(TokenMarkTest, starts_at_nothing_and_is_durable) {
  const TokenMark::Reading reading = mark().read();
  EXPECT_EQ(reading.number, 0u);
  EXPECT_TRUE(reading.durable) << reading.reason;
  EXPECT_EQ(reading.reason, "");
}

TEST_F(TokenMarkTest, is_raised_ahead_by_a_step_and_then_not_for_long) {
  TokenMark raised = mark();
  EXPECT_TRUE(raised.raise(1000));
  EXPECT_EQ(text(), std::to_string(1000 + TokenMark::step) + "\n");
  const ino_t before = inode();
  EXPECT_TRUE(raised.raise(1));
  EXPECT_TRUE(raised.raise(1000 + TokenMark::step));
  EXPECT_TRUE(mark().raise(1000 + TokenMark::step)) << "another process";
  EXPECT_EQ(inode(), before) << "no new file was written";
  EXPECT_TRUE(raised.raise(1001 + TokenMark::step));
  EXPECT_EQ(mark().read().number, 1001 + 2 * TokenMark::step);
}

TEST_F(TokenMarkTest, one_that_was_raised_by_another_is_not_lowered) {
  TokenMark first = mark();
  ASSERT_TRUE(first.raise(5));
  ASSERT_TRUE(mark().raise(std::uint64_t{1} << 60));
  EXPECT_TRUE(first.raise(6 + TokenMark::step));
  EXPECT_GE(mark().read().number, std::uint64_t{1} << 60);
}

TEST_F(TokenMarkTest, ends_below_two_to_the_63) {
  EXPECT_TRUE(mark().raise(TokenMark::number_max));
  EXPECT_EQ(text(), std::to_string(TokenMark::number_max) + "\n");
  EXPECT_FALSE(mark().raise(TokenMark::number_max + 1));
}

TEST_F(TokenMarkTest, a_damaged_one_is_weak_once_and_then_replaced) {
  (void)mark().read();
  for (const char* damage : {"", "12", "x\n", "12\n\n", "-1\n", "99999999999999999999\n", "9223372036854775808\n", " 5\n"}) {
    write_text(state_ + "/space.mark", damage);
    const TokenMark::Reading reading = mark().read();
    EXPECT_FALSE(reading.durable) << damage;
    EXPECT_NE(reading.reason.find("space.mark"), std::string::npos) << reading.reason;
    EXPECT_TRUE(mark().raise(7));
    EXPECT_TRUE(mark().read().durable);
    EXPECT_EQ(mark().read().number, 7 + TokenMark::step);
  }
}

TEST_F(TokenMarkTest, one_that_cannot_be_read_is_not_lowered) {
  ASSERT_TRUE(mark().raise(7));
  ASSERT_EQ(unlink((state_ + "/space.mark").c_str()), 0);
  ASSERT_EQ(symlink("/etc/hostname", (state_ + "/space.mark").c_str()), 0);  // as good as a file that belongs to somebody else
  EXPECT_FALSE(mark().raise(8));
  EXPECT_FALSE(mark().read().durable);
}

TEST_F(TokenMarkTest, what_is_known_to_be_durable_needs_no_files) {
  TokenMark raised = mark();
  ASSERT_TRUE(raised.raise(7));
  TemporaryDirectory::remove_tree(state_);
  chmod(directory_.path().c_str(), 0);
  EXPECT_TRUE(raised.raise(8));
  EXPECT_EQ(inode(), 0u);
}

TEST_F(TokenMarkTest, leftovers_of_a_killed_writer_are_in_nobodys_way) {
  (void)mark().read();
  write_text(state_ + "/space.mark-new", "123");
  chmod((state_ + "/space.mark-new").c_str(), 0);
  EXPECT_TRUE(mark().raise(7));
  EXPECT_EQ(mark().read().number, 7 + TokenMark::step);
}

TEST_F(TokenMarkTest, a_directory_that_everybody_writes_to_is_not_trusted) {
  ASSERT_TRUE(mark().raise(7));
  chmod(state_.c_str(), 0777);
  const TokenMark::Reading reading = mark().read();
  EXPECT_FALSE(reading.durable);
  EXPECT_EQ(reading.number, 0u);
  EXPECT_FALSE(mark().raise(8 + TokenMark::step));
}

TEST_F(TokenMarkTest, no_place_is_weak_and_says_why) {
  TokenMark nowhere("space", "/proc/no-place", no_group);
  const TokenMark::Reading reading = nowhere.read();
  EXPECT_FALSE(reading.durable);
  EXPECT_NE(reading.reason.find("/proc/no-place"), std::string::npos) << reading.reason;
  EXPECT_FALSE(nowhere.raise(1));
}

TEST_F(TokenMarkTest, a_read_only_place_says_which_setting_to_change) {
  (void)mark().read();
  const int status = in_child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    if (mount("none", state_.c_str(), "tmpfs", MS_RDONLY, "mode=0700") != 0) return 77;
    const TokenMark::Reading reading = mark().read();
    return !reading.durable && reading.reason.find("ReadWritePaths=" + state_) != std::string::npos && !mark().raise(1) ? 0 : 1;
  });
  if (status == 77) GTEST_SKIP() << "may not mount";
  EXPECT_EQ(status, 0);
}

TEST_F(TokenMarkTest, somebody_who_keeps_the_lock_is_not_waited_for_for_ever) {
  ASSERT_TRUE(mark().raise(7));
  const Descriptor lock(open((state_ + "/space.mark-lock").c_str(), O_RDWR));
  ASSERT_EQ(lock_byte(lock.get(), 0, LockKind::write), LockOutcome::done);
  EXPECT_FALSE(mark().raise(8 + TokenMark::step));
}

TEST_F(TokenMarkTest, processes_that_raise_it_at_once_leave_the_largest) {
  std::vector<std::unique_ptr<Child>> children;
  for (std::uint64_t i = 0; i < 4; ++i) {
    children.push_back(std::make_unique<Child>([this, i] {
      TokenMark own = mark();
      for (std::uint64_t round = 1; round <= 5; ++round) {
        const std::uint64_t number = (round * 4 + i) * 3 * TokenMark::step;
        if (!own.raise(number) || mark().read().number < number) return 1;
      }
      return 0;
    }));
  }
  for (const auto& child : children) EXPECT_EQ(child->wait(), 0);
  EXPECT_EQ(mark().read().number, std::uint64_t{23 * 3 + 1} * TokenMark::step);
}

TEST_F(TokenMarkTest, a_killed_writer_leaves_a_mark_that_can_be_read_and_never_a_lower_one) {
  ASSERT_TRUE(mark().raise(1));
  std::uint64_t before = mark().read().number;
  for (int round = 0; round < 30; ++round) {
    const Shared<std::atomic<std::uint64_t>> promised;
    Child writer([&]() -> int {
      TokenMark own = mark();
      for (std::uint64_t number = before;; number += 2 * TokenMark::step) {
        if (own.raise(number)) promised->store(number);
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(200 * round));
    writer.kill();
    writer.wait();
    const TokenMark::Reading reading = mark().read();
    ASSERT_TRUE(reading.durable) << reading.reason;
    ASSERT_GE(reading.number, std::max(before, promised->load()));
    before = reading.number;
  }
}

TEST_F(TokenMarkTest, members_of_a_group_share_theirs) {
  TENURE_NEEDS_ROOT();
  constexpr gid_t group = 54399;
  ASSERT_EQ(mkdir(state_.c_str(), 0770), 0);
  ASSERT_EQ(chown(state_.c_str(), 0, group), 0);
  ASSERT_EQ(chmod(state_.c_str(), 02770), 0);
  const auto raise_as = [&](uid_t user, std::uint64_t number) {
    return in_child([&] {
      if (setgroups(1, &group) != 0 || setgid(user) != 0 || setuid(user) != 0) return 99;
      umask(077);
      return TokenMark("space", state_, group).raise(number) ? 0 : 1;
    });
  };
  EXPECT_EQ(raise_as(54321, 4 * TokenMark::step), 0);
  EXPECT_EQ(raise_as(54322, 1), 0);
  EXPECT_EQ(TokenMark("space", state_, group).read().number, 5 * TokenMark::step) << "the second one reads what the first one wrote";
  EXPECT_EQ(raise_as(54322, 6 * TokenMark::step), 0);
  EXPECT_FALSE(mark().raise(8 * TokenMark::step)) << "what a group writes to is nothing for a user's own";
}

TEST_F(TokenMarkTest, a_user_without_a_place_of_the_system_has_one_at_home) {
  TENURE_NEEDS_ROOT();
  const int status = in_child([] {
    if (setgid(65534) != 0 || setuid(65534) != 0) return 99;  // nobody's home doesn't exist
    const TokenMark::Reading reading = TokenMark("space", "", no_group).read();
    return !reading.durable && reading.reason.find("/.local/state/tenure") != std::string::npos ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace tenure::ipc
