#include "ipc/segment_file.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>

#include <array>
#include <bit>
#include <cstring>
#include <ctime>

#include "ipc/kernel.hpp"
#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;
using Segment = std::unique_ptr<SegmentFile>;

// Users that no other test is at the same time: the default places follow from the user.
const uid_t somebody = 100'000 + static_cast<uid_t>(getpid()), somebody_else = somebody + 5'000'000;
constexpr gid_t group = 54399;

ino_t inode_of(const std::string& path) {
  struct stat facts{};
  return lstat(path.c_str(), &facts) == 0 ? facts.st_ino : 0;
}

int as_user(uid_t user, const std::vector<gid_t>& groups, const std::function<int()>& body) {
  return in_child([&] {
    if (setgroups(groups.size(), groups.data()) != 0 || setgid(user) != 0 || setuid(user) != 0) return 99;
    return body();
  });
}

class SegmentFileTest : public ::testing::Test {
 protected:
  SegmentFileTest() {
    options_.directory = directory_ / "place";
    options_.state_directory = directory_ / "state";
    options_.capacity = {352, 64};
    options_.patience_ns = 3'000'000'000;
  }
  [[nodiscard]] Segment open() const { return value_of(SegmentFile::open(options_)); }
  [[nodiscard]] OpenFault fault() const { return fault_of_opened(SegmentFile::open(options_)); }
  [[nodiscard]] std::string table() const { return options_.directory + "/default.table"; }
  [[nodiscard]] std::string lock() const { return options_.directory + "/default.lock"; }

