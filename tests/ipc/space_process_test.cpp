// Opening, making and losing the files of a space, with processes that come, go and are killed meanwhile.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <random>
#include <thread>
#include <vector>

#include "core/layout.hpp"
#include "tests/ipc/process_harness.hpp"

namespace tenure::test {
namespace {

namespace fs = std::filesystem;

bool write_file(const std::string& path, const void* bytes, std::size_t size, mode_t mode = 0600) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  const bool written = file >= 0 && write(file, bytes, size) == static_cast<ssize_t>(size);
  if (file >= 0) close(file);
  return written;
}

core::SegmentIdentity identity_in(const std::string& path) {
  core::SegmentIdentity identity;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(pread(file, &identity, sizeof identity, 0), static_cast<ssize_t>(sizeof identity)) << path;
  close(file);
  return identity;
}

void set_identity(const std::string& path, core::SegmentIdentity identity) {
  identity.checksum = core::identity_checksum(identity);
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(pwrite(file, &identity, sizeof identity, 0), static_cast<ssize_t>(sizeof identity)) << path;
  close(file);
}

std::vector<std::string> files_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

// ---- what a killed maker leaves -----------------------------------------------------------------------------------------------------

class Leftover : public testing::TestWithParam<int> {};

TEST_P(Leftover, OfAHalfWrittenSegmentIsReplaced) {
  Stage stage;
  Token last = 0;
  {
    Actor maker = stage.actor();
    last = maker.acquires("x").token;
  }
  const auto bytes = static_cast<std::uintmax_t>(fs::file_size(stage.table_path())) * static_cast<unsigned>(GetParam()) / 100;
  fs::resize_file(stage.table_path(), bytes);
  Actor next = stage.actor();
  const Answer held = next.acquires("x");
  ASSERT_TRUE(held.ok) << held.message;
  EXPECT_GT(held.token, last);
}

INSTANTIATE_TEST_SUITE_P(Percent, Leftover, testing::Values(0, 1, 50, 99));

TEST(LeftoverOfAMaker, OfOtherKindsIsReplacedOrRefused) {
  Stage stage;
  ASSERT_TRUE(write_file(stage.table_path(), "", 0));
  ASSERT_TRUE(write_file(stage.directory() + "/default.lock", "", 0));
  ASSERT_TRUE(write_file(stage.table_path() + ".new-1", "half", 4));
  ASSERT_TRUE(stage.actor().acquires("x").ok);

  fs::remove(stage.table_path());
  fs::create_directory(stage.table_path());
  const Answer directory = stage.actor().opens();
  EXPECT_FALSE(directory.ok);
  EXPECT_EQ(directory.open_code, OpenCode::data) << directory.message;
  fs::remove(stage.table_path());

  fs::create_symlink("/etc/hostname", stage.table_path());
  const Answer link = stage.actor().opens();
  EXPECT_FALSE(link.ok);
  EXPECT_EQ(link.open_code, OpenCode::data) << link.message;
  fs::remove(stage.table_path());

  ASSERT_EQ(mkfifo(stage.table_path().c_str(), 0600), 0);
  EXPECT_FALSE(stage.actor().opens().ok) << "and it does not hang";
  fs::remove(stage.table_path());
  EXPECT_TRUE(stage.actor().acquires("x").ok);
}

TEST(Maker, KilledAtAnyInstantIsSucceeded) {
  constexpr int kills = sanitized ? 50 : 200;
  Stage stage;
  std::mt19937 random(20'260'101);
  Token last = 0;
  int made = 0;
  for (int i = 0; i < kills; ++i) {
    SCOPED_TRACE(numbered("kill ", i));
    const Shared<std::atomic<int>> scene;
    {
      Child maker = Child::run([&]() -> int {
        *scene = 1;
        auto space = Space::open(stage.options());
        *scene = 2;
        for (;;) pause();
      });
      ASSERT_TRUE(eventually([&] { return *scene != 0; }));
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % (sanitized ? 20'000 : 2'500));
      while (std::chrono::steady_clock::now() < until) {
      }
      maker.kill();
      made += *scene == 2 ? 1 : 0;
    }
    Actor next = stage.actor();
    const Answer held = next.acquires("x");
    ASSERT_TRUE(held.ok) << held.message;
    ASSERT_GT(held.token, last);
    last = held.token;
    next.dies();
    fs::remove(stage.table_path());
    ASSERT_LE(files_in(stage.directory()).size(), 1U) << "only the lock file stays";
  }
  std::printf("%d makers killed, %d of them when they had just finished\n", kills, made);
}

