#include "ipc/site.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>

#include "ipc/new_file.hpp"
#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

// O_NONBLOCK: somebody may have put a FIFO there.
constexpr int file_flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
constexpr std::uint64_t clock_slack_ns = 2'000'000'000;
constexpr off_t identity_offset = 16;  // in the lock file, behind the maker's note

OpenFault cannot_open(const std::string& path, int error) {
  switch (error) {
    case ELOOP: return {FaultCode::unusable, formatted("%s is a symbolic link, which is never followed. Remove it.", path.c_str())};
    case EROFS:
      return {FaultCode::cannot_open, formatted("%s is on a file system that is read-only here. In a systemd unit, set ReadWritePaths= to "
                                                "its directory; in a container, mount it writable.",
                                                path.c_str())};
    case EACCES:
    case EPERM:
      return {FaultCode::not_permitted, formatted("User %u may not open %s (%s). Run as its owner, or share its directory with a group "
                                                  "(mode 2770).",
                                                  geteuid(), path.c_str(), std::strerror(error))};
    case EISDIR: return {FaultCode::unusable, formatted("%s is a directory. Remove it.", path.c_str())};
    default: return {FaultCode::system_error, formatted("Can't open %s: %s.", path.c_str(), std::strerror(error))};
  }
}

OpenFault cannot_make(const std::string& path, int error) {
  if (error == EROFS) return cannot_open(path, error);
  return {FaultCode::cannot_create, formatted("Can't make %s: %s.", path.c_str(), std::strerror(error))};
}

// What is wrong with an identity that was read from a file, as far as the file itself tells.
Finding::Kind judge(Finding& finding, const Site& site, const Moment& moment) {
  const std::string path = site.table_path();
  const auto replaceable = [&](FaultCode code, const char* what) {
    finding.fault = {code, formatted(what, path.c_str())};
    return Finding::Kind::replaceable;
  };
  switch (core::fault_of(finding.identity, static_cast<std::uint64_t>(finding.facts.st_size))) {
    case core::IdentityFault::not_a_segment: return replaceable(FaultCode::unusable, "%s is not a segment.");
    case core::IdentityFault::damaged: return replaceable(FaultCode::unusable, "%s is damaged.");
    case core::IdentityFault::other_layout: return replaceable(FaultCode::try_later, "%s was made by another version of Tenure.");
    case core::IdentityFault::sound: break;
  }
  if (BootId{finding.identity.boot_id[0], finding.identity.boot_id[1]} != moment.boot) {
    return replaceable(FaultCode::unusable, "%s was made in another boot, or in a container that hides the boot id.");
  }
  if (finding.identity.lock_file_inode != site.lock_identity()) {
    return replaceable(FaultCode::unusable, "%s has lost its lock file: somebody deleted or replaced that.");
  }
  return Finding::Kind::sound;
}

// In one boot nothing was made later than now; so this process, or the maker, has a shifted clock that it doesn't know of.
bool is_from_the_future(const core::SegmentIdentity& identity, const Moment& moment) {
  const std::uint64_t now_ns = clock_ns(CLOCK_BOOTTIME) - static_cast<std::uint64_t>(moment.boottime_offset_ns);
  return identity.created_boottime_ns > now_ns + clock_slack_ns;
}

}  // namespace

Site::Site(Place place, const std::string& space) : place_(std::move(place)), table_name_(space + ".table"), lock_name_(space + ".lock") {}

bool Site::open_lock_file() { return lock_.open_at(place_.directory.get(), lock_name_.c_str(), file_flags); }

Opened<bool> Site::open_lock(bool make) {
  bool open = open_lock_file();
  if (!open && errno == ENOENT) {
    if (!make) return false;
    const int error = make_file(place_, lock_name_, [](int) { return 0; });
    if (error != 0 && error != EEXIST) return cannot_make(lock_path(), error);
    open = open_lock_file();
  }
  if (!open) return cannot_open(lock_path(), errno);
  struct stat facts{};
  if (fstat(lock_.get(), &facts) != 0) return cannot_open(lock_path(), errno);
  const std::string untrusted = why_untrusted(facts, place_);
  if (!untrusted.empty()) return OpenFault{FaultCode::not_permitted, formatted("%s %s", lock_path().c_str(), untrusted.c_str())};
  lock_inode_ = facts.st_ino;
  return true;
}

std::uint64_t Site::lock_identity() const {
  std::uint64_t number = 0;  // of a file that has none yet
  (void)!pread(lock_.get(), &number, sizeof number, identity_offset);
  return lock_inode_ ^ number;
}

void Site::renew_lock_identity() const {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number))
    number = clock_ns(CLOCK_REALTIME) ^ clock_ns(CLOCK_MONOTONIC);
  (void)!pwrite(lock_.get(), &number, sizeof number, identity_offset);  // without room there will be no segment either
}

