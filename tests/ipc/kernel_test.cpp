#include "ipc/kernel.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include <array>
#include <ctime>

#include "ipc/descriptor.hpp"
#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;
using core::WaitResult;

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint32_t futex_waitv_number = 449;

FutexWaiter waiter_on(const std::atomic<std::uint32_t>& word, std::uint32_t expected) {
  return {expected, reinterpret_cast<std::uintptr_t>(&word), futex_word_is_32_bits, 0};
}

TEST(Kernel, abilities_are_those_of_the_system_calls) {
  const KernelAbilities abilities = kernel_abilities();
  EXPECT_EQ(abilities.futex_waitv, syscall(futex_waitv_number, nullptr, 0, 0, nullptr, 0) == -1 && errno == EINVAL);
  EXPECT_TRUE(abilities.robust_list);
  EXPECT_TRUE(abilities.ofd_locks);
}

TEST(Kernel, abilities_can_be_forced_and_given_back) {
  const KernelAbilities truth = kernel_abilities();
  force_kernel_abilities(KernelAbilities{false, false, false, false});
  EXPECT_FALSE(kernel_abilities().robust_list);
  force_kernel_abilities(std::nullopt);
  EXPECT_EQ(kernel_abilities().robust_list, truth.robust_list);
}

TEST(Kernel, a_changed_word_ends_a_sleep_at_once) {
  const std::atomic<std::uint32_t> word{7};
  EXPECT_EQ(sleep_on(word, 8, second_ns), WaitResult::changed);
  const FutexWaiter waiters[] = {waiter_on(word, 7), waiter_on(word, 8)};
  EXPECT_EQ(sleep_on_any(waiters, second_ns), WaitResult::changed);
}

TEST(Kernel, sleeps_end_when_their_time_is_over) {
  const std::atomic<std::uint32_t> word{7};
  EXPECT_EQ(sleep_on(word, 7, 1'000'000), WaitResult::timed_out);
  const FutexWaiter waiters[] = {waiter_on(word, 7)};
  EXPECT_EQ(sleep_on_any(waiters, 1'000'000), WaitResult::timed_out);
}

TEST(Kernel, an_address_of_nothing_is_no_reason_to_spin_or_to_sleep_on) {
  const auto* nothing = reinterpret_cast<const std::atomic<std::uint32_t>*>(4096);
  const std::uint64_t before_ns = clock_ns(CLOCK_MONOTONIC);
  EXPECT_EQ(sleep_on(*nothing, 0, 3600 * second_ns), WaitResult::woken);
  EXPECT_GE(clock_ns(CLOCK_MONOTONIC) - before_ns, 1'000'000u);
}

TEST(Kernel, any_of_several_words_wakes_across_processes) {
  const Shared<std::array<std::atomic<std::uint32_t>, 2>> words;
  Child sleeper([&] {
    const FutexWaiter waiters[] = {waiter_on((*words)[0], 0), waiter_on((*words)[1], 0)};
    const auto result = sleep_on_any(waiters, 60 * second_ns);
    return result && *result != WaitResult::timed_out ? 0 : 1;
  });
  std::this_thread::sleep_for(20ms);
  (*words)[1].store(1);
  wake_sleepers((*words)[1], 1);
  EXPECT_EQ(sleeper.wait(), 0);
}

TEST(Kernel, what_seccomp_forbids_counts_as_missing) {
  EXPECT_EQ(in_child([] {
              if (!forbid_system_calls({futex_waitv_number, SYS_set_robust_list})) return 2;
              const std::atomic<std::uint32_t> word{0};
              const FutexWaiter waiters[] = {waiter_on(word, 0)};
              RobustListHead head;
              return !sleep_on_any(waiters, 0).has_value() && !register_robust_list(&head) ? 0 : 1;
            }),
            0);
}

