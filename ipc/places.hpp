// Where a space may lie: directories that are opened and checked once, and then used through their descriptor only.
//
// The default places of a user, in this order, follow from the effective user id alone, never from the environment:
//   /run/tenure/UID          where the package made /run/tenure
//   /run/lock/tenure-UID
//   /tmp/tenure-UID
// Each is a directory of mode 0700 of that user. The parent belongs to root (or the user) and is sticky if others may write to it, so that
// nobody can put a link in its place; the last component is never followed if it is a link. Everything behind it is opened relative to
// the checked descriptor.
//
// An explicit directory takes the place of all of them. If its group may write to it, it is a group space: its owner is root, the user, or
// a member of the group; the user is in the group; its files have that group and mode 0660. All members are one domain of trust.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "ipc/descriptor.hpp"
#include "ipc/open_fault.hpp"

namespace tenure::ipc {

inline constexpr gid_t no_group = static_cast<gid_t>(-1);

// A directory that is fit to hold spaces.
struct Place {
  std::string path;
  Descriptor directory;
  gid_t group = no_group;  // of a group space
  [[nodiscard]] mode_t file_mode() const { return group == no_group ? 0600 : 0660; }
};

// The paths of the default places of a user, whether they exist or not.
[[nodiscard]] std::vector<std::string> default_place_paths(uid_t user);

struct Places {
  std::vector<Place> usable;        // in order
  std::vector<OpenFault> unusable;  // why the others are not
};

// Opens the default places of the effective user, and makes those that are missing and can be made (`make`). One that belongs to somebody
// else, or lies on a file system that can't be shared, is passed over: no process of ours uses it. One that is the user's own and can't be
// used is a fault: a space may be alive in there.
[[nodiscard]] Opened<Places> default_places(bool make);

// Opens an explicit directory; with `make` its last component is made: mode 0700, or 2770 of `group`.
[[nodiscard]] Opened<Place> explicit_place(const std::string& path, bool make, gid_t group = no_group);

// 1 to 64 bytes of [A-Za-z0-9._-], the first one not a dot.
[[nodiscard]] bool is_space_name(const std::string& name);

// Empty, or why shared memory and byte locks of files in there are not to be trusted (a network file system, FUSE, an unknown one).
[[nodiscard]] std::string why_not_shareable(int descriptor);

}  // namespace tenure::ipc