std::string Site::mapped_path() const {
  char path[PATH_MAX];
  const ssize_t length = readlink(formatted("/proc/self/fd/%d", place_.directory.get()).c_str(), path, sizeof path);
  return (length > 0 ? std::string(path, static_cast<std::size_t>(length)) : place_.path) + '/' + table_name_;
}

void Site::keep_cleaners_away() {
  if (kept_directory_.is_open()) return;
  if (kept_directory_.open_at(place_.directory.get(), ".", O_RDONLY | O_DIRECTORY)) flock(kept_directory_.get(), LOCK_SH | LOCK_NB);
}

bool Site::reopen_lock() {
  lock_.reset();  // still open after a bare clone(2)
  kept_directory_.reset();
  struct stat facts{};
  if (!open_lock_file() || fstat(lock_.get(), &facts) != 0 || facts.st_ino != lock_inode_) return false;
  keep_cleaners_away();
  return true;
}

bool Site::is_in_place() const {
  const auto same = [](const struct stat& one, const struct stat& other) {
    return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
  };
  struct stat open_now{};
  struct stat by_path{};
  if (fstat(place_.directory.get(), &open_now) != 0 || lstat(place_.path.c_str(), &by_path) != 0 || !same(open_now, by_path)) return false;
  return fstat(lock_.get(), &open_now) == 0 && fstatat(place_.directory.get(), lock_name_.c_str(), &by_path, AT_SYMLINK_NOFOLLOW) == 0 &&
         same(open_now, by_path);
}

void Site::note_maker() const {
  const std::string note = formatted("%-10d\n", getpid());
  (void)!pwrite(lock_.get(), note.data(), note.size(), 0);
}

long Site::noted_maker() const {
  char note[16] = {};
  return pread(lock_.get(), note, sizeof note - 1, 0) > 0 ? std::strtol(note, nullptr, 10) : 0;
}

std::string why_untrusted(const struct stat& facts, const Place& place) {
  if (!S_ISREG(facts.st_mode)) return "is not a regular file. Remove it.";
  if (facts.st_nlink > 1) return "has a second name (a hard link). Remove the other one.";
  if ((facts.st_mode & 0007) != 0) return formatted("is open to everybody (mode %04o). Run: chmod o= on it.", facts.st_mode & 07777);
  if (place.group != no_group) {
    if (facts.st_gid == place.group) return "";
    return formatted("belongs to group %u, but its directory to group %u. Run: chgrp %u on it.", facts.st_gid, place.group, place.group);
  }
  if (facts.st_uid != geteuid() && facts.st_uid != 0) return formatted("belongs to user %u, and this is user %u.", facts.st_uid, geteuid());
  if ((facts.st_mode & 0070) != 0) return formatted("is open to its group (mode %04o). Run: chmod 0600 on it.", facts.st_mode & 07777);
  return "";
}

Opened<Finding> find_segment(const Sites& sites, const Moment& moment) {
  for (std::size_t i = 0; i < sites.size(); ++i) {
    const Site& site = *sites[i];
    Finding finding;
    finding.site = i;
    finding.file = Descriptor(openat(site.place().directory.get(), site.table_name().c_str(), file_flags | O_CLOEXEC));
    if (!finding.file.is_open() && errno == ENOENT) continue;
    if (!finding.file.is_open() || fstat(finding.file.get(), &finding.facts) != 0) return cannot_open(site.table_path(), errno);
    if (finding.facts.st_nlink == 0) continue;  // deleted at this moment
    const std::string untrusted = why_untrusted(finding.facts, site.place());
    if (!untrusted.empty()) return OpenFault{FaultCode::not_permitted, formatted("%s %s", site.table_path().c_str(), untrusted.c_str())};
    std::array<std::byte, sizeof(core::SegmentIdentity)> bytes{};  // a shorter file leaves zeros, which are damage
    if (pread(finding.file.get(), bytes.data(), bytes.size(), 0) < 0) return cannot_open(site.table_path(), errno);
    finding.identity = std::bit_cast<core::SegmentIdentity>(bytes);
    finding.kind = judge(finding, site, moment);
    if (finding.kind == Finding::Kind::sound && is_from_the_future(finding.identity, moment)) {
      return OpenFault{FaultCode::configuration,
                       formatted("%s says that it was made later than now, in this same boot: its maker or this process has a shifted "
                                 "clock (CRIU, a virtual machine's snapshot). End the processes that use it, and remove it.",
                                 site.table_path().c_str())};
    }
    return finding;
  }
  return Finding{};
}

bool is_still_there(const Sites& sites, const Finding& finding) {
  const Site& site = *sites[finding.site];
  struct stat now{};
  if (fstatat(site.place().directory.get(), site.table_name().c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return now.st_ino == finding.facts.st_ino && now.st_dev == finding.facts.st_dev && now.st_size == finding.facts.st_size;
}

}  // namespace tenure::ipc
