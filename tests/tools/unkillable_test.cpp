// Descendants that cannot be killed, or take their time to die: the name stays held until they are gone, and whoever is asked says why.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/tools/program.hpp"

namespace tenure::tests {
namespace {

constexpr uid_t nobody = 65534;

// A file system whose server, this one, answers nobody but the kernel's greeting: who asks for a file sleeps, and not even SIGKILL wakes
// it, until the server is gone.
class DeafFileSystem {
 public:
  // `node` is where the device is made if the machine has it, but no name for it.
  explicit DeafFileSystem(const std::string& node) : device_(open_device("/dev/fuse")) {
    if (device_ < 0 && mknod(node.c_str(), S_IFCHR | 0600, makedev(10, 229)) == 0) device_ = open_device(node);
  }
  ~DeafFileSystem() { end(); }
  DeafFileSystem(const DeafFileSystem&) = delete;
  DeafFileSystem& operator=(const DeafFileSystem&) = delete;

  [[nodiscard]] bool is_open() const { return device_ >= 0; }
  // For a process that ends with exec; it and its descendants see the file system.
  void mount_on(const std::string& directory) const {
    const std::string options = "fd=" + std::to_string(device_) + ",rootmode=40755,user_id=0,group_id=0";
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("deaf", directory.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
      _exit(126);
    }
  }
  // Whether somebody waits for an answer.
  bool is_asked() {
    return eventually([this] {
      alignas(fuse_in_header) std::array<char, 1 << 17> request{};
      if (read(device_, request.data(), request.size()) <= 0) return false;
      fuse_in_header header{};
      std::memcpy(&header, request.data(), sizeof header);
      if (header.opcode != FUSE_INIT) return true;
      greet(header.unique);
      return false;
    });
  }
  void end() {
    if (device_ >= 0) close(device_);
    device_ = -1;
  }

 private:
  static int open_device(const std::string& path) { return open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK); }
  void greet(std::uint64_t request) const {
    fuse_init_out init{};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    init.max_write = 4096;
    fuse_out_header header{sizeof header + sizeof init, 0, request};
    const std::array<iovec, 2> parts{iovec{&header, sizeof header}, iovec{&init, sizeof init}};
    EXPECT_EQ(writev(device_, parts.data(), parts.size()), static_cast<ssize_t>(header.len));
  }
  int device_;
};

std::string name_of(pid_t process) {
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(process) + "/comm"), name);
  return name;
}

class Unkillable : public testing::Test {
 protected:
  // Standard error of a process goes there, and can be read while it runs.
  void say_into_file() const {
    const int file = open(scratch_.path("said").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(file, 2);
  }
  bool says(const std::string& words) {
    return eventually([&] { return scratch_.read("said").find(words) != std::string::npos; });
  }
  pid_t number_in(const std::string& file) {
    EXPECT_TRUE(eventually([&] { return scratch_.read(file).ends_with('\n'); }));
    return std::atoi(scratch_.read(file).c_str());
  }
  Scratch scratch_;
};

TEST_F(Unkillable, InUninterruptibleSleepItKeepsTheName) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may mount a file system that does not answer";
  DeafFileSystem files(scratch_.path("fuse"));
  if (!files.is_open()) GTEST_SKIP() << "this machine gives no FUSE device (" << std::strerror(errno) << "), so nothing can sleep for ever";
  ASSERT_EQ(mkdir(scratch_.path("deaf").c_str(), 0700), 0);
  const std::string script = "cat " + scratch_.path("deaf/file") + " & echo $! > " + scratch_.path("pid") + "; wait";
  Process process(scratch_.run({"--kill-after", "0.05", "n", "sh", "-c", script}), "", [&] {
    files.mount_on(scratch_.path("deaf"));
    say_into_file();
  });
  const pid_t sleeper = number_in("pid");
  ASSERT_TRUE(files.is_asked()) << scratch_.read("said");
  process.send(SIGTERM);
  EXPECT_TRUE(says("still holding \"n\": PID " + std::to_string(sleeper) + " (cat), ")) << scratch_.read("said");
  EXPECT_TRUE(says(", in uninterruptible sleep has not died yet")) << scratch_.read("said");
  EXPECT_EQ(state_of(sleeper), 'D');
  EXPECT_EQ(run_to_end(scratch_.run({"-n", "n", "true"})).exit, 1);
  Process next(scratch_.run({"n", "test", "!", "-e", "/proc/" + std::to_string(sleeper)}));
  files.end();
  EXPECT_EQ(next.wait().exit, 0);
  EXPECT_EQ(process.wait().exit, 143);
}

