#include "ipc/tree_scan.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "ipc/descriptor.hpp"
#include "ipc/kernel.hpp"
#include "ipc/run_tag.hpp"
#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;

class TreeScan : public ::testing::Test {
 protected:
  void SetUp() override {
    if (tag_.tag == 0) GTEST_SKIP() << "the limit of file locks (ulimit -x) is in use here";
  }
  // A child that carries the tag; and does `then` before it waits to be killed.
  std::function<int()> carrier(std::function<void()> then = [] {}) {
    return [this, then] {
      if (setrlimit(RLIMIT_LOCKS, &tag_.limits) != 0) return 1;
      then();
      ready_->store(1);
      sleep_until_killed();
      return 0;
    };
  }
  void wait_until_ready() {
    ASSERT_TRUE(eventually([&] { return ready_->load() == 1; }));
  }
  RunTag tag_ = new_run_tag();
  Shared<std::atomic<std::uint32_t>> ready_;
};

TEST_F(TreeScan, finds_who_carries_the_tag_and_nobody_else) {
  EXPECT_FALSE(tag_is_carried(tag_.tag));
  EXPECT_TRUE(carriers_of({&tag_.tag, 1}).empty());
  Child child(carrier());
  wait_until_ready();
  EXPECT_TRUE(tag_is_carried(tag_.tag));
  EXPECT_EQ(carriers_of({&tag_.tag, 1}), std::vector<pid_t>{child.pid()});
  EXPECT_TRUE(carries_any(child.pid(), {&tag_.tag, 1}));
  EXPECT_FALSE(carries_any(getpid(), {&tag_.tag, 1}));
  const std::uint64_t other = tag_.tag ^ 1;
  EXPECT_FALSE(tag_is_carried(other));
  EXPECT_FALSE(tag_is_carried(0));
}

// A segment may say anything. Half the host carries RLIM_INFINITY, and what carries a tag is killed.
TEST_F(TreeScan, finds_nobody_by_a_number_that_is_no_tag) {
  rlimit own{};
  ASSERT_EQ(getrlimit(RLIMIT_LOCKS, &own), 0);
  for (const std::uint64_t number : {std::uint64_t{RLIM_INFINITY}, std::uint64_t{0}, std::uint64_t{own.rlim_cur}, std::uint64_t{1000}}) {
    EXPECT_FALSE(tag_is_carried(number));
    EXPECT_TRUE(carriers_of({&number, 1}).empty());
    EXPECT_FALSE(carries_any(getpid(), {&number, 1}));
  }
}

TEST_F(TreeScan, passes_over_zombies) {
  Child child(carrier());
  wait_until_ready();
  child.kill();
  EXPECT_TRUE(eventually([&] { return !tag_is_carried(tag_.tag); })) << "it is not waited for yet";
}

// The process is not over when its first thread is.
TEST_F(TreeScan, counts_a_process_whose_first_thread_has_ended) {
  Child child(carrier([this] {
    std::thread([this] {
      usleep(20'000);
      ready_->store(1);
      sleep_until_killed();
    }).detach();
    syscall(SYS_exit, 0);
  }));
  wait_until_ready();
  EXPECT_TRUE(carries_any(child.pid(), {&tag_.tag, 1}));
}

TEST_F(TreeScan, sees_processes_of_other_users) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has other users' processes at hand";
  Child child(carrier());
  wait_until_ready();
  Child stranger([&] {
    if (setuid(65534) != 0) return 2;
    return tag_is_carried(tag_.tag) && carriers_of({&tag_.tag, 1}).size() == 1 ? 0 : 1;
  });
  EXPECT_EQ(stranger.wait(), 0);
}

TEST_F(TreeScan, finds_who_has_a_locked_byte_open) {
  const TemporaryDirectory scratch;
  const std::string path = scratch.path() + "/lock";
  const Descriptor looker(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(looker.is_open());
  EXPECT_TRUE(holders_of_byte(looker.get(), 17).empty());
  Child child([&] {
    const Descriptor own(open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (lock_byte(own.get(), 17, LockKind::write) != LockOutcome::done) return 1;
    ready_->store(1);
    sleep_until_killed();
    return 0;
  });
  wait_until_ready();
  EXPECT_EQ(holders_of_byte(looker.get(), 17), std::vector<pid_t>{child.pid()});
  EXPECT_TRUE(holds_byte(child.pid(), looker.get(), 17));
  EXPECT_FALSE(holds_byte(child.pid(), looker.get(), 18));
  EXPECT_FALSE(holds_byte(getpid(), looker.get(), 17)) << "open, but not the description that has the lock";
}

}  // namespace
}  // namespace tenure::ipc