  // Changes the header of the file as a tampering hand would, and leaves its checksum right if `sign` is set.
  void tamper(const std::function<void(core::SegmentIdentity&)>& change, bool sign = true) const {
    const Descriptor file(::open(table().c_str(), O_RDWR));
    std::array<std::byte, sizeof(core::SegmentIdentity)> bytes{};
    ASSERT_EQ(pread(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    auto identity = std::bit_cast<core::SegmentIdentity>(bytes);
    change(identity);
    if (sign) identity.checksum = core::identity_checksum(identity);
    bytes = std::bit_cast<decltype(bytes)>(identity);
    ASSERT_EQ(pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }

  // Refused as long as the space is open in this process, with its id; made anew as soon as it is not.
  void expect_refused_then_made(Segment live, FaultCode code) const {
    const OpenFault refused = fault();
    EXPECT_EQ(refused.code, code) << refused.message;
    EXPECT_NE(refused.message.find("process " + std::to_string(getpid())), std::string::npos) << refused.message;
    live.reset();
    EXPECT_TRUE(open()->made_here());
  }

  TemporaryDirectory directory_;
  SpaceOptions options_;
};

TEST_F(SegmentFileTest, the_first_makes_it_and_the_next_finds_it) {
  const Segment first = open();
  EXPECT_TRUE(first->made_here());
  EXPECT_EQ(first->path(), table());
  EXPECT_EQ(first->identity().names, 352u);
  EXPECT_EQ(first->weak_reason(), "");
  options_.capacity = {10'000, 100};
  const Segment second = open();
  EXPECT_FALSE(second->made_here());
  EXPECT_EQ(second->identity().sessions, 64u) << "it keeps its own size";
  first->base()[8192] = std::byte{42};
  EXPECT_EQ(second->base()[8192], std::byte{42});
  EXPECT_EQ(core::fault_of(first->identity(), static_cast<std::uint64_t>(std::ifstream(table(), std::ios::ate).tellg())),
            core::IdentityFault::sound);
}

TEST_F(SegmentFileTest, it_starts_with_the_initial_image_and_nothing_else) {
  const Segment segment = open();
  std::vector<std::byte> expected(segment->identity().size_bytes);
  core::write_initial_image(segment->identity(), [&](std::uint64_t offset, const auto& page) {
    std::memcpy(expected.data() + offset, page.data(), sizeof page);
  });
  EXPECT_EQ(std::memcmp(segment->base(), expected.data(), expected.size()), 0);
}

TEST_F(SegmentFileTest, files_are_private_whatever_the_umask) {
  const mode_t before = umask(0);
  const Segment segment = open();
  umask(before);
  struct stat facts{};
  for (const std::string& path : {table(), lock()}) {
    ASSERT_EQ(stat(path.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0600u) << path;
  }
}

TEST_F(SegmentFileTest, nonsense_is_refused) {
  options_.space = "../etc";
  EXPECT_EQ(fault().code, FaultCode::configuration);
  options_.space = "default";
  options_.capacity.sessions = core::sessions_max + 1;
  EXPECT_EQ(fault().code, FaultCode::configuration);
  options_.capacity = {352, 64};
  options_.directory.clear();
  options_.group = group;
  EXPECT_EQ(fault().code, FaultCode::configuration);
}

TEST_F(SegmentFileTest, without_leave_to_make_it_nothing_is_made) {
  options_.create = false;
  EXPECT_EQ(fault().code, FaultCode::cannot_open);
  EXPECT_EQ(inode_of(options_.directory), 0u);
  ASSERT_EQ(mkdir(options_.directory.c_str(), 0700), 0);
  EXPECT_EQ(fault().code, FaultCode::cannot_open);
  EXPECT_EQ(inode_of(lock()), 0u);
  options_.create = true;
  const Segment segment = open();
  options_.create = false;
  EXPECT_FALSE(open()->made_here());
}

TEST_F(SegmentFileTest, spaces_of_one_place_are_apart) {
  const Segment one = open();
  options_.space = "other";
  const Segment other = open();
  EXPECT_TRUE(other->made_here());
  EXPECT_EQ(other->path(), options_.directory + "/other.table");
}

TEST_F(SegmentFileTest, one_of_an_earlier_boot_is_made_anew) {
  (void)open();
  const ino_t before = inode_of(table());
  const Descriptor keeps_the_inode(::open(table().c_str(), O_RDONLY));
  tamper([](auto& identity) { identity.boot_id[0] ^= 1; });
  EXPECT_TRUE(open()->made_here());
  EXPECT_NE(inode_of(table()), before);
}

TEST_F(SegmentFileTest, one_that_hides_its_boot_is_not_replaced_under_live_sessions) {
  Segment live = open();
  tamper([](auto& identity) { identity.boot_id[0] ^= 1; });
  expect_refused_then_made(std::move(live), FaultCode::unusable);
}

TEST_F(SegmentFileTest, another_layout_waits_for_its_sessions_by_name) {
  Segment live = open();
  tamper([](auto& identity) { identity.layout_hash ^= 1; });
  expect_refused_then_made(std::move(live), FaultCode::try_later);
}

TEST_F(SegmentFileTest, a_damaged_header_is_replaced_when_nobody_uses_it) {
  Segment live = open();
  tamper([](auto& identity) { identity.names += 1; }, false);
  expect_refused_then_made(std::move(live), FaultCode::unusable);
}

TEST_F(SegmentFileTest, leftovers_of_any_length_are_replaced) {
  (void)open();
  for (const off_t length : {0, 1, 100, 4096, 100'000}) {
    ASSERT_EQ(truncate(table().c_str(), length), 0);
    EXPECT_TRUE(open()->made_here()) << length;
  }
  write_text(table(), std::string(5000, 'x'));
  EXPECT_TRUE(open()->made_here());
}

TEST_F(SegmentFileTest, a_deleted_one_is_not_replaced_under_live_sessions) {
  Segment live = open();
  ASSERT_EQ(unlink(table().c_str()), 0);
  EXPECT_FALSE(live->is_in_place());
  expect_refused_then_made(std::move(live), FaultCode::try_later);
}

TEST_F(SegmentFileTest, one_whose_whole_directory_was_deleted_is_not_replaced_either) {
  Segment live = open();
  TemporaryDirectory::remove_tree(options_.directory);
  expect_refused_then_made(std::move(live), FaultCode::try_later);
}

TEST_F(SegmentFileTest, one_whose_lock_file_was_deleted_or_replaced_is_refused) {
  Segment live = open();
  ASSERT_EQ(unlink(lock().c_str()), 0);
  expect_refused_then_made(std::move(live), FaultCode::unusable);
  EXPECT_FALSE(open()->made_here()) << "and then it is sound";
}

TEST_F(SegmentFileTest, the_presence_of_another_process_is_seen_without_its_mapping) {
  (void)open();
  const Descriptor other(::open(lock().c_str(), O_RDWR));
  ASSERT_EQ(lock_byte(other.get(), presence_byte, LockKind::read), LockOutcome::done);
  EXPECT_FALSE(open()->made_here()) << "attaching is no conflict";
  ASSERT_EQ(unlink(table().c_str()), 0);
  EXPECT_EQ(fault().code, FaultCode::try_later);
  ASSERT_EQ(lock_byte(other.get(), presence_byte, LockKind::none), LockOutcome::done);
  EXPECT_TRUE(open()->made_here());
}

TEST_F(SegmentFileTest, strange_files_are_refused_and_left_alone) {
  (void)open();
  const auto expect_refused = [&](const char* what, FaultCode code) {
    const ino_t before = inode_of(table());
    EXPECT_EQ(fault().code, code) << what << ": " << fault().message;
    EXPECT_EQ(inode_of(table()), before) << what;
  };
  chmod(table().c_str(), 0604);
  expect_refused("open to everybody", FaultCode::not_permitted);
  chmod(table().c_str(), 0640);
  expect_refused("open to the group", FaultCode::not_permitted);
  chmod(table().c_str(), 0600);
  ASSERT_EQ(link(table().c_str(), (directory_ / "second").c_str()), 0);
  expect_refused("two names", FaultCode::not_permitted);
  ASSERT_EQ(unlink(table().c_str()), 0);
  ASSERT_EQ(symlink((directory_ / "second").c_str(), table().c_str()), 0);
  expect_refused("a link", FaultCode::unusable);
  ASSERT_EQ(unlink(table().c_str()), 0);
  ASSERT_EQ(mkfifo(table().c_str(), 0600), 0);
  expect_refused("a FIFO", FaultCode::not_permitted);
  ASSERT_EQ(unlink(table().c_str()), 0);
  ASSERT_EQ(mkdir(table().c_str(), 0700), 0);
  expect_refused("a directory", FaultCode::unusable);
  ASSERT_EQ(rmdir(table().c_str()), 0);
  chmod(lock().c_str(), 0666);
  EXPECT_EQ(fault().code, FaultCode::not_permitted) << "the lock file";
}

TEST_F(SegmentFileTest, one_from_the_future_is_refused) {
  (void)open();
  tamper([](auto& identity) { identity.created_boottime_ns += 3'600'000'000'000; });
  EXPECT_EQ(fault().code, FaultCode::configuration);
}

TEST_F(SegmentFileTest, a_maker_who_hangs_is_named) {
  ASSERT_EQ(mkdir(options_.directory.c_str(), 0700), 0);
  Shared<std::atomic<int>> ready;
  const Child maker([&] {
    const Descriptor file(::open(lock().c_str(), O_RDWR | O_CREAT, 0600));
    const std::string note = std::to_string(getpid()) + "\n";
    if (write(file.get(), note.data(), note.size()) < 0 || lock_byte(file.get(), maker_byte, LockKind::write) != LockOutcome::done)
      return 1;
    ready->store(1);
    sleep_until_killed();
  });
  ASSERT_TRUE(eventually([&] { return ready->load() == 1; }));
  options_.patience_ns = 20'000'000;
  const OpenFault refused = fault();
  EXPECT_EQ(refused.code, FaultCode::try_later);
  EXPECT_NE(refused.message.find(std::to_string(maker.pid())), std::string::npos) << refused.message;
  maker.kill();
  options_.patience_ns = 5'000'000'000;
  EXPECT_TRUE(open()->made_here());
}

TEST_F(SegmentFileTest, of_many_who_come_at_once_one_makes_it) {
  for (int round = 0; round < 10; ++round) {
    TemporaryDirectory::remove_tree(options_.directory);
    const Shared<std::atomic<int>> go, makers, done;
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 8; ++i) {
      children.push_back(std::make_unique<Child>([&] {
        while (go->load() == 0) {
        }
        const auto opened = SegmentFile::open(options_);
        if (const OpenFault* fault = fault_in(opened)) {
          std::fprintf(stderr, "%s\n", fault->message.c_str());
          return 1;
        }
        const Segment& segment = std::get<Segment>(opened);
        makers->fetch_add(segment->made_here() ? 1 : 0);
        reinterpret_cast<std::atomic<std::uint64_t>*>(segment->base() + 8192)->fetch_add(1);
        done->fetch_add(1);
        while (done->load() < 8) {
        }
        return reinterpret_cast<std::atomic<std::uint64_t>*>(segment->base() + 8192)->load() >= 8 ? 0 : 2;
      }));
    }
    go->store(1);
    for (const auto& child : children) ASSERT_EQ(child->wait(), 0);
    EXPECT_EQ(makers->load(), 1);
  }
}

TEST_F(SegmentFileTest, a_maker_may_be_killed_at_any_instant) {
  int made = 0;
  for (int round = 0; round < 40; ++round) {
    TemporaryDirectory::remove_tree(options_.directory);
    Child maker([&] {
      const auto opened = SegmentFile::open(options_);
      return fault_in(opened) == nullptr ? 0 : 1;
    });
    std::this_thread::sleep_for(std::chrono::microseconds(100 * round));
    maker.kill();
    maker.wait();
    made += open()->made_here() ? 1 : 0;
  }
  EXPECT_GT(made, 0);
}

TEST_F(SegmentFileTest, the_mark_is_the_floor_of_the_next_segment) {
  {
    const Segment first = open();
    EXPECT_EQ(first->identity().token_floor, 0u);
    EXPECT_EQ(first->identity().tokens_weak, 0u);
    ASSERT_TRUE(first->token_mark().raise(1000));
  }
  ASSERT_EQ(unlink(table().c_str()), 0);
  EXPECT_EQ(open()->identity().token_floor, 1000 + TokenMark::step);
  ASSERT_EQ(unlink(table().c_str()), 0);
  options_.state_directory = "/proc/no-place";
  const Segment weak = open();
  EXPECT_EQ(weak->identity().tokens_weak, 1u);
  EXPECT_NE(weak->weak_reason(), "");
}

TEST_F(SegmentFileTest, no_room_is_said_when_it_is_made_and_not_later) {
  ASSERT_EQ(mkdir(options_.directory.c_str(), 0700), 0);
  options_.capacity = {};
  const int status = in_child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 99;
    if (mount("none", options_.directory.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) return 99;
    const OpenFault full = fault();
    if (inode_of(table()) != 0) return 1;
    return full.message.find("No room") != std::string::npos ? static_cast<int>(full.code) : 2;
  });
  if (status == 99) GTEST_SKIP() << "may not mount";
  EXPECT_EQ(status, 73);
}

TEST_F(SegmentFileTest, a_place_that_became_read_only_is_not_passed_over) {
  (void)open();
  const int status = in_child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 99;
    const char* place = options_.directory.c_str();
    if (mount(place, place, nullptr, MS_BIND, nullptr) != 0) return 99;
    if (mount(nullptr, place, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) return 99;
    const OpenFault refused = fault();
    return refused.message.find("ReadWritePaths=") != std::string::npos ? static_cast<int>(refused.code) : 2;
  });
  if (status == 99) GTEST_SKIP() << "may not mount";
  EXPECT_EQ(status, 66);
}

TEST_F(SegmentFileTest, a_file_that_shrinks_is_lost_and_no_crash) {
  const Segment segment = open();
  EXPECT_TRUE(segment->is_in_place());
  EXPECT_FALSE(segment->is_lost());
  ASSERT_EQ(truncate(table().c_str(), 4096), 0);
  EXPECT_FALSE(segment->is_in_place());
  EXPECT_EQ(segment->base()[3 * 4096], std::byte{0});
  EXPECT_TRUE(segment->is_lost());
  EXPECT_EQ(segment->identity().names, 352u) << "this process's own copy";
}

TEST_F(SegmentFileTest, a_core_dump_leaves_it_out) {
  const Segment segment = open();
  const std::string maps = text_of("/proc/self/smaps");
  const std::size_t at = maps.find(table());
  ASSERT_NE(at, std::string::npos);
  const std::size_t flags = maps.find("VmFlags:", at);
  EXPECT_NE(maps.substr(flags, maps.find('\n', flags) - flags).find(" dd"), std::string::npos);
}

TEST_F(SegmentFileTest, cleaners_of_temporary_files_find_the_directory_locked) {
  const Segment segment = open();
  const Descriptor cleaner(::open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY));
  EXPECT_NE(flock(cleaner.get(), LOCK_EX | LOCK_NB), 0);
}

TEST_F(SegmentFileTest, members_of_a_group_share_a_space) {
  TENURE_NEEDS_ROOT();
  options_.group = group;
  const Segment roots = open();
  const auto attach = [&] { return static_cast<int>(fault().code); };
  EXPECT_EQ(as_user(somebody, {group}, attach), 0);
  EXPECT_EQ(as_user(somebody, {}, attach), 77);
  options_.space = "of-a-member";
  const auto make_with_umask = [&] {
    umask(077);
    return attach();
  };
  EXPECT_EQ(as_user(somebody, {group}, make_with_umask), 0);
  EXPECT_EQ(as_user(somebody_else, {group}, attach), 0);
  EXPECT_FALSE(open()->made_here());
  chmod(options_.directory.c_str(), 0770);  // new files don't inherit its group
  options_.space = "of-a-plain-directory";
  EXPECT_EQ(as_user(somebody, {group}, make_with_umask), 0);
  EXPECT_EQ(as_user(somebody_else, {group}, attach), 0);
}

TEST_F(SegmentFileTest, a_child_has_no_descriptor_until_it_renews) {
  const Segment segment = open();
  ASSERT_GE(segment->lock_descriptor(), 0);
  EXPECT_EQ(in_child([&] {
              if (segment->lock_descriptor() != -1) return 1;
              if (segment->renew_after_fork().has_value()) return 2;
              return segment->lock_descriptor() >= 0 && process_generation() != 0 ? 0 : 3;
            }),
            0);
}

TEST_F(SegmentFileTest, a_child_that_renewed_is_present_and_one_that_did_not_is_not) {
  Segment segment = open();
  for (const bool renews : {true, false}) {
    Shared<std::atomic<int>> ready;
    Child child([&]() -> int {
      munmap(segment->base(), segment->identity().size_bytes);  // only presence is to be seen
      ready->store(!renews || !segment->renew_after_fork() ? 1 : 2);
      sleep_until_killed();
    });
    ASSERT_TRUE(eventually([&] { return ready->load() == 1; }));
    ASSERT_EQ(unlink(table().c_str()), 0);
    segment.reset();
    if (renews) {
      EXPECT_EQ(fault().code, FaultCode::try_later);
      child.kill();
      child.wait();
    }
    segment = open();
    EXPECT_TRUE(segment->made_here()) << renews;
  }
}

TEST_F(SegmentFileTest, a_child_whose_files_are_others_by_now_is_told) {
  const Segment segment = open();
  Shared<std::atomic<int>> go;
  const auto renew = [&]() -> int {
    while (go->load() == 0) usleep(100);
    const auto refused = segment->renew_after_fork();
    return refused ? static_cast<int>(refused->code) : 0;
  };
  Child first(renew);
  const std::string aside = lock() + "-aside";
  ASSERT_EQ(rename(lock().c_str(), aside.c_str()), 0);
  write_text(lock(), "");
  go->store(1);
  EXPECT_EQ(first.wait(), 65) << "another lock file";
  ASSERT_EQ(rename(aside.c_str(), lock().c_str()), 0);
  go->store(0);
  Child second(renew);
  ASSERT_EQ(unlink(table().c_str()), 0);
  go->store(1);
  EXPECT_EQ(second.wait(), 65) << "no table";
}

// The default places, as a user who has none yet.
class DefaultSpaceTest : public SegmentFileTest {
 protected:
  void SetUp() override {
    TENURE_NEEDS_ROOT();
    options_.directory.clear();
    chmod(directory_.path().c_str(), 0777);
    clear();
  }
  void TearDown() override {
    if (is_root()) clear();
  }
  static void clear() {
    for (const std::string& path : default_place_paths(somebody)) TemporaryDirectory::remove_tree(path);
  }
  static bool has_two_places(const SegmentFile& segment) {
    const std::string temporary = default_place_paths(geteuid())[2];
    return segment.directory() != temporary && inode_of(temporary + "/default.lock") != 0;
  }
};

TEST_F(DefaultSpaceTest, the_loss_of_one_place_is_seen_from_another) {
  EXPECT_EQ(as_user(somebody, {},
                    [&] {
                      Segment live = open();
                      if (!has_two_places(*live)) return 100;
                      // Its mapping goes too, so that nothing but presence in the other place is left.
                      TemporaryDirectory::remove_tree(live->directory());
                      Shared<std::atomic<int>> ready;
                      Child holder([&] {
                        if (live->renew_after_fork().has_value()) ready->store(1);
                        return 0;
                      });
                      holder.wait();
                      munmap(live->base(), live->identity().size_bytes);
                      const OpenFault refused = fault();
                      return static_cast<int>(refused.code);
                    }),
            75);
}

TEST_F(DefaultSpaceTest, a_place_with_a_segment_that_is_read_only_here_is_not_passed_over) {
  Shared<std::array<char, 64>> place;
  ASSERT_EQ(as_user(somebody, {},
                    [&] {
                      std::snprintf(place->data(), place->size(), "%s", open()->directory().c_str());
                      return 0;
                    }),
            0);
  const int status = in_child([&] {
    const char* path = place->data();
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 99;
    if (mount(path, path, nullptr, MS_BIND, nullptr) != 0) return 99;
    if (mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) return 99;
    return as_user(somebody, {}, [&] { return static_cast<int>(fault().code); });
  });
  if (status == 99) GTEST_SKIP() << "may not mount";
  EXPECT_EQ(status, 66);
}

TEST_F(DefaultSpaceTest, is_found_where_it_is_also_when_a_better_place_appears) {
  EXPECT_EQ(as_user(somebody, {},
                    [&] {
                      // Made while the first place was taken by a file.
                      const std::vector<std::string> paths = default_place_paths(somebody);
                      std::string first;
                      {
                        const Segment probe = open();
                        first = probe->directory();
                        if (!has_two_places(*probe)) return 100;
                      }
                      TemporaryDirectory::remove_tree(first);
                      TemporaryDirectory::remove_tree(paths[2]);
                      SpaceOptions second_only = options_;
                      second_only.directory = paths[2];
                      const Segment old = value_of(SegmentFile::open(second_only));
                      const Segment found = open();
                      return found->directory() == paths[2] && !found->made_here() ? 0 : 1;
                    }),
            0);
}

}  // namespace
}  // namespace tenure::ipc
