// Where the default space lies: for one user the same in every circumstance, for two users never, and nobody else can be in its way.
// Each test has file systems of its own over /run and /tmp.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t somebody = 54321, somebody_else = 54322;
constexpr gid_t staff = 54400;

class Places : public testing::Test {
 protected:
  void SetUp() override {
    if (!why_not_root().empty()) GTEST_SKIP() << why_not_root();
  }

  // In a child with its own /run and /tmp. Expectations that fail in there fail the test.
  static void in_a_fresh_system(const std::function<void()>& body) {
    Child child = Child::run([&] {
      if (unshare(CLONE_NEWNS) != 0) return 77;
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0 || mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") != 0) return 78;
      if (mkdir("/run/lock", 0755) != 0 || chmod("/run/lock", 01777) != 0) return 79;
      body();
      return 0;
    });
    EXPECT_EQ(child.exit_code(3 * patience), 0);
  }
  static void make_run_tenure() {
    ASSERT_EQ(mkdir("/run/tenure", 0755), 0);
    ASSERT_EQ(chmod("/run/tenure", 01777), 0);
  }

  static std::function<bool(pid_t&)> as(uid_t user, gid_t extra_group = 0) {
    return [user, extra_group](pid_t&) {
      const bool changed = setgroups(extra_group == 0 ? 0 : 1, &extra_group) == 0 && setgid(user) == 0 && setuid(user) == 0;
      prctl(PR_SET_DUMPABLE, 1);  // as after the exec of a login; without, not even its own user may see what it maps
      die_with_parent();
      return changed;
    };
  }
  static Actor default_user(std::function<bool(pid_t&)> before) { return Actor({Space::Options{}, std::move(before)}); }
  static std::string table_of(Actor& actor) {
    const Answer answer = actor.does([](Self& self, const Order&, Answer& told) {
      std::snprintf(told.message, sizeof told.message, "%s", self.space->report().table_path.c_str());
    });
    return answer.message;
  }
};

TEST_F(Places, AreTheSameForCronServicesAndLogins) {
  in_a_fresh_system([] {
    make_run_tenure();
    Actor login = default_user([](pid_t& born) {
      setenv("HOME", "/home/somebody", 1);
      setenv("XDG_RUNTIME_DIR", "/run/user/54321", 1);
      return as(somebody)(born);
    });
    ASSERT_TRUE(login.acquires("x").ok);
    EXPECT_EQ(table_of(login), "/run/tenure/54321/default.table");
    const std::function<bool(pid_t&)> circumstances[] = {
        [](pid_t& born) { return clearenv() == 0 && as(somebody)(born); },  // cron, env -i
        [](pid_t& born) { return setenv("HOME", "/tmp", 1) == 0 && setenv("TMPDIR", "/var/tmp", 1) == 0 && as(somebody)(born); },
        [](pid_t& born) { return setenv("XDG_RUNTIME_DIR", "/tmp/elsewhere", 1) == 0 && as(somebody)(born); },
        [](pid_t& born) { return as(somebody)(born) && setsid() > 0; },  // no terminal
        [](pid_t& born) { return chdir("/var") == 0 && as(somebody)(born); },
        [](pid_t& born) { return umask(0), as(somebody)(born); },
        [](pid_t& born) { return umask(0777), as(somebody)(born); },
        [](pid_t& born) { return as(somebody, staff)(born); },  // sudo -u, with other groups
        [](pid_t& born) { return be_born_into(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS, nullptr, born) && as(somebody)(born); },
    };
    for (const auto& circumstance : circumstances) {
      Actor other = default_user(circumstance);
      EXPECT_EQ(other.tries("x").error, AcquireError::busy) << other.opens().message;
      EXPECT_EQ(table_of(other), table_of(login));
    }
  });
}

