#include "ipc/places.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

struct FileSystem {
  std::uint32_t type;
  const char* name;
};
// Where two processes of this host that map a file share its memory, and locks of bytes hold between them.
constexpr FileSystem shareable[] = {
    {0x0102'1994, "tmpfs"}, {0x8584'58F6, "ramfs"},    {0x0000'EF53, "ext"}, {0x5846'5342, "XFS"},       {0x9123'683E, "btrfs"},
    {0xF2F5'2010, "F2FS"},  {0xCA45'1A4E, "bcachefs"}, {0x2FC1'2FC1, "ZFS"}, {0x794C'7630, "overlayfs"},
};
// overlayfs: what we make lies in the upper layer, and is opened for writing from the start, so all openers get the same file.
constexpr FileSystem known_unfit[] = {
    {0x0000'6969, "NFS"},  {0xFF53'4D42, "CIFS"},   {0xFE53'4D42, "SMB2"},
    {0x0000'517B, "SMB"},  {0x0102'1997, "9p"},     {0x6573'5546, "FUSE or virtiofs"},
    {0x00C3'6400, "Ceph"}, {0x5346'414F, "AFS"},    {0x7461'636F, "OCFS2"},
    {0x0116'1970, "GFS2"}, {0x0BD0'0BD0, "Lustre"}, {0x786F'4256, "VirtualBox's shared folder"},
};

OpenFault fault(FaultCode code, std::string message) { return {code, std::move(message)}; }

FaultCode code_of_error(int error) {
  switch (error) {
    case EACCES:
    case EPERM: return FaultCode::not_permitted;
    case ENOENT:
    case ENOTDIR: return FaultCode::cannot_open;
    case EROFS:
    case ENOSPC:
    case EDQUOT: return FaultCode::cannot_create;
    case ELOOP: return FaultCode::unusable;
    default: return FaultCode::system_error;
  }
}

std::string advice_for(int error, const std::string& path) {
  switch (error) {
    case EROFS: return formatted(" It is read-only here; in a systemd unit, set ReadWritePaths=%s.", path.c_str());
    case ELOOP: return " It is a symbolic link, which is never followed. Remove it.";
    case EACCES: return " Ask its owner for access, or name another directory.";
    case ENOSPC: return " Free some space there.";
    default: return "";
  }
}

OpenFault fault_of_error(const char* action, const std::string& path, int error) {
  return fault(code_of_error(error), formatted("Can't %s %s: %s.", action, path.c_str(), std::strerror(error)) + advice_for(error, path));
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_in_group(gid_t group) {
  if (geteuid() == 0 || getegid() == group) return true;
  const int count = getgroups(0, nullptr);
  if (count <= 0) return false;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  const int got = getgroups(count, groups.data());
  return got > 0 && std::find(groups.begin(), groups.begin() + got, group) != groups.begin() + got;
}

// Whether others could put something of theirs where our directory belongs, or take it away.
std::string why_parent_is_unsafe(const std::string& parent) {
  struct stat facts{};
  if (stat(parent.c_str(), &facts) != 0) return formatted("%s: %s.", parent.c_str(), std::strerror(errno));
  if (!S_ISDIR(facts.st_mode)) return formatted("%s is not a directory.", parent.c_str());
  if (facts.st_uid != 0 && facts.st_uid != geteuid()) {
    return formatted("%s belongs to user %u, neither to root nor to user %u.", parent.c_str(), facts.st_uid, geteuid());
  }
  if ((facts.st_mode & 0022) != 0 && (facts.st_mode & S_ISVTX) == 0) {
    return formatted("%s may be written to by others and is not sticky, so anybody could replace what is in it. Set its mode to 1777.",
                     parent.c_str());
  }
  return "";
}

// Open and, if need be, make the last component of a path. mkdir's mode goes through the umask, so it is set again.
Opened<Descriptor> open_directory(const std::string& path, bool make, gid_t group) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Descriptor directory(open(path.c_str(), flags));
  if (directory.is_open()) return directory;
  if (errno != ENOENT || !make) {
    // With O_DIRECTORY the kernel says ENOTDIR of a link; say which of the two it is.
    struct stat facts{};
    const int error = errno;
    const bool is_link = error == ENOTDIR && lstat(path.c_str(), &facts) == 0 && S_ISLNK(facts.st_mode);
    return fault_of_error("open the directory", path, is_link ? ELOOP : error);
  }
  const bool made = mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return fault_of_error("make the directory", path, errno);
  directory = Descriptor(open(path.c_str(), flags));
  if (!directory.is_open()) return fault_of_error("open the directory", path, errno);
  if (!made) return directory;
  if (group != no_group && fchown(directory.get(), static_cast<uid_t>(-1), group) != 0) {
    return fault_of_error("give to its group the directory", path, errno);
  }
  if (fchmod(directory.get(), group == no_group ? 0700 : 02770) != 0) return fault_of_error("set the mode of", path, errno);
  return directory;
}

OpenFault not_permitted(const std::string& path, const std::string& why) {
  return fault(FaultCode::not_permitted, formatted("%s can't hold a space: ", path.c_str()) + why);
}

// Owner, mode and group of an open directory.
Opened<Place> checked_place(const std::string& path, Descriptor directory, bool may_be_of_group) {
  struct stat facts{};
  if (fstat(directory.get(), &facts) != 0) return fault_of_error("examine", path, errno);
  Place place{path, std::move(directory), no_group};
  if ((facts.st_mode & S_IWOTH) != 0) {
    return not_permitted(path, "everybody may write to it. Name a directory of its own, of mode 0700.");
  }
  if ((facts.st_mode & S_IWGRP) != 0) {
    if (!may_be_of_group) return not_permitted(path, formatted("its group may write to it. Run: chmod 0700 %s", path.c_str()));
    if (!is_in_group(facts.st_gid)) {
      return not_permitted(path, formatted("it is shared by group %u, and user %u is not in it.", facts.st_gid, geteuid()));
    }
    place.group = facts.st_gid;
  } else if (facts.st_uid != geteuid() && facts.st_uid != 0) {
    return not_permitted(path, formatted("it belongs to user %u, and this is user %u. Run as that user, or share it with a group "
                                         "(mode 2770).",
                                         facts.st_uid, geteuid()));
  }
  const std::string unfit = why_not_shareable(place.directory.get());
  if (!unfit.empty()) return fault(FaultCode::configuration, formatted("%s can't hold a space: ", path.c_str()) + unfit);
  return place;
}

Opened<Place> default_place(const std::string& path, bool make) {
  const std::string unsafe = why_parent_is_unsafe(parent_of(path));
  if (!unsafe.empty()) return fault(FaultCode::cannot_open, unsafe);
  Opened<Descriptor> directory = open_directory(path, make, no_group);
  if (const OpenFault* failed = fault_in(directory)) return *failed;
  struct stat facts{};
  if (fstat(std::get<Descriptor>(directory).get(), &facts) != 0) return fault_of_error("examine", path, errno);
  if (facts.st_uid != geteuid()) {
    return not_permitted(path, formatted("it belongs to user %u, and this is user %u.", facts.st_uid, geteuid()));
  }
  return checked_place(path, std::move(std::get<Descriptor>(directory)), false);
}

}  // namespace

std::vector<std::string> default_place_paths(uid_t user) {
  return {formatted("/run/tenure/%u", user), formatted("/run/lock/tenure-%u", user), formatted("/tmp/tenure-%u", user)};
}

Opened<Places> default_places(bool make) {
  Places places;
  for (const std::string& path : default_place_paths(geteuid())) {
    Opened<Place> place = default_place(path, make);
    const OpenFault* failed = fault_in(place);
    if (failed == nullptr) {
      places.usable.push_back(std::move(std::get<Place>(place)));
      continue;
    }
    struct stat facts{};
    const bool is_own = lstat(path.c_str(), &facts) == 0 && facts.st_uid == geteuid();
    // `configuration` is the file system, which is the same for every process: nobody has a space there.
    if (is_own && failed->code != FaultCode::configuration) return *failed;
    places.unusable.push_back(*failed);
  }
  return places;
}

Opened<Place> explicit_place(const std::string& path, bool make, gid_t group) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();  // a slash at the end would follow a link
  Opened<Descriptor> directory = open_directory(trimmed, make, group);
  if (const OpenFault* failed = fault_in(directory)) return *failed;
  return checked_place(trimmed, std::move(std::get<Descriptor>(directory)), true);
}

bool is_space_name(const std::string& name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '.' && std::all_of(name.begin(), name.end(), is_allowed);
}

std::string why_not_shareable(int descriptor) {
  struct statfs facts{};
  if (fstatfs(descriptor, &facts) != 0) return formatted("its file system can't be told: %s.", std::strerror(errno));
  const auto type = static_cast<std::uint32_t>(facts.f_type);
  const auto is_type = [type](const FileSystem& candidate) { return candidate.type == type; };
  if (std::any_of(std::begin(shareable), std::end(shareable), is_type)) return "";
  const auto* unfit = std::find_if(std::begin(known_unfit), std::end(known_unfit), is_type);
  const std::string name = unfit != std::end(known_unfit) ? unfit->name : formatted("an unknown file system (type 0x%X)", type);
  return formatted(
      "it lies on %s, where memory and locks are not known to be shared by all processes. Name a directory on a local file "
      "system, such as one below /run.",
      name.c_str());
}

}  // namespace tenure::ipc