TEST(Kernel, a_byte_is_locked_by_one_description_at_a_time) {
  const TemporaryDirectory directory;
  const std::string path = directory / "lock";
  const Descriptor first(open(path.c_str(), O_RDWR | O_CREAT, 0600));
  const Descriptor second(open(path.c_str(), O_RDWR));
  EXPECT_EQ(lock_byte(first.get(), 16, LockKind::write), LockOutcome::done);
  EXPECT_EQ(lock_byte(first.get(), 16, LockKind::write), LockOutcome::done) << "its own";
  EXPECT_EQ(lock_byte(second.get(), 16, LockKind::write), LockOutcome::conflict);
  EXPECT_EQ(lock_byte(second.get(), 17, LockKind::write), LockOutcome::done) << "the byte beside it";
  EXPECT_TRUE(is_write_locked(second.get(), 16));
  EXPECT_FALSE(is_write_locked(first.get(), 16)) << "its own";
  EXPECT_EQ(lock_byte(first.get(), 16, LockKind::read), LockOutcome::done) << "turned into a reader's";
  EXPECT_FALSE(is_write_locked(second.get(), 16)) << "a reader's lock is no life";
  EXPECT_EQ(lock_byte(first.get(), 16, LockKind::none), LockOutcome::done);
  EXPECT_EQ(lock_byte(second.get(), 16, LockKind::write), LockOutcome::done);
  EXPECT_EQ(lock_byte(-1, 16, LockKind::write), LockOutcome::failed);
  EXPECT_TRUE(is_write_locked(-1, 16)) << "an error counts as held";
}

TEST(Kernel, the_boot_id_is_that_of_proc) {
  std::string text = text_of("/proc/sys/kernel/random/boot_id");
  std::erase(text, '-');
  const BootId id = value_of(boot_id());
  EXPECT_EQ(id.high, std::stoull(text.substr(0, 16), nullptr, 16));
  EXPECT_EQ(id.low, std::stoull(text.substr(16, 16), nullptr, 16));
}

TEST(Kernel, milliseconds_count_from_2026) {
  const std::uint64_t now_ms = clock_ns(CLOCK_REALTIME) / 1'000'000;
  const std::uint64_t since_ms = milliseconds_since_2026();
  if (since_ms == 0) GTEST_SKIP() << "this host's clock is before 2026";
  EXPECT_NEAR(static_cast<double>(now_ms - since_ms), 1'767'225'600'000.0, 60'000.0);
}

// Enters a time namespace whose boot-time clock is ahead, by way of a child; runs the body there.
int in_time_namespace(const char* offset, const std::function<int()>& body) {
  return in_child([&] {
    if (unshare(CLONE_NEWTIME) != 0) return 77;
    write_text("/proc/self/timens_offsets", std::string("boottime ") + offset);
    return in_child(body);
  });
}

TEST(Kernel, boottime_is_that_of_the_initial_time_namespace) {
  const std::int64_t own_offset_ns = value_of(boottime_offset_ns());
  const auto initial_ns = [](std::int64_t offset_ns) { return static_cast<std::int64_t>(clock_ns(CLOCK_BOOTTIME)) - offset_ns; };
  const std::int64_t before_ns = initial_ns(own_offset_ns);
  const int status = in_time_namespace("1000000 250", [&] {
    const auto offset_ns = boottime_offset_ns();
    if (fault_in(offset_ns) != nullptr) return 1;
    const std::int64_t there_ns = initial_ns(std::get<std::int64_t>(offset_ns));
    return std::get<std::int64_t>(offset_ns) != 0 && there_ns >= before_ns && there_ns < before_ns + 3600 * std::int64_t{second_ns} ? 0 : 2;
  });
  if (status == 77) GTEST_SKIP() << "may not make a time namespace";
  EXPECT_EQ(status, 0);
}

TEST(Kernel, an_offset_that_cannot_be_known_is_a_fault) {
  const int status = in_time_namespace("1000000 0", [] {
    if (unshare(CLONE_NEWTIME) != 0) return 1;  // now /proc/self/timens_offsets speaks of another one
    const auto offset_ns = boottime_offset_ns();
    return fault_of_opened(offset_ns).code == FaultCode::configuration ? 0 : 2;
  });
  if (status == 77) GTEST_SKIP() << "may not make a time namespace";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace tenure::ipc