// The end of a login removes /run/user/UID and, where RemoveIPC is set, what the user has in /dev/shm: nothing of ours.
TEST_F(Places, OutliveALogin) {
  in_a_fresh_system([] {
    Actor login = default_user(as(somebody));
    ASSERT_TRUE(login.acquires("x").ok);
    EXPECT_EQ(table_of(login), "/run/lock/tenure-54321/default.table");
    fs::remove_all("/run/user/54321");
    Actor service = default_user(as(somebody));
    EXPECT_EQ(service.tries("x").error, AcquireError::busy);
  });
}

TEST_F(Places, OfTwoUsersAreTwo) {
  in_a_fresh_system([] {
    Actor one = default_user(as(somebody)), other = default_user(as(somebody_else)), root = default_user({});
    ASSERT_TRUE(one.acquires("x").ok);
    EXPECT_TRUE(other.acquires("x").ok) << "another user's names are other names";
    EXPECT_TRUE(root.acquires("x").ok);
    EXPECT_NE(table_of(one), table_of(other));
    EXPECT_NE(table_of(one), table_of(root));
  });
}

// /run/tenure is made while processes live on the places that were there before.
TEST_F(Places, ThatComeLaterMakeNoSecondTable) {
  in_a_fresh_system([] {
    Actor before = default_user(as(somebody));
    ASSERT_TRUE(before.acquires("x").ok);
    make_run_tenure();
    Actor after = default_user(as(somebody));
    EXPECT_EQ(after.tries("x").error, AcquireError::busy) << after.opens().message;
    before.dies();
    EXPECT_TRUE(after.acquires("x").previous_holder_died);
  });
}

TEST_F(Places, OfWhichOneGoesMakeNoSecondTable) {
  in_a_fresh_system([] {
    make_run_tenure();
    Actor before = default_user(as(somebody));
    ASSERT_TRUE(before.acquires("x").ok);
    fs::remove_all("/run/tenure");
    Actor after = default_user(as(somebody));
    EXPECT_FALSE(after.tries("x").ok) << "a second holder";
    EXPECT_TRUE(before.looks_at("x").ok);
    before.dies();
    EXPECT_TRUE(default_user(as(somebody)).acquires("x").ok);
  });
}

TEST_F(Places, AllThreeDeletedMakeNoSecondTable) {
  in_a_fresh_system([] {
    make_run_tenure();
    Actor before = default_user(as(somebody)), after = default_user(as(somebody));
    const Answer held = before.acquires("x");
    ASSERT_TRUE(held.ok);
    for (const char* place : {"/run/tenure/54321", "/run/lock/tenure-54321", "/tmp/tenure-54321"}) EXPECT_GT(fs::remove_all(place), 0U);
    const Answer refused = after.tries("x");
    EXPECT_FALSE(refused.ok) << "a second holder";
    EXPECT_NE(std::strstr(refused.message, "process"), nullptr) << refused.message;
    EXPECT_TRUE(before.looks_at("x").ok);
    before.dies();
    const Answer next = default_user(as(somebody)).acquires("x");
    EXPECT_TRUE(next.ok) << next.message;
    EXPECT_GT(next.token, held.token);
  });
}

// A container's processes have the same paths in their maps, and nothing to do with us.
TEST_F(Places, OfAnotherContainerAreNotInTheWay) {
  in_a_fresh_system([] {
    Actor outside = default_user(as(somebody));
    ASSERT_TRUE(outside.acquires("x").ok);
    in_a_fresh_system([&] {
      Actor inside = default_user(as(somebody));
      const Answer held = inside.acquires("x");
      EXPECT_TRUE(held.ok) << held.message << inside.opens().message;
      EXPECT_EQ(table_of(inside), table_of(outside));
    });
    EXPECT_TRUE(outside.looks_at("x").ok);
  });
}

