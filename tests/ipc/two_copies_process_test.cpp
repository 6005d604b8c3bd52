// Two copies of the library in one process, as two plug-ins bring them: to each other they are like two processes.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/ipc/library_copy.hpp"
#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

struct Copy {
  explicit Copy(const std::string& path) : handle(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle == nullptr) {
      ADD_FAILURE() << dlerror();
      return;
    }
    const auto find = [this](auto*& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
      ASSERT_NE(function, nullptr) << name;
    };
    find(acquire, "copy_acquire");
    find(release, "copy_release");
    find(still_held, "copy_still_held");
    find(last_error, "copy_last_error");
    find(close, "copy_close");
  }
  void* handle;
  decltype(&copy_acquire) acquire = nullptr;
  decltype(&copy_release) release = nullptr;
  decltype(&copy_still_held) still_held = nullptr;
  decltype(&copy_last_error) last_error = nullptr;
  decltype(&copy_close) close = nullptr;
};

// A process with two copies. The loader knows a file by its inode, so the second one is another file.
class TwoCopies : public testing::Test {
 protected:
  void SetUp() override {
    if (sanitized) GTEST_SKIP() << "a sanitizer wants one runtime in a process";
  }
  int in_a_process(const std::function<void(Copy& one, Copy& two)>& body) {
    const std::string second = stage.directory() + "/second.so";
    std::filesystem::copy_file(TENURE_COPY_PATH, second);
    return Child::run([&] {
             Copy one(TENURE_COPY_PATH), two(second);
             if (testing::Test::HasFailure()) return 1;
             EXPECT_NE(reinterpret_cast<void*>(one.acquire), reinterpret_cast<void*>(two.acquire));
             body(one, two);
             return 0;
           })
        .exit_code();
  }
  Stage stage;
};

TEST_F(TwoCopies, HoldTwoNamesAndExcludeEachOtherOnOne) {
  EXPECT_EQ(in_a_process([&](Copy& one, Copy& two) {
              const std::string directory = stage.directory();
              const char* space = directory.c_str();
              const Token first = one.acquire(space, "x", -1);
              ASSERT_GT(first, 0U);
              EXPECT_GT(two.acquire(space, "y", -1), 0U);
              EXPECT_EQ(two.acquire(space, "x", -1), 0U);
              EXPECT_EQ(two.last_error(), static_cast<int>(AcquireError::busy));
              EXPECT_EQ(one.acquire(space, "y", 50), 0U);
              EXPECT_EQ(one.last_error(), static_cast<int>(AcquireError::timed_out));
              Token second = 0;
              std::thread waiter([&] { second = two.acquire(space, "x", 20'000); });
              EXPECT_TRUE(stage.queue_of("x", 1));
              EXPECT_EQ(one.release("x"), 1);
              waiter.join();
              EXPECT_GT(second, first);
              EXPECT_EQ(two.still_held("x"), 1);
              EXPECT_EQ(two.still_held("y"), 1);
            }),
            0);
  Actor next = stage.actor();
  EXPECT_TRUE(next.acquires("x").previous_holder_died);
  EXPECT_TRUE(next.acquires("y").previous_holder_died);
}

TEST_F(TwoCopies, BothSurviveATruncation) {
  EXPECT_EQ(in_a_process([&](Copy& one, Copy& two) {
              const std::string space = stage.directory();
              ASSERT_GT(one.acquire(space.c_str(), "x", -1), 0U);
              ASSERT_GT(two.acquire(space.c_str(), "y", -1), 0U);
              std::filesystem::resize_file(stage.table_path(), 0);
              EXPECT_EQ(one.still_held("x"), 0);
              EXPECT_EQ(two.still_held("y"), 0);
              EXPECT_EQ(one.acquire(space.c_str(), "z", -1), 0U);
              EXPECT_EQ(two.acquire(space.c_str(), "z", -1), 0U);
            }),
            0);
}

// Whoever unloads a plug-in leaves the library's threads and handlers without their code, unless the library stays.
TEST_F(TwoCopies, OneGoesAndTheOtherStays) {
  EXPECT_EQ(in_a_process([&](Copy& one, Copy& two) {
              const std::string space = stage.directory();
              ASSERT_GT(one.acquire(space.c_str(), "x", -1), 0U);
              std::thread([&] {  // no other thread has anything of the second copy's
                EXPECT_GT(two.acquire(space.c_str(), "y", -1), 0U);
                two.close();
              })
                  .join();
              EXPECT_EQ(dlclose(two.handle), 0);
              EXPECT_EQ(Child::run([] { return 7; }).exit_code(), 7) << "what it left for forks to call";
              EXPECT_EQ(one.still_held("x"), 1);
              EXPECT_EQ(stage.observer().tries("x").error, AcquireError::busy);
              EXPECT_TRUE(stage.observer().tries("y").ok);
              std::filesystem::resize_file(stage.table_path(), 0);
              EXPECT_EQ(one.still_held("x"), 0) << "what it left for SIGBUS to call";
            }),
            0);
}

}  // namespace
}  // namespace tenure::test