TEST(Maker, ThatIsStoppedIsNamed) {
  Stage stage;
  const std::string lock = stage.directory() + "/default.lock";
  ASSERT_TRUE(stage.actor().opens().ok);
  fs::remove(stage.table_path());
  const int file = open(lock.c_str(), O_RDWR | O_CLOEXEC);
  struct flock byte{};
  byte.l_type = F_WRLCK;
  byte.l_len = 1;
  ASSERT_EQ(fcntl(file, F_OFD_SETLK, &byte), 0);  // as a maker that does not go on
  const Answer refused = stage.actor().opens();
  EXPECT_FALSE(refused.ok);
  EXPECT_EQ(refused.open_code, OpenCode::try_later) << refused.message;
  close(file);
  EXPECT_TRUE(stage.actor().opens().ok);
}

TEST(Maker, OneOfManyThatBeginAtOnce) {
  for (int round = 0; round < 10; ++round) {
    Stage stage;
    const Shared<std::atomic<bool>> go;
    const Shared<std::array<std::atomic<Token>, 16>> tokens;
    std::vector<Child> children;
    children.reserve(tokens->size());
    for (std::size_t i = 0; i < tokens->size(); ++i) {
      children.push_back(Child::run([&, i] {
        while (!*go) std::this_thread::yield();
        auto space = Space::open(stage.options());
        auto lease = space ? space->acquire("x") : AcquireError::system;
        if (lease) (*tokens)[i] = lease->token();
        return lease ? 0 : 1;
      }));
    }
    *go = true;
    for (Child& child : children) ASSERT_EQ(child.exit_code(), 0);
    std::vector<Token> all(tokens->begin(), tokens->end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end()) << "one table, so no token twice";
    EXPECT_EQ(all.back() - all.front(), all.size() - 1);
  }
}

// ---- another version, another boot --------------------------------------------------------------------------------------------------

struct Change {
  const char* name;
  void (*apply)(core::SegmentIdentity& identity);
  OpenCode refused_with;
};
void PrintTo(const Change& printed, std::ostream* out) { *out << printed.name; }

class OtherHeader : public testing::TestWithParam<Change> {};

TEST_P(OtherHeader, IsReplacedWhenNobodyUsesIt) {
  Stage stage;
  const Token last = stage.actor().acquires("x").token;
  core::SegmentIdentity identity = identity_in(stage.table_path());
  GetParam().apply(identity);
  set_identity(stage.table_path(), identity);
  Actor next = stage.actor();
  const Answer held = next.acquires("x");
  ASSERT_TRUE(held.ok) << held.message;
  EXPECT_GT(held.token, last);
}

TEST_P(OtherHeader, IsRefusedWithTheNamesOfThoseWhoUseIt) {
  Stage stage;
  Actor old = stage.actor(), next = stage.actor(), later = stage.actor();
  const Answer held = old.acquires("x");
  core::SegmentIdentity identity = identity_in(stage.table_path());
  GetParam().apply(identity);
  set_identity(stage.table_path(), identity);
  const Answer refused = next.opens();
  EXPECT_FALSE(refused.ok);
  EXPECT_EQ(refused.open_code, GetParam().refused_with) << refused.message;
  EXPECT_NE(std::strstr(refused.message, std::to_string(old.pid()).c_str()), nullptr) << refused.message;
  EXPECT_TRUE(old.looks_at("x").ok);
  EXPECT_TRUE(old.releases("x").ok);
  old.dies();
  const Answer anew = later.acquires("x");
  EXPECT_TRUE(anew.ok) << anew.message;
  EXPECT_GT(anew.token, held.token);
}