TEST_F(Places, ThatSomebodyElseHasTakenAreNotUsed) {
  in_a_fresh_system([] {
    ASSERT_EQ(mkdir("/tmp/tenure-54321", 0777), 0);
    ASSERT_EQ(chown("/tmp/tenure-54321", somebody_else, somebody_else), 0);
    ASSERT_EQ(symlink("/tmp/tenure-54321", "/run/lock/tenure-54322"), 0);
    Actor one = default_user(as(somebody));
    ASSERT_TRUE(one.acquires("x").ok) << one.opens().message;
    EXPECT_EQ(table_of(one), "/run/lock/tenure-54321/default.table");
    EXPECT_TRUE(fs::is_empty("/tmp/tenure-54321"));
    Actor other = default_user(as(somebody_else));
    EXPECT_TRUE(other.acquires("x").ok) << "a link in the way is passed over";
    EXPECT_TRUE(fs::is_symlink("/run/lock/tenure-54322"));
  });
}

TEST_F(Places, ThatAreAllTakenAreAnError) {
  in_a_fresh_system([] {
    for (const char* place : {"/run/lock/tenure-54321", "/tmp/tenure-54321"}) {
      ASSERT_EQ(mkdir(place, 0700), 0);
      ASSERT_EQ(chown(place, somebody_else, somebody_else), 0);
    }
    Actor one = default_user(as(somebody));
    const Answer refused = one.opens();
    EXPECT_FALSE(refused.ok);
    EXPECT_NE(std::strstr(refused.message, "/run/lock/tenure-54321"), nullptr) << refused.message;
  });
}

// Debian's default: open(O_CREAT) of another user's file in a sticky directory fails, even for root.
class ProtectedRegular {
 public:
  ProtectedRegular() : file_(open(path, O_RDONLY | O_CLOEXEC)) {
    flock(file_, LOCK_EX);  // another test may be at it
    std::ifstream(path) >> before_;
    std::ofstream(path) << 2 << std::flush;
    std::string now;
    std::ifstream(path) >> now;
    set_ = now == "2";
  }
  ~ProtectedRegular() {
    std::ofstream(path) << before_ << std::flush;
    close(file_);
  }
  ProtectedRegular(const ProtectedRegular&) = delete;
  ProtectedRegular& operator=(const ProtectedRegular&) = delete;
  [[nodiscard]] bool is_set() const { return set_; }

 private:
  static constexpr const char* path = "/proc/sys/fs/protected_regular";
  int file_;
  std::string before_;
  bool set_ = false;
};

TEST_F(Places, OfAGroupAreSharedByItsUsersAlone) {
  const ProtectedRegular setting;
  if (!setting.is_set()) std::puts("without fs.protected_regular=2: it can't be set here");
  in_a_fresh_system([] {
    Space::Options options;
    options.name = "/run/lock/shared";
    options.group = std::to_string(staff);
    Actor one({options, as(somebody, staff)}), other({options, as(somebody_else, staff)}), stranger({options, as(somebody_else)});
    Actor root({options});
    const Answer held = one.acquires("x");
    ASSERT_TRUE(held.ok) << held.message;
    EXPECT_EQ(other.tries("x").error, AcquireError::busy) << other.opens().message;
    EXPECT_EQ(root.tries("x").error, AcquireError::busy) << root.opens().message;
    const Answer refused = stranger.tries("x");
    EXPECT_FALSE(refused.ok);
    EXPECT_EQ(refused.open_code, OpenCode::no_permission) << refused.message;
    other.begins_to_acquire("x");
    EXPECT_TRUE(eventually([&] { return root.sees("x").number == 1; }));
    one.dies();
    EXPECT_TRUE(other.answers().previous_holder_died) << "across users";
  });
}

TEST_F(Places, OfOtherUsersAreOpenToRootWithoutHarm) {
  const ProtectedRegular setting;
  if (!setting.is_set()) std::puts("without fs.protected_regular=2: it can't be set here");
  in_a_fresh_system([] {
    Space::Options options;
    options.name = "/run/lock/shared";
    options.group = std::to_string(staff);
    Actor root({options});
    ASSERT_TRUE(root.acquires("x").ok) << root.opens().message;
    Actor one({options, as(somebody, staff)});
    EXPECT_EQ(one.tries("x").error, AcquireError::busy) << one.opens().message;
  });
}

}  // namespace
}  // namespace tenure::test
