#include "ipc/new_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "ipc/text.hpp"

namespace tenure::ipc::detail {

int make_unnamed(const Place& place, const std::string& name, UnnamedFile& file) {
  const int directory = place.directory.get();
  file.descriptor = Descriptor(openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, place.file_mode()));
  if (file.descriptor.is_open()) return 0;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL) return errno;
  file.temporary_name = formatted("%s.new-%d", name.c_str(), getpid());
  unlinkat(directory, file.temporary_name.c_str(), 0);  // of a process that had this id and was killed here
  file.descriptor =
      Descriptor(openat(directory, file.temporary_name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, place.file_mode()));
  if (file.descriptor.is_open()) return 0;
  file.temporary_name.clear();
  return errno;
}

int set_owner_and_mode(const Place& place, int descriptor) {
  struct stat facts{};
  if (fstat(descriptor, &facts) != 0) return errno;
  if (place.group != no_group && facts.st_gid != place.group && fchown(descriptor, static_cast<uid_t>(-1), place.group) != 0) return errno;
  return fchmod(descriptor, place.file_mode()) == 0 ? 0 : errno;  // whatever the umask was
}

int give_name(const Place& place, UnnamedFile& file, const std::string& name) {
  const int directory = place.directory.get();
  if (file.temporary_name.empty()) {
    const std::string link = formatted("/proc/self/fd/%d", file.descriptor.get());
    return linkat(AT_FDCWD, link.c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
  }
  const char* temporary = file.temporary_name.c_str();
  int error = syscall(SYS_renameat2, directory, temporary, directory, name.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
  if (error == EINVAL || error == ENOSYS || error == EPERM) {  // not by this file system or kernel
    error = linkat(directory, temporary, directory, name.c_str(), 0) == 0 ? 0 : errno;
    if (error == 0) unlinkat(directory, temporary, 0);
  }
  if (error == 0) file.temporary_name.clear();
  return error;
}

void discard(const Place& place, const UnnamedFile& file) {
  if (!file.temporary_name.empty()) unlinkat(place.directory.get(), file.temporary_name.c_str(), 0);
}

}  // namespace tenure::ipc::detail