INSTANTIATE_TEST_SUITE_P(
    With, OtherHeader,
    testing::Values(Change{"Layout", [](core::SegmentIdentity& identity) { identity.layout_hash ^= 1; }, OpenCode::try_later},
                    Change{"Boot", [](core::SegmentIdentity& identity) { identity.boot_id[0] ^= 1; }, OpenCode::data},
                    Change{"Magic", [](core::SegmentIdentity& identity) { identity.magic ^= 1; }, OpenCode::data},
                    Change{"LockFile", [](core::SegmentIdentity& identity) { identity.lock_file_inode ^= 1; }, OpenCode::data},
                    Change{"Size", [](core::SegmentIdentity& identity) { identity.names += core::group_entries; }, OpenCode::data}),
    [](const auto& described) { return std::string(described.param.name); });

// ---- no room ------------------------------------------------------------------------------------------------------------------------

// A process with mounts of its own: small file systems, and the places of default spaces.
int with_own_mounts(const std::function<void()>& body) {
  return Child::run([&] {
           if (unshare(CLONE_NEWNS) != 0) return 77;
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
           body();
           return 0;
         })
      .exit_code(3 * patience);
}

TEST(Full, FileSystemIsAClearErrorAndNothingIsLeft) {
  if (!why_not_root().empty()) GTEST_SKIP() << why_not_root();
  const TemporaryDirectory directory;
  EXPECT_EQ(with_own_mounts([&] {
              ASSERT_EQ(mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=256k,mode=700"), 0);
              Space::Options options;
              options.name = directory.path();
              Actor a({options});
              const Answer refused = a.opens();
              EXPECT_FALSE(refused.ok);
              EXPECT_EQ(refused.open_code, OpenCode::cannot_make) << refused.message;
              EXPECT_NE(std::strstr(refused.message, "No room"), nullptr) << refused.message;
              for (const std::string& name : files_in(directory.path())) EXPECT_EQ(name, "default.lock");
              struct statvfs room{};
              ASSERT_EQ(statvfs(directory.path().c_str(), &room), 0);
              EXPECT_GE(room.f_bfree + 1, room.f_blocks);
              options.names = 352;
              options.sessions = 16;
              Actor b({options});
              const Answer small = b.acquires("x");
              EXPECT_TRUE(small.ok) << small.message;  // as the message says: a smaller space
            }),
            0);
}

// All its room was taken when the segment was made: a file system that is full later is no matter.
TEST(Full, FileSystemLaterIsNoMatter) {
  if (!why_not_root().empty()) GTEST_SKIP() << why_not_root();
  const TemporaryDirectory directory;
  EXPECT_EQ(with_own_mounts([&] {
              ASSERT_EQ(mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=5m,mode=700"), 0);
              Space::Options options;
              options.name = directory.path();
              Actor a({options});
              ASSERT_TRUE(a.opens().ok);
              const std::string filler(1 << 16, 'x');
              int number = 0;
              while (write_file(directory.path() + numbered("/filler", number), filler.data(), filler.size())) ++number;
              const Answer used = a.does([](Self& self, const Order&, Answer& answer) {
                int granted = 0;
                for (int i = 0; i < 20'000; ++i) granted += self.space->acquire(numbered("n", i)).has_value() ? 1 : 0;
                answer.number = granted;
              });
              EXPECT_EQ(used.number, 20'000);
            }),
            0);
}

TEST(Full, SpaceOfNamesThatAreAllHeld) {
  Space::Options options;
  options.names = 352;
  options.sessions = 128;
  Stage stage(options);
  Actor a = stage.actor(), b = stage.actor();
  const Answer filled = a.does([](Self& self, const Order&, Answer& answer) {
    for (int i = 0; i < 1000; ++i) {
      auto lease = self.space->try_acquire(numbered("n", i));
      if (!lease) {
        answer.error = lease.error();
        break;
      }
      self.leases.insert_or_assign(numbered("n", i), std::move(*lease));
      ++answer.number;
    }
  });
  EXPECT_EQ(filled.number, 352);
  EXPECT_EQ(filled.error, AcquireError::space_full);
  EXPECT_EQ(b.tries("one more").error, AcquireError::space_full);
  EXPECT_EQ(b.acquires("one more", {}, milliseconds(200)).error, AcquireError::space_full);
  EXPECT_EQ(b.tries("n7").error, AcquireError::busy);
  const Token last = a.looks_at("n7").token;
  ASSERT_TRUE(a.releases("n7").ok);
  EXPECT_TRUE(b.tries("one more").ok) << "in the place of the one that nobody holds";
  ASSERT_TRUE(b.releases("one more").ok);
  const Answer back = b.tries("n7");
  EXPECT_TRUE(back.ok);
  EXPECT_GT(back.token, last);
}

TEST(Full, SpaceOfSessions) {
  Space::Options options;
  options.sessions = 4;
  Stage stage(options);
  std::vector<Actor> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(stage.actor());
    ASSERT_TRUE(all.back().acquires(numbered("x", i)).ok);
  }
  Actor late = stage.actor();
  EXPECT_EQ(late.tries("y").error, AcquireError::space_full);
  all.back().dies();
  EXPECT_TRUE(late.tries("y").ok);
}

// ---- no access ----------------------------------------------------------------------------------------------------------------------

TEST(Access, ReadOnlyPlaceSaysWhatToChange) {
  if (!why_not_root().empty()) GTEST_SKIP() << why_not_root();
  Stage stage;
  ASSERT_TRUE(stage.actor().opens().ok);
  EXPECT_EQ(with_own_mounts([&] {
              const std::string path = stage.directory();
              ASSERT_EQ(mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr), 0);
              ASSERT_EQ(mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
              const Answer refused = stage.actor().opens();
              EXPECT_FALSE(refused.ok);
              EXPECT_NE(std::strstr(refused.message, "ReadWritePaths"), nullptr) << refused.message;
            }),
            0);
}

TEST(Access, PlaceOfSomebodyElse) {
  if (!why_not_root().empty()) GTEST_SKIP() << why_not_root();
  Stage stage;
  ASSERT_TRUE(stage.actor().opens().ok);
  Actor nobody = stage.actor([](pid_t&) {
    const bool changed = setgid(65534) == 0 && setuid(65534) == 0;
    die_with_parent();
    return changed;
  });
  const Answer refused = nobody.opens();
  EXPECT_FALSE(refused.ok);
  EXPECT_EQ(refused.open_code, OpenCode::no_permission) << refused.message;
}

// ---- deleted under those who live on them -------------------------------------------------------------------------------------------

struct Deletion {
  const char* name;
  void (*apply)(const std::string& directory);
};
void PrintTo(const Deletion& printed, std::ostream* out) { *out << printed.name; }

class Deleted : public testing::TestWithParam<Deletion> {};

TEST_P(Deleted, FilesOfLiveSessionsYieldNoSecondHolder) {
  Stage stage;
  Actor a = stage.actor(), b = stage.actor(), c = stage.actor(), d = stage.actor();
  const Answer held = a.acquires("x");
  ASSERT_TRUE(held.ok);
  ASSERT_TRUE(b.opens().ok);
  GetParam().apply(stage.directory());
  EXPECT_EQ(b.tries("x").error, AcquireError::busy) << "who has it open goes on";
  const Answer refused = c.tries("x");
  EXPECT_FALSE(refused.ok) << "a second holder";
  EXPECT_NE(refused.message[0], '\0');
  const std::string user = "process";
  EXPECT_NE(std::strstr(refused.message, user.c_str()), nullptr) << refused.message;
  EXPECT_TRUE(a.looks_at("x").ok);
  a.dies();
  EXPECT_TRUE(b.acquires("x").ok);
  b.dies();
  const Answer next = d.acquires("x");
  EXPECT_TRUE(next.ok) << next.message;
  EXPECT_GT(next.token, held.token);
}

INSTANTIATE_TEST_SUITE_P(By, Deleted,
                         testing::Values(Deletion{"Table", [](const std::string& directory) { fs::remove(directory + "/default.table"); }},
                                         Deletion{"TableAndLock",
                                                  [](const std::string& directory) {
                                                    fs::remove(directory + "/default.table");
                                                    fs::remove(directory + "/default.lock");
                                                  }},
                                         Deletion{"Lock", [](const std::string& directory) { fs::remove(directory + "/default.lock"); }},
                                         Deletion{"Directory", [](const std::string& directory) { fs::remove_all(directory); }},
                                         Deletion{"NewDirectory",
                                                  [](const std::string& directory) {
                                                    fs::remove_all(directory);
                                                    fs::create_directory(directory);
                                                    fs::permissions(directory, fs::perms::owner_all);
                                                  }}),
                         [](const auto& described) { return std::string(described.param.name); });

TEST(DeletedElsewhere, HolderWithOtherMountsIsSeen) {
  if (!why_not_root().empty()) GTEST_SKIP() << why_not_root();
  Stage stage;
  Actor a = stage.actor([](pid_t&) { return unshare(CLONE_NEWNS) == 0; });
  ASSERT_TRUE(a.acquires("x").ok);
  fs::remove_all(stage.directory());
  const Answer refused = stage.actor().tries("x");
  EXPECT_FALSE(refused.ok) << "a second holder";
  EXPECT_NE(std::strstr(refused.message, "process"), nullptr) << refused.message;
}

// Everybody begins at once, while somebody deletes: makers with different lock files in hand must not both let their users in.
TEST(DeletedAgainAndAgain, NeverTwoInside) {
  struct Board {
    std::atomic<bool> go{false};
    std::atomic<int> inside{0}, together{0}, granted{0}, refused{0};
  };
  Stage stage;
  const Shared<Board> board;
  const auto visit = [&] {
    while (!board->go) std::this_thread::yield();
    auto space = Space::open(stage.options());
    if (!space) return ++board->refused, 0;
    auto lease = space->acquire_for("x", milliseconds(50));
    if (!lease) return 0;
    ++board->granted;
    if (++board->inside != 1) ++board->together;
    std::this_thread::sleep_for(milliseconds(5));
    --board->inside;
    return 0;
  };
  int rounds = 0;
  for (const auto until = std::chrono::steady_clock::now() + seconds(6); std::chrono::steady_clock::now() < until; ++rounds) {
    constexpr int count = 8;
    std::vector<Child> visitors;
    visitors.reserve(count);
    for (int i = 0; i < count; ++i) visitors.push_back(Child::run(visit));
    board->go = true;
    for (int i = 0; i < 12; ++i) {
      std::error_code ignored;
      if (i % 4 == 3 && rounds % 2 == 0) fs::remove_all(stage.directory(), ignored);
      fs::remove(stage.directory() + "/default.lock", ignored);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
    for (Child& visitor : visitors) ASSERT_EQ(visitor.exit_code(), 0);
    board->go = false;
    ASSERT_EQ(board->together, 0) << "in round " << rounds;
  }
  EXPECT_GT(board->granted, 0);
  std::printf("%d rounds, %d grants, %d refusals\n", rounds, board->granted.load(), board->refused.load());
}

}  // namespace
}  // namespace tenure::test