// Nobody is left to say it; the guard waits all the same.
TEST_F(Unkillable, InUninterruptibleSleepItKeepsTheNameOfAKilledSupervisor) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may mount a file system that does not answer";
  DeafFileSystem files(scratch_.path("fuse"));
  if (!files.is_open()) GTEST_SKIP() << "this machine gives no FUSE device (" << std::strerror(errno) << "), so nothing can sleep for ever";
  ASSERT_EQ(mkdir(scratch_.path("deaf").c_str(), 0700), 0);
  const std::string script = "cat " + scratch_.path("deaf/file") + " & echo $! > " + scratch_.path("pid") + "; wait";
  const Process process(scratch_.run({"n", "sh", "-c", script}), "", [&] { files.mount_on(scratch_.path("deaf")); });
  const pid_t sleeper = number_in("pid");
  ASSERT_TRUE(files.is_asked());
  process.send(SIGKILL);
  EXPECT_TRUE(eventually([&] { return state_of(sleeper) == 'D'; }));
  EXPECT_EQ(run_to_end(scratch_.run({"-w", "0.2", "n", "true"})).exit, 1);
  Process next(scratch_.run({"n", "test", "!", "-e", "/proc/" + std::to_string(sleeper)}));
  files.end();
  EXPECT_EQ(next.wait().exit, 0);
}

// As sudo(8) makes them: wholly root's. (What is only set-user-ID is still its caller's to kill.)
class AnotherUsers : public Unkillable {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can make a program that runs as another user";
    std::filesystem::copy_file("/usr/bin/setpriv", scratch_.path("become-root"));
    std::filesystem::copy_file(TENURE_PROGRAM, scratch_.path("tenure"));
    ASSERT_TRUE(chmod(scratch_.path("become-root").c_str(), 04755) == 0 && chmod(scratch_.path("").c_str(), 0711) == 0);
    ASSERT_TRUE(mkdir(scratch_.path("theirs").c_str(), 0700) == 0 && chown(scratch_.path("theirs").c_str(), nobody, nobody) == 0);
  }
  [[nodiscard]] Arguments run() const {
    return {"setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            scratch_.path("tenure"),
            "run",
            "--space",
            scratch_.path("theirs/space")};
  }
  // A run of an ordinary user with a descendant that is root's; its number is in sleeper_.
  Process start(const Arguments& options) {
    const std::string script =
        scratch_.path("become-root") + " --reuid 0 sleep " + mark_ + " & echo $! > " + scratch_.path("theirs/pid") + "; wait";
    Process process(run() + options + Arguments{"n", "sh", "-c", script}, "", [this] { say_into_file(); });
    sleeper_ = number_in("theirs/pid");
    EXPECT_TRUE(eventually([&] { return name_of(sleeper_) == "sleep"; })) << scratch_.read("said");
    return process;
  }
  void TearDown() override {
    if (sleeper_ > 0) kill(sleeper_, SIGKILL);
  }
  std::string mark_ = unique_sleep();
  pid_t sleeper_ = 0;
};

TEST_F(AnotherUsers, ProcessKeepsTheName) {
  Process process = start({"--kill-after", "0.05"});
  process.send(SIGTERM);
  const std::string words = "still holding \"n\": PID " + std::to_string(sleeper_) + " (sleep), user root cannot be killed by this user";
  EXPECT_TRUE(says(words)) << scratch_.read("said");
  EXPECT_EQ(run_to_end(run() + Arguments{"-n", "n", "true"}).exit, 1);
  EXPECT_FALSE(process.has_ended());
  EXPECT_EQ(kill(sleeper_, SIGKILL), 0);
  EXPECT_EQ(process.wait().exit, 143);
  EXPECT_EQ(run_to_end(run() + Arguments{"-n", "n", "true"}).exit, 0);
}

