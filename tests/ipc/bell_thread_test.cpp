#include "ipc/bell_thread.hpp"

#include <dirent.h>
#include <sys/syscall.h>

#include <array>
#include <thread>

#include "core/lease_word.hpp"
#include "ipc/fork_watch.hpp"
#include "ipc/kernel.hpp"
#include "tests/ipc/support.hpp"

#if defined(TENURE_UNDER_THREAD_SANITIZER)
// Children of processes with threads start threads of their own here; the sanitizer refuses that unless it is told to.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }  // NOLINT(bugprone-reserved-identifier)
#endif

namespace tenure::ipc {
namespace {

using namespace testing;

// As in the segment: slots of 256 bytes, four bells in each.
struct alignas(256) Slot {
  std::uint64_t state;
  std::array<std::atomic<std::uint32_t>, 4> bells;
};
using Slots = std::array<Slot, 1100>;

BellThread bells_of(Slots& slots, bool able = true) {
  watch_forks();
  renew_after_fork();
  return BellThread(&slots, sizeof slots, able);
}

std::vector<std::string> thread_names() {
  std::vector<std::string> names;
  DIR* directory = opendir("/proc/self/task");
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.') names.push_back(text_of(std::string("/proc/self/task/") + entry->d_name + "/comm"));
  }
  closedir(directory);
  return names;
}

class BellThreadTest : public ::testing::Test {
 protected:
  Shared<Slots> slots_;
  Shared<std::atomic<std::uint32_t>> ready_;

