// The durable high-water mark: no token at or above it has ever been granted by a segment that is gone.
//
// A decimal number and a newline in `<space>.mark`, replaced by write, fsync, rename, fsync of the directory, under the lock of
// `<space>.mark-lock`. It is raised ahead in steps of 2^44, so that I/O is rare. Sharing a mark, or raising it too far, does no harm.
//
// Where: the state directory that was asked for; else, of a user's space, the first of
//   /var/lib/tenure/UID               where /var/lib/tenure exists (root makes it, mode 0755)
//   HOME/.local/state/tenure          the home of the user database, not of the environment
// that can be written to; all of them are read, and the largest number counts, so that a place that comes or goes loses nothing.
// Of a group space: /var/lib/tenure/@GID, which an administrator makes with `install -d -m 2770 -g GROUP /var/lib/tenure/@GID`.
//
// Any thread may call any member; nothing of it is kept locked or allocated between calls.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "ipc/places.hpp"

namespace tenure::ipc {

class TokenMark {
 public:
  static constexpr std::uint64_t step = std::uint64_t{1} << 44;
  static constexpr std::uint64_t number_max = (std::uint64_t{1} << 63) - 1;

  // `state_directory` empty: the rule above. `group`: no_group for a user's space. Does no I/O.
  TokenMark(const std::string& space, const std::string& state_directory, gid_t group);

  struct Reading {
    std::uint64_t number = 0;  // the largest mark found; 0 = none
    bool durable = false;      // a place exists that can be written to
    std::string reason;        // if not: why, and what to change
  };
  // For the maker of a segment. May make the directory.
  [[nodiscard]] Reading read();

  // Makes sure that a durable mark of at least `number` exists. One load when it does already; else I/O, bounded to about a second of
  // waiting for somebody else's. Allocates nothing of its own. False: tokens are weak.
  [[nodiscard]] bool raise(std::uint64_t number);

 private:
  struct Directory;
  [[nodiscard]] bool raise_in(int directory, std::uint64_t number);

  std::string space_;
  std::string state_directory_;
  uid_t user_;
  gid_t group_;
  std::atomic<std::uint64_t> durable_{0};  // what is known to be on the disk; only rises
};

}  // namespace tenure::ipc
