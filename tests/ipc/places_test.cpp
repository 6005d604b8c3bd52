#include "ipc/places.hpp"

#include <fcntl.h>
#include <grp.h>

#include "tests/ipc/support.hpp"

namespace tenure::ipc {
namespace {

using namespace testing;

// Users that no other test is at the same time: the default places follow from the user.
const uid_t somebody = 100'000 + static_cast<uid_t>(getpid()), somebody_else = somebody + 5'000'000;
constexpr gid_t group = 54399;

mode_t mode_of(const std::string& path) {
  struct stat facts{};
  return lstat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
}

// Runs a body as an unprivileged user; root only.
int as_user(uid_t user, const std::vector<gid_t>& groups, const std::function<int()>& body) {
  return in_child([&] {
    if (setgroups(groups.size(), groups.data()) != 0 || setgid(user) != 0 || setuid(user) != 0) return 99;
    return body();
  });
}

TEST(Places, names_of_spaces) {
  for (const char* good : {"default", "a", "A.b_c-9", "0"}) EXPECT_TRUE(is_space_name(good)) << good;
  for (const char* bad : {"", ".", "..", ".hidden", "a/b", "a b", "\xC3\xA4", "a\n"}) EXPECT_FALSE(is_space_name(bad)) << bad;
  EXPECT_TRUE(is_space_name(std::string(64, 'x')));
  EXPECT_FALSE(is_space_name(std::string(65, 'x')));
  EXPECT_FALSE(is_space_name(std::string("a\0b", 3)));
}

TEST(Places, a_directory_is_made_private_whatever_the_umask) {
  const TemporaryDirectory directory;
  const mode_t before = umask(0777);
  const Place place = value_of(explicit_place(directory / "made", true));
  umask(before);
  EXPECT_EQ(mode_of(directory / "made"), 0700u);
  EXPECT_EQ(place.file_mode(), 0600u);
  EXPECT_EQ(fault_of_opened(explicit_place(directory / "missing", false)).code, FaultCode::cannot_open);
  EXPECT_EQ(fault_of_opened(explicit_place(directory / "missing/missing", true)).code, FaultCode::cannot_open);
}

TEST(Places, a_link_is_never_followed) {
  const TemporaryDirectory directory;
  value_of(explicit_place(directory / "real", true));
  ASSERT_EQ(symlink((directory / "real").c_str(), (directory / "link").c_str()), 0);
  for (const char* name : {"link", "link/", "link//"}) {
    const OpenFault fault = fault_of_opened(explicit_place(directory / name, true));
    EXPECT_EQ(fault.code, FaultCode::unusable) << name;
    EXPECT_NE(fault.message.find("symbolic link"), std::string::npos) << fault.message;
  }
}

TEST(Places, a_directory_for_everybody_is_refused) {
  const TemporaryDirectory directory;
  value_of(explicit_place(directory / "open", true));
  for (const mode_t mode : {0777u, 01777u, 0703u}) {
    chmod((directory / "open").c_str(), mode);
    EXPECT_EQ(fault_of_opened(explicit_place(directory / "open", true)).code, FaultCode::not_permitted) << std::oct << mode;
  }
}

TEST(Places, a_directory_of_another_user_is_refused) {
  TENURE_NEEDS_ROOT();
  const TemporaryDirectory directory;
  value_of(explicit_place(directory / "theirs", true));
  ASSERT_EQ(chown((directory / "theirs").c_str(), somebody, somebody), 0);
  EXPECT_EQ(fault_of_opened(explicit_place(directory / "theirs", false)).code, FaultCode::not_permitted) << "also by root";
}

TEST(Places, a_group_shares_what_it_may_write_to) {
  TENURE_NEEDS_ROOT();
  const TemporaryDirectory directory;
  const std::string path = directory / "shared";
  const Place made = value_of(explicit_place(path, true, group));
  EXPECT_EQ(mode_of(path), 02770u);
  EXPECT_EQ(made.group, group);
  EXPECT_EQ(made.file_mode(), 0660u);
  const auto code = [&] { return static_cast<int>(fault_of_opened(explicit_place(path, false)).code); };
  EXPECT_EQ(as_user(somebody, {group}, code), 0) << "a member";
  EXPECT_EQ(as_user(somebody, {}, code), 77) << "a stranger";
  chmod(path.c_str(), 02775);
  EXPECT_EQ(as_user(somebody, {}, code), 77) << "a stranger who may look in";
  EXPECT_EQ(as_user(somebody, {group}, code), 0);
}

TEST(Places, file_systems) {
  const Descriptor temporary(open("/tmp", O_RDONLY | O_DIRECTORY));
  EXPECT_EQ(why_not_shareable(temporary.get()), "");
  const Descriptor proc(open("/proc", O_RDONLY | O_DIRECTORY));
  EXPECT_NE(why_not_shareable(proc.get()).find("0x9FA0"), std::string::npos) << why_not_shareable(proc.get());
  EXPECT_EQ(fault_of_opened(explicit_place("/proc/sys", false)).code, FaultCode::configuration);
}

class DefaultPlacesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TENURE_NEEDS_ROOT();
    clear();
  }
  void TearDown() override {
    if (is_root()) clear();
  }
  static void clear() {
    for (const std::string& path : default_place_paths(somebody)) TemporaryDirectory::remove_tree(path);
  }
  // What a body makes of the default places of a user.
  static int with_places(bool make, const std::function<int(const Opened<Places>&)>& body) {
    return as_user(somebody, {}, [&] { return body(default_places(make)); });
  }
  static bool uses(const Opened<Places>& opened, const std::string& path) {
    for (const Place& place : std::get<Places>(opened).usable) {
      if (place.path == path) return true;
    }
    return false;
  }
  const std::string temporary_ = default_place_paths(somebody)[2];
};

