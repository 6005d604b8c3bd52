#include "ipc/fork_watch.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

#include "ipc/descriptor.hpp"
#include "ipc/kernel.hpp"
#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;

TEST(ForkWatch, a_process_has_a_generation_and_keeps_it) {
  watch_forks();
  const std::uint64_t generation = process_generation();
  EXPECT_NE(generation, 0u);
  EXPECT_EQ(renew_after_fork(), generation);
  EXPECT_EQ(process_generation(), generation);
}

TEST(ForkWatch, a_child_has_none_until_it_renews_and_then_a_larger_one) {
  watch_forks();
  const std::uint64_t parent = process_generation();
  EXPECT_EQ(in_child([parent] {
              if (process_generation() != 0) return 1;
              const std::uint64_t child = renew_after_fork();
              if (child <= parent || process_generation() != child) return 2;
              return in_child([child] { return process_generation() == 0 && renew_after_fork() > child ? 0 : 3; });
            }),
            0);
  EXPECT_EQ(process_generation(), parent);
}

TEST(ForkWatch, a_bare_clone_is_seen_too) {
  watch_forks();
  if (!kernel_wipes_on_fork()) GTEST_SKIP() << "no MADV_WIPEONFORK";
  const auto pid = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (pid == 0) _exit(process_generation() == 0 ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

// Run by the next one, in a process where nothing was set up yet.
TEST(ForkWatchAlone, DISABLED_without_the_page) {
  force_kernel_abilities(KernelAbilities{true, true, true, false});
  watch_forks();
  ASSERT_FALSE(kernel_wipes_on_fork());
  EXPECT_NE(process_generation(), 0u);
  EXPECT_EQ(in_child([] { return process_generation() == 0 && renew_after_fork() != 0 ? 0 : 1; }), 0);
}

TEST(ForkWatch, without_the_page_the_handler_does) {
  EXPECT_EQ(in_child([] {
              execl("/proc/self/exe", "tenure_ipc_test", "--gtest_also_run_disabled_tests",
                    "--gtest_filter=ForkWatchAlone.DISABLED_without_the_page", nullptr);
              return 127;
            }),
            0);
}

TEST(ForkWatch, a_child_does_not_keep_the_locks_of_a_closed_descriptor) {
  watch_forks();
  const TemporaryDirectory directory;
  const std::string path = directory / "lock";
  ForkClosedDescriptor held;
  ASSERT_TRUE(held.open_at(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT, 0600));
  ASSERT_EQ(lock_byte(held.get(), 0, LockKind::write), LockOutcome::done);
  const Child lingering([&] {
    if (held.is_open()) return 1;
    sleep_until_killed();
  });
  const Descriptor other(open(path.c_str(), O_RDWR));
  EXPECT_EQ(lock_byte(other.get(), 0, LockKind::write), LockOutcome::conflict) << "the parent still has it";
  held.reset();
  EXPECT_TRUE(eventually([&] { return lock_byte(other.get(), 0, LockKind::write) == LockOutcome::done; }));
}

// Whether a descriptor of this process leads to the path.
bool has_open(const std::string& path) {
  for (int number = 0; number < 256; ++number) {
    char target[256];
    const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(number)).c_str(), target, sizeof target);
    if (length > 0 && std::string(target, static_cast<std::size_t>(length)) == path) return true;
  }
  return false;
}

TEST(ForkWatch, children_made_while_descriptors_come_and_go_keep_none_and_close_no_other) {
  watch_forks();
  const TemporaryDirectory directory;
  const std::string ours = directory / "ours";
  const std::string other = directory / "other";
  const Descriptor made_ours(open(ours.c_str(), O_RDWR | O_CREAT, 0600));
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) {
      ForkClosedDescriptor descriptor;
      if (!descriptor.open_at(AT_FDCWD, ours.c_str(), O_RDWR)) return;
      descriptor.reset();
      // Takes the number that has just become free.
      const Descriptor foreign(open(other.c_str(), O_RDWR | O_CREAT, 0600));
    }
  });
  const_cast<Descriptor&>(made_ours).close();
  for (int i = 0; i < 200; ++i) EXPECT_EQ(in_child([&] { return has_open(ours) ? 1 : 0; }), 0) << "fork " << i;
  stop = true;
  busy.join();
}

}  // namespace
}  // namespace tenure::ipc
