#include "ipc/bus_guard.hpp"

#include <fcntl.h>

#include "ipc/descriptor.hpp"
#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;

constexpr std::size_t bytes = 4 * 4096;

// A shared mapping of a file of ones, four pages long.
class BusGuardTest : public ::testing::Test {
 protected:
  BusGuardTest() : file_(open((directory_ / "file").c_str(), O_RDWR | O_CREAT, 0600)) {
    const std::string ones(bytes, '\1');
    EXPECT_EQ(write(file_.get(), ones.data(), bytes), static_cast<ssize_t>(bytes));
    at_ = static_cast<volatile char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0));
  }
  ~BusGuardTest() override { munmap(const_cast<char*>(at_), bytes); }
  [[nodiscard]] void* base() const { return const_cast<char*>(at_); }
  void truncate_to(off_t size) { ASSERT_EQ(ftruncate(file_.get(), size), 0); }

  TemporaryDirectory directory_;
  Descriptor file_;
  volatile char* at_ = nullptr;
};

TEST_F(BusGuardTest, a_file_that_shrank_reads_as_zeros_from_end_to_end) {
  const BusGuard guard(base(), bytes);
  ASSERT_TRUE(guard.watches());
  EXPECT_EQ(at_[0], 1);
  truncate_to(4096);
  EXPECT_FALSE(guard.has_replaced());
  EXPECT_EQ(at_[2 * 4096 + 5], 0);
  EXPECT_TRUE(guard.has_replaced());
  EXPECT_EQ(at_[0], 0) << "also where the file still has a page";
  at_[3 * 4096] = 5;
  EXPECT_EQ(at_[3 * 4096], 5) << "stores go nowhere and harm nobody";
}

TEST_F(BusGuardTest, a_guard_moves_with_its_owner) {
  BusGuard first(base(), bytes);
  const BusGuard second(std::move(first));
  truncate_to(0);
  EXPECT_EQ(at_[0], 0);
  EXPECT_TRUE(second.has_replaced());
}

TEST_F(BusGuardTest, a_bus_error_elsewhere_ends_the_process_as_ever) {
  EXPECT_EQ(in_child([&] {
              void* other = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              const BusGuard guard(other, bytes);
              truncate_to(0);
              return static_cast<int>(at_[0]);
            }),
            end_by_bus_error);
}

TEST_F(BusGuardTest, a_bus_signal_that_somebody_sends_ends_the_process_as_ever) {
  EXPECT_EQ(in_child([&] {
              const BusGuard guard(base(), bytes);
              kill(getpid(), SIGBUS);
              return 0;
            }),
            end_by_bus_error);
}
// In a process of its own: the handler is installed once.
TEST(BusGuardAlone, DISABLED_previous_handler) {
  static std::atomic<int> seen{0};
  struct sigaction action{};
  action.sa_handler = [](int) { ++seen; };
  sigaction(SIGBUS, &action, nullptr);
  char other = 0;
  const BusGuard guard(&other, 1);
  kill(getpid(), SIGBUS);
  EXPECT_EQ(seen.load(), 1);
}

TEST_F(BusGuardTest, the_handler_that_was_there_before_gets_what_is_not_ours) {
  EXPECT_EQ(in_child([] {
              execl("/proc/self/exe", "tenure_ipc_test", "--gtest_also_run_disabled_tests",
                    "--gtest_filter=BusGuardAlone.DISABLED_previous_handler", nullptr);
              return 127;
            }),
            0);
}

TEST_F(BusGuardTest, places_in_the_registry_are_given_back) {
  for (int i = 0; i < 3 * BusGuard::mappings_max; ++i) EXPECT_TRUE(BusGuard(base(), bytes).watches()) << i;
}

}  // namespace
}  // namespace tenure::ipc