  std::atomic<std::uint32_t>& bell(std::size_t slot, std::size_t generation = 0) { return (*slots_)[slot].bells[generation % 4]; }
  bool rings(std::size_t slot, std::size_t generation = 0) {
    return eventually([&] { return core::bell::rung(bell(slot, generation).load()); });
  }
  // A child that arms some bells, does `then`, and waits to be killed.
  std::function<int()> armed_child(std::size_t count, std::function<void(BellThread&)> then = [](BellThread&) {}) {
    return [this, count, then] {
      BellThread bells = bells_of(*slots_);
      for (std::size_t i = 0; i < count; ++i) {
        if (!bells.arm(bell(i))) return 1;
      }
      then(bells);
      ready_->store(1);
      sleep_until_killed();
    };
  }
  void wait_until_ready() {
    ASSERT_TRUE(eventually([&] { return ready_->load() == 1; }));
  }
};

TEST_F(BellThreadTest, a_killed_process_rings_and_wakes_who_sleeps_on_its_bell) {
  Child holder(armed_child(1));
  wait_until_ready();
  const std::uint32_t alive = bell(0).load();
  EXPECT_FALSE(core::bell::rung(alive));
  EXPECT_NE(alive & core::bell::waiters, 0u);
  Child sleeper([&] {
    while (!core::bell::rung(bell(0).load())) {
      if (sleep_on(bell(0), alive, 60'000'000'000) == core::WaitResult::timed_out) return 1;
    }
    return 0;
  });
  std::this_thread::sleep_for(20ms);
  holder.kill();
  EXPECT_EQ(sleeper.wait(), 0);
}

TEST_F(BellThreadTest, a_process_that_exits_rings) {
  EXPECT_EQ(in_child([&] {
              BellThread bells = bells_of(*slots_);
              if (!bells.arm(bell(0))) return 1;
              _exit(0);
            }),
            0);
  EXPECT_TRUE(rings(0));
}

TEST_F(BellThreadTest, a_process_that_executes_another_program_rings) {
  const Child holder([&] {
    BellThread bells = bells_of(*slots_);
    if (!bells.arm(bell(0))) return 1;
    execl("/bin/sleep", "sleep", "60", nullptr);
    return 2;
  });
  EXPECT_TRUE(rings(0));
}

TEST_F(BellThreadTest, the_death_of_the_parent_rings_while_its_child_lives) {
  Shared<std::atomic<pid_t>> orphan;
  Child holder(armed_child(1, [&](BellThread&) {
    const pid_t pid = fork();
    if (pid == 0) sleep_until_killed();
    orphan->store(pid);
  }));
  wait_until_ready();
  holder.kill();
  EXPECT_TRUE(rings(0));
  EXPECT_EQ(kill(orphan->load(), SIGKILL), 0);
}

TEST_F(BellThreadTest, all_of_many_ring) {
  Child holder(armed_child(BellThread::bells_max));
  wait_until_ready();
  holder.kill();
  for (std::size_t i = 0; i < BellThread::bells_max; ++i) ASSERT_TRUE(rings(i)) << i;
  EXPECT_EQ(bell(BellThread::bells_max).load(), 0u);
}

TEST_F(BellThreadTest, more_than_the_kernel_walks_are_refused) {
  BellThread bells = bells_of(*slots_);
  for (std::size_t i = 0; i < BellThread::bells_max; ++i) ASSERT_TRUE(bells.arm(bell(i))) << i;
  EXPECT_FALSE(bells.arm(bell(BellThread::bells_max)));
  bells.disarm(bell(500));
  EXPECT_TRUE(bells.arm(bell(BellThread::bells_max)));
}

TEST_F(BellThreadTest, what_is_disarmed_does_not_ring_and_the_rest_does) {
  Child holder(armed_child(5, [&](BellThread& bells) {
    for (const std::size_t i : {4u, 0u, 2u}) bells.disarm(bell(i));  // the first, the last and the middle of the list
    bells.disarm(bell(7));                                           // never armed
  }));
  wait_until_ready();
  holder.kill();
  holder.wait();
  EXPECT_TRUE(rings(1) && rings(3));
  for (const std::size_t i : {0u, 2u, 4u}) EXPECT_FALSE(core::bell::rung(bell(i).load())) << i;
}

TEST_F(BellThreadTest, the_generations_of_a_slot_ring_by_the_one_that_is_armed) {
  Child holder(armed_child(1, [&](BellThread& bells) {
    for (std::size_t generation = 0; generation < 10; ++generation) {
      bells.disarm(bell(0, generation));
      if (!bells.arm(bell(0, generation + 1))) _exit(1);
    }
  }));
  wait_until_ready();
  holder.kill();
  EXPECT_TRUE(rings(0, 10));
  for (const std::size_t generation : {7u, 8u, 9u}) EXPECT_FALSE(core::bell::rung(bell(0, generation).load())) << generation;
}

TEST_F(BellThreadTest, one_bell_of_a_slot_at_a_time) {
  BellThread bells = bells_of(*slots_);
  ASSERT_TRUE(bells.arm(bell(0, 1)));
  EXPECT_FALSE(bells.arm(bell(0, 0)));
  EXPECT_FALSE(bells.arm(bell(0, 1)));
  EXPECT_FALSE(bells.arm(bell(0, 2)));
  bells.disarm(bell(0, 1));
  EXPECT_TRUE(bells.arm(bell(0, 2)));
  EXPECT_EQ(bells.armed(), 1u);
}

TEST_F(BellThreadTest, a_word_elsewhere_is_refused) {
  BellThread bells = bells_of(*slots_);
  std::atomic<std::uint32_t> elsewhere{0};
  EXPECT_FALSE(bells.arm(elsewhere));
  EXPECT_EQ(elsewhere.load(), 0u);
}

TEST_F(BellThreadTest, its_end_rings_nothing_and_leaves_no_thread) {
  const std::size_t before = thread_names().size();
  {
    BellThread bells = bells_of(*slots_);
    ASSERT_TRUE(bells.arm(bell(0)));
    EXPECT_EQ(thread_names().size(), before + 1);
    EXPECT_TRUE(eventually([] {
      for (const std::string& name : thread_names()) {
        if (name == "tenure-bell\n") return true;
      }
      return false;
    }));
  }
  EXPECT_TRUE(eventually([&] { return thread_names().size() == before; }));
  EXPECT_FALSE(core::bell::rung(bell(0).load()));
}

TEST_F(BellThreadTest, a_signal_to_the_process_never_runs_in_its_thread) {
  static std::atomic<pid_t> ran_in{0};
  BellThread bells = bells_of(*slots_);
  ASSERT_TRUE(bells.arm(bell(0)));
  ran_in = 0;
  struct sigaction action{}, before{};
  action.sa_handler = [](int) { ran_in = static_cast<pid_t>(syscall(SYS_gettid)); };
  sigaction(SIGUSR1, &action, &before);
  sigset_t usr1, old_mask;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, &old_mask);  // this thread doesn't take it, so any other that could would
  kill(getpid(), SIGUSR1);
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(ran_in.load(), 0);
  pthread_sigmask(SIG_SETMASK, &old_mask, nullptr);
  EXPECT_EQ(ran_in.load(), getpid());
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(BellThreadTest, an_adopted_thread_rings_when_its_process_is_killed) {
  Child holder([&] {
    BellThread bells = bells_of(*slots_);
    if (!bells.adopt_this_thread() || bells.adopt_this_thread() || !bells.arm(bell(0)) || !bells.arm(bell(1))) return 1;
    bells.disarm(bell(1));
    bool armed_elsewhere = false;
    std::thread([&] { armed_elsewhere = bells.arm(bell(2)); }).join();
    if (armed_elsewhere) return 2;
    // A sanitizer has threads of its own.
    for (const std::string& name : thread_names()) {
      if (name.starts_with("tenure-bell")) return 3;
    }
    ready_->store(1);
    sleep_until_killed();
    return 0;
  });
  wait_until_ready();
  EXPECT_FALSE(core::bell::rung(bell(0).load()));
  holder.kill();
  EXPECT_TRUE(rings(0));
  EXPECT_FALSE(core::bell::rung(bell(1).load()));
  EXPECT_FALSE(core::bell::rung(bell(2).load()));
}

TEST_F(BellThreadTest, an_adopted_thread_has_its_own_list_again_when_the_bells_end) {
  Child holder([&] {
    void* before = nullptr;
    void* after = nullptr;
    std::size_t length = 0;
    syscall(SYS_get_robust_list, 0, &before, &length);
    {
      BellThread bells = bells_of(*slots_);
      if (!bells.adopt_this_thread() || !bells.arm(bell(0))) return 1;
    }
    syscall(SYS_get_robust_list, 0, &after, &length);
    return before == after ? 0 : 2;
  });
  EXPECT_EQ(holder.wait(), 0);
  EXPECT_FALSE(core::bell::rung(bell(0).load()));
}

TEST_F(BellThreadTest, a_forbidden_list_is_told) {
  EXPECT_EQ(in_child([&] {
              BellThread bells = bells_of(*slots_);
              if (!forbid_system_calls({SYS_set_robust_list})) return 2;
              return bells.arm(bell(0)) || bells.arm(bell(1)) ? 1 : 0;
            }),
            0);
  BellThread unable = bells_of(*slots_, false);
  EXPECT_FALSE(unable.arm(bell(0)));
  EXPECT_EQ(bell(0).load(), 0u);
}

TEST_F(BellThreadTest, a_child_neither_has_nor_harms_the_bells_of_its_parent) {
  Shared<std::atomic<pid_t>> child;
  Child holder(armed_child(2, [&](BellThread& bells) {
    const pid_t pid = fork();
    if (pid != 0) {
      child->store(pid);
      return;
    }
    const bool refused = !bells.arm(bell(5)) && bells.armed() == 0;
    bells.disarm(bell(0));
    renew_after_fork();
    bells.disarm(bell(1));
    if (!refused || !bells.arm(bell(6))) _exit(1);
    ready_->store(2);
    sleep_until_killed();
  }));
  ASSERT_TRUE(eventually([&] { return ready_->load() == 2 || ready_->load() == 1; }));
  ASSERT_TRUE(eventually([&] { return bell(6).load() != 0; }));
  std::this_thread::sleep_for(20ms);
  holder.kill();
  EXPECT_TRUE(rings(0) && rings(1));
  EXPECT_FALSE(core::bell::rung(bell(6).load())) << "the child lives";
  EXPECT_EQ(bell(5).load(), 0u);
  kill(child->load(), SIGKILL);
  EXPECT_TRUE(rings(6));
}

TEST_F(BellThreadTest, threads_arm_and_disarm_at_once_and_what_is_armed_at_the_end_rings) {
  constexpr std::size_t threads = 4, each = 16;
  Child holder([&] {
    BellThread bells = bells_of(*slots_);
    std::vector<std::thread> workers;
    std::atomic<int> failures{0};
    for (std::size_t t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        for (int round = 0; round < 50; ++round) {
          for (std::size_t i = t * each; i < (t + 1) * each; ++i) failures += bells.arm(bell(i)) ? 0 : 1;
          if (round == 49) break;
          for (std::size_t i = t * each; i < (t + 1) * each; ++i) bells.disarm(bell(i));
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    if (failures != 0) return 1;
    ready_->store(1);
    sleep_until_killed();
  });
  wait_until_ready();
  holder.kill();
  for (std::size_t i = 0; i < threads * each; ++i) ASSERT_TRUE(rings(i)) << i;
}

// Whatever arm() said yes to before the process was killed, at whatever instant, rings.
TEST_F(BellThreadTest, a_kill_at_any_instant_leaves_no_bell_that_was_promised_and_stays_silent) {
  Shared<std::array<std::atomic<std::uint32_t>, 64>> promised;
  for (int round = 0; round < 60; ++round) {
    for (std::size_t i = 0; i < 64; ++i) {
      bell(i).store(0);
      (*promised)[i].store(0);
    }
    ready_->store(0);
    Child holder([&]() -> int {
      BellThread bells = bells_of(*slots_);
      ready_->store(1);
      for (;;) {
        for (std::size_t i = 0; i < 64; ++i) {
          if (bells.arm(bell(i))) (*promised)[i].store(1);
        }
        for (std::size_t i = 0; i < 64; ++i) {
          (*promised)[i].store(0);
          bells.disarm(bell(i));
        }
      }
    });
    wait_until_ready();
    std::this_thread::sleep_for(std::chrono::microseconds(37 * round));
    holder.kill();
    holder.wait();
    for (std::size_t i = 0; i < 64; ++i) {
      if ((*promised)[i].load() == 1) {
        ASSERT_TRUE(core::bell::rung(bell(i).load())) << "round " << round << " bell " << i;
      }
    }
  }
}

}  // namespace
}  // namespace tenure::ipc
