// A space's files in one place: its lock file, open, and whatever segment lies beside it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/layout.hpp"
#include "ipc/fork_watch.hpp"
#include "ipc/kernel.hpp"
#include "ipc/places.hpp"

namespace tenure::ipc {

// REQUIRES of every call but the first: open.
class Site {
 public:
  Site(Place place, const std::string& space);

  // Opens the lock file, and makes it where there is none and `make` says so. False and no fault: there is none, and so no segment.
  [[nodiscard]] Opened<bool> open_lock(bool make);

  [[nodiscard]] const Place& place() const { return place_; }
  [[nodiscard]] const std::string& table_name() const { return table_name_; }
  [[nodiscard]] std::string table_path() const { return place_.path + '/' + table_name_; }
  [[nodiscard]] std::string lock_path() const { return place_.path + '/' + lock_name_; }
  [[nodiscard]] int lock() const { return lock_.get(); }
  // What a segment remembers of its lock file: the inode and a random number in the file, since the inode of a deleted one is used again.
  [[nodiscard]] std::uint64_t lock_identity() const;
  void renew_lock_identity() const;  // by the maker, before the segment
  // The table's path as /proc/PID/maps shows it, with the directory's links resolved.
  [[nodiscard]] std::string mapped_path() const;

  // Keeps cleaners of temporary files (systemd-tmpfiles) away from the directory as long as this object lives: they ask for a flock of it.
  void keep_cleaners_away();

  // Whether the place's path still leads to the directory and the lock file that are open here. While it does, whoever comes later opens
  // the same lock file.
  [[nodiscard]] bool is_in_place() const;

  // In a forked child, whose parent's lock was closed on the way. False: the lock file is another one by now, or gone.
  [[nodiscard]] bool reopen_lock();

  // A note in the lock file of who is making a segment, for whoever waits for it to read. No decision rests on it.
  void note_maker() const;
  [[nodiscard]] long noted_maker() const;

 private:
  [[nodiscard]] bool open_lock_file();

  Place place_;
  std::string table_name_;
  std::string lock_name_;
  ForkClosedDescriptor lock_;
  ForkClosedDescriptor kept_directory_;
  std::uint64_t lock_inode_ = 0;
};

using Sites = std::vector<std::unique_ptr<Site>>;

// Empty, or why a file of a place is not one that we may trust: it must be a regular file of one name, of the right owner, group and mode.
[[nodiscard]] std::string why_untrusted(const struct stat& facts, const Place& place);

// What was found where a segment may lie.
struct Finding {
  enum class Kind : std::uint8_t {
    none,        // no file
    sound,       // a segment that can be attached to
    replaceable  // one that can't, and is to be replaced when nobody has it open; `fault` is for when somebody has
  };
  Kind kind = Kind::none;
  std::size_t site = 0;
  Descriptor file;
  struct stat facts{};
  core::SegmentIdentity identity;
  OpenFault fault;
};

// This boot and this process's clock, which a segment is judged by.
struct Moment {
  BootId boot;
  std::int64_t boottime_offset_ns = 0;
};

// The first segment in the order of the places. A fault: something lies there that is not ours to replace.
[[nodiscard]] Opened<Finding> find_segment(const Sites& sites, const Moment& moment);

// Whether the name still leads to the file that was found.
[[nodiscard]] bool is_still_there(const Sites& sites, const Finding& finding);

}  // namespace tenure::ipc