TEST_F(DefaultPlacesTest, follow_from_the_user_alone) {
  EXPECT_EQ(default_place_paths(7), (std::vector<std::string>{"/run/tenure/7", "/run/lock/tenure-7", "/tmp/tenure-7"}));
  EXPECT_EQ(with_places(false, [&](const auto& opened) { return std::get<Places>(opened).usable.empty() ? 0 : 1; }), 0);
  EXPECT_EQ(with_places(true, [&](const auto& opened) { return uses(opened, temporary_) ? 0 : 1; }), 0);
  EXPECT_EQ(mode_of(temporary_), 0700u);
  EXPECT_EQ(with_places(false, [&](const auto& opened) { return uses(opened, temporary_) ? 0 : 1; }), 0);
}

TEST_F(DefaultPlacesTest, one_that_somebody_else_took_is_passed_over) {
  ASSERT_EQ(mkdir(temporary_.c_str(), 0777), 0);
  ASSERT_EQ(chown(temporary_.c_str(), somebody_else, somebody_else), 0);
  const auto passes_over = [&](const auto& opened) {
    return fault_in(opened) == nullptr && !uses(opened, temporary_) && !std::get<Places>(opened).unusable.empty() ? 0 : 1;
  };
  EXPECT_EQ(with_places(true, passes_over), 0);
  rmdir(temporary_.c_str());
  ASSERT_EQ(symlink("/etc", temporary_.c_str()), 0);
  EXPECT_EQ(with_places(true, passes_over), 0) << "a link of root's";
}

TEST_F(DefaultPlacesTest, ones_own_that_cannot_be_trusted_is_a_fault) {
  with_places(true, [](const auto&) { return 0; });
  chmod(temporary_.c_str(), 0770);
  EXPECT_EQ(with_places(true, [](const auto& opened) { return static_cast<int>(fault_of_opened(opened).code); }), 77);
}

}  // namespace
}  // namespace tenure::ipc
