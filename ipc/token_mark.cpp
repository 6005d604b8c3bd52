#include "ipc/token_mark.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "ipc/descriptor.hpp"
#include "ipc/fork_watch.hpp"
#include "ipc/kernel.hpp"
#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

using std::uint64_t;

constexpr const char* system_directory = "/var/lib/tenure";
constexpr std::size_t path_bytes = 512;
constexpr int candidates_max = 2;
constexpr uint64_t lock_patience_ns = 1'000'000'000;
constexpr uint64_t lock_pause_ns = 2'000'000;

using PathBuffer = char[path_bytes];

bool fits(int length) { return length > 0 && static_cast<std::size_t>(length) < path_bytes; }

bool home_directory(uid_t user, PathBuffer& path) {
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  if (getpwuid_r(user, &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) return false;
  return found->pw_dir != nullptr && found->pw_dir[0] == '/' &&
         fits(std::snprintf(path, path_bytes, "%s/.local/state/tenure", found->pw_dir));
}

// Makes the missing ones of the last `levels` components.
void make_directories(const PathBuffer& path, int levels, mode_t mode) {
  PathBuffer part;
  std::memcpy(part, path, path_bytes);
  const char* const slash = levels > 1 ? std::strrchr(part, '/') : nullptr;
  if (slash != nullptr && slash != part) {
    part[slash - part] = '\0';
    make_directories(part, levels - 1, levels == 2 && std::strcmp(part, system_directory) == 0 ? 0755 : mode);
  }
  mkdir(path, mode);
}

struct Found {
  enum class Kind : std::uint8_t { none, unreadable, damaged, number };
  Kind kind = Kind::none;
  uint64_t number = 0;
};

Found read_mark(int directory, const char* name) {
  const Descriptor file(openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file.is_open()) return {errno == ENOENT ? Found::Kind::none : Found::Kind::unreadable, 0};
  char text[32];
  const ssize_t length = read(file.get(), text, sizeof text);
  if (length < 0) return {Found::Kind::unreadable, 0};
  uint64_t number = 0;
  ssize_t at = 0;
  while (at < length && text[at] >= '0' && text[at] <= '9' && at < 19) number = number * 10 + static_cast<uint64_t>(text[at++] - '0');
  const bool whole = at > 0 && at + 1 == length && text[at] == '\n' && number <= TokenMark::number_max;
  return whole ? Found{Found::Kind::number, number} : Found{Found::Kind::damaged, 0};
}

// New file, fsync, rename, fsync of the directory: after a loss of power there is the old number or the new one.
bool write_mark(int directory, const char* name, const char* new_name, uint64_t number, mode_t mode) {
  unlinkat(directory, new_name, 0);  // of one who was killed here; we hold the lock
  Descriptor file(openat(directory, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file.is_open()) return false;
  char text[32];
  const int length = std::snprintf(text, sizeof text, "%llu\n", static_cast<unsigned long long>(number));
  const bool written = fchmod(file.get(), mode) == 0 && write(file.get(), text, static_cast<std::size_t>(length)) == length &&
                       fsync(file.get()) == 0 && renameat(directory, new_name, directory, name) == 0 && fsync(directory) == 0;
  if (!written) unlinkat(directory, new_name, 0);
  return written;
}

// Opens, makes if need be, and locks the lock file; waits a bounded time.
bool lock_mark(int directory, const char* name, mode_t mode, ForkClosedDescriptor& lock) {
  constexpr int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  bool open = lock.open_at(directory, name, flags);  // without O_CREAT first: fs.protected_regular forbids it on others' files
  if (!open && errno == ENOENT) {
    open = lock.open_at(directory, name, flags | O_CREAT | O_EXCL, mode);
    if (open) (void)fchmod(lock.get(), mode);
    if (!open && errno == EEXIST) open = lock.open_at(directory, name, flags);
  }
  if (!open) return false;
  const uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + lock_patience_ns;
  for (;;) {
    const LockOutcome outcome = lock_byte(lock.get(), 0, LockKind::write);
    if (outcome == LockOutcome::done) return true;
    if (outcome == LockOutcome::failed || clock_ns(CLOCK_MONOTONIC) >= until_ns) return false;
    sleep_for(lock_pause_ns);
  }
}

std::string why_unwritable(const char* path, int error, gid_t group) {
  std::string reason = formatted("%s: %s.", path, std::strerror(error));
  if (group != no_group) {
    return reason + formatted(" To make the tokens of this group's spaces durable: install -d -m 2770 -g %u %s", group, path);
  }
  if (error == EROFS || error == EACCES) {
    reason += formatted(" In a systemd unit, set StateDirectory=tenure/%u or ReadWritePaths=%s.", geteuid(), path);
  }
  return reason;
}

}  // namespace

// One of the places where the mark may lie, by number; see the header.
struct TokenMark::Directory {
  PathBuffer path = {};
  Descriptor descriptor;
  int error = 0;

  // False: there is no such candidate.
  bool name(const TokenMark& mark, int candidate) {
    if (!mark.state_directory_.empty()) return candidate == 0 && fits(std::snprintf(path, path_bytes, "%s", mark.state_directory_.c_str()));
    if (mark.group_ != no_group) return candidate == 0 && fits(std::snprintf(path, path_bytes, "%s/@%u", system_directory, mark.group_));
    if (candidate == 0) return fits(std::snprintf(path, path_bytes, "%s/%u", system_directory, mark.user_));
    return home_directory(mark.user_, path);
  }

  // The mark's place must not be one that strangers write to: they could raise it to the end of all numbers.
  void open(const TokenMark& mark, int candidate, bool make) {
    const bool is_system = mark.state_directory_.empty() && candidate == 0;
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    descriptor = Descriptor(::open(path, flags));
    if (!descriptor.is_open() && errno == ENOENT && make && mark.group_ == no_group) {
      make_directories(path, is_system ? (mark.user_ == 0 ? 2 : 1) : mark.state_directory_.empty() ? 3 : 1, 0700);
      descriptor = Descriptor(::open(path, flags));
    }
    if (!descriptor.is_open()) {
      error = errno;
      return;
    }
    error = 0;
    struct stat facts{};
    if (fstat(descriptor.get(), &facts) != 0) {
      error = errno;
      descriptor.close();
      return;
    }
    const bool shared_as_meant = mark.group_ != no_group && facts.st_gid == mark.group_;
    const bool owned = facts.st_uid == mark.user_ || facts.st_uid == 0 || shared_as_meant;
    if (owned && (facts.st_mode & S_IWOTH) == 0 && ((facts.st_mode & S_IWGRP) == 0 || shared_as_meant)) return;
    descriptor.close();
    error = EPERM;
  }
};

TokenMark::TokenMark(const std::string& space, const std::string& state_directory, gid_t group)
    : space_(space), state_directory_(state_directory), user_(geteuid()), group_(group) {}

TokenMark::Reading TokenMark::read() {
  Reading reading;
  bool damaged = false;
  const std::string file_name = space_ + ".mark";
  for (int candidate = 0; candidate < candidates_max; ++candidate) {
    Directory directory;
    if (!directory.name(*this, candidate)) continue;
    directory.open(*this, candidate, !reading.durable);
    int error = directory.error;
    if (directory.descriptor.is_open()) {
      const Found found = read_mark(directory.descriptor.get(), file_name.c_str());
      reading.number = std::max(reading.number, found.number);
      if (found.kind == Found::Kind::damaged || found.kind == Found::Kind::unreadable) {
        damaged = true;
        reading.reason = formatted(found.kind == Found::Kind::damaged ? "%s/%s holds no number; it will be replaced."
                                                                      : "%s/%s can't be read. Give it to its users or remove it.",
                                   directory.path, file_name.c_str());
      }
      error = faccessat(directory.descriptor.get(), ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
    }
    if (error == 0) {
      reading.durable = true;
    } else if (!damaged) {
      if (!reading.reason.empty()) reading.reason += ' ';
      reading.reason += why_unwritable(directory.path, error, group_);
    }
  }
  // What a damaged mark said is lost, so this time nothing vouches for the tokens but the clock.
  reading.durable = reading.durable && !damaged;
  if (reading.durable)
    reading.reason.clear();
  else if (reading.reason.empty())
    reading.reason = "No directory for it could be named.";
  return reading;
}

bool TokenMark::raise(uint64_t number) {
  // Relaxed: the value stands for bytes on the disk, not for other memory.
  if (number <= durable_.load(std::memory_order_relaxed)) return true;
  if (number > number_max) return false;
  for (int candidate = 0; candidate < candidates_max; ++candidate) {
    Directory directory;
    if (!directory.name(*this, candidate)) continue;
    directory.open(*this, candidate, true);
    if (directory.descriptor.is_open() && raise_in(directory.descriptor.get(), number)) return true;
  }
  return false;
}

bool TokenMark::raise_in(int directory, uint64_t number) {
  char name[96], new_name[96], lock_name[96];  // a space's name is at most 64 bytes
  std::snprintf(name, sizeof name, "%.64s.mark", space_.c_str());
  std::snprintf(new_name, sizeof new_name, "%.64s.mark-new", space_.c_str());
  std::snprintf(lock_name, sizeof lock_name, "%.64s.mark-lock", space_.c_str());
  const mode_t mode = group_ == no_group ? 0600 : 0660;
  ForkClosedDescriptor lock;
  if (!lock_mark(directory, lock_name, mode, lock)) return false;
  const Found found = read_mark(directory, name);
  if (found.kind == Found::Kind::unreadable) return false;  // it may be larger
  uint64_t durable = found.number;
  if (durable < number) {
    durable = number > number_max - step ? number_max : number + step;
    if (!write_mark(directory, name, new_name, durable, mode)) return false;
  }
  uint64_t seen = durable_.load(std::memory_order_relaxed);
  while (seen < durable && !durable_.compare_exchange_weak(seen, durable, std::memory_order_relaxed)) {
  }
  return true;
}

}  // namespace tenure::ipc