TEST_F(AnotherUsers, ProcessKeepsTheNameWhenTheGuardIsKilled) {
  Process process = start({});
  EXPECT_EQ(kill(process.guard(), SIGKILL), 0);
  EXPECT_TRUE(says("stays held until these have died:")) << scratch_.read("said");
  EXPECT_TRUE(says("PID " + std::to_string(sleeper_) + " (sleep), user root, which this user cannot kill")) << scratch_.read("said");
  EXPECT_EQ(run_to_end(run() + Arguments{"-w", "0.1", "n", "true"}).exit, 1);
  EXPECT_EQ(kill(sleeper_, SIGKILL), 0);
  EXPECT_EQ(process.wait().exit, 71);
  EXPECT_EQ(run_to_end(run() + Arguments{"-n", "n", "true"}).exit, 0);
}

// Strict: whoever comes next is told for whom it waits.
TEST_F(AnotherUsers, ProcessKeepsTheNameWhenBothAreKilled) {
  const Process process = start({"-o"});
  const pid_t guard = process.guard();
  process.send(SIGSTOP);
  kill(guard, SIGKILL);
  process.send(SIGKILL);
  Process next(run() + Arguments{"n", "sh", "-c", "echo $TENURE_ABANDONED"}, "", [this] { say_into_file(); });
  EXPECT_TRUE(says("\"n\" is held back by what is left of a run:")) << scratch_.read("said");
  EXPECT_TRUE(says("PID " + std::to_string(sleeper_) + " (sleep), user root, which this user cannot kill")) << scratch_.read("said");
  EXPECT_FALSE(next.has_ended());
  EXPECT_EQ(kill(sleeper_, SIGKILL), 0);
  const Ended ended = next.wait();
  EXPECT_EQ(ended.exit, 0);
  EXPECT_EQ(ended.out, "1\n");
}

// Leased: two seconds after the deadline the next one enters, and says beside whom.
TEST_F(AnotherUsers, ProcessOfALeaseIsEnteredBesideLoudly) {
  const Process process = start({"-t", "1", "--no-renew"});
  const Ended next = run_to_end(run() + Arguments{"-w", "20", "n", "true"});
  EXPECT_EQ(next.exit, 0) << next.err;
  EXPECT_NE(next.err.find("WARNING: entered \"n\""), std::string::npos) << next.err;
  EXPECT_NE(next.err.find("PID " + std::to_string(sleeper_) + " (sleep), user root, which this user cannot kill"), std::string::npos)
      << next.err;
  EXPECT_EQ(state_of(sleeper_), 'S');
}

// Its bell rings long before the kernel has taken its memory back.
TEST(Large, ProcessIsGoneBeforeTheNextHolderIsIn) {
  const Scratch scratch;
  const Journal* journal = map_journal(scratch.path("journal"));
  const Arguments visit = large_visitor(scratch.path("journal"));
  const std::string script = visit[0] + " " + visit[1] + " " + visit[2] + " & echo $! > " + scratch.path("pid") + "; wait";
  const Process process(scratch.run({"n", "sh", "-c", script}));
  ASSERT_TRUE(eventually([&] { return journal->visit[0].last_ns != 0; }));
  const std::string large = "/proc/" + std::to_string(std::atoi(scratch.read("pid").c_str()));
  const Process next(
      scratch.run(Arguments{"n", "sh", "-c", "[ -e " + large + " ] || exec \"$@\"", "sh"} + visitor(scratch.path("journal"))));
  process.send(SIGKILL);
  ASSERT_TRUE(eventually([&] { return journal->visit[1].last_ns != 0; }));
  EXPECT_EQ(overlaps(*journal), 0);
}

}  // namespace
}  // namespace tenure::tests
