// A file that is complete before it has a name.
#pragma once

#include <string>

#include "ipc/places.hpp"

namespace tenure::ipc {

// Makes `name` in a place, with the place's mode and group: `fill(descriptor)` writes it and returns 0 or an errno. Whoever is killed in
// here leaves nothing that has the name. Returns 0 or an errno; EEXIST: somebody else was first.
template <class Fill>
[[nodiscard]] int make_file(const Place& place, const std::string& name, Fill&& fill);

namespace detail {

// A file without a name (O_TMPFILE), or, where the file system has none, with a temporary one.
struct UnnamedFile {
  Descriptor descriptor;
  std::string temporary_name;  // empty: none
};
[[nodiscard]] int make_unnamed(const Place& place, const std::string& name, UnnamedFile& file);
[[nodiscard]] int set_owner_and_mode(const Place& place, int descriptor);
[[nodiscard]] int give_name(const Place& place, UnnamedFile& file, const std::string& name);
void discard(const Place& place, const UnnamedFile& file);

}  // namespace detail

template <class Fill>
int make_file(const Place& place, const std::string& name, Fill&& fill) {
  detail::UnnamedFile file;
  int error = detail::make_unnamed(place, name, file);
  if (error != 0) return error;
  error = detail::set_owner_and_mode(place, file.descriptor.get());
  if (error == 0) error = fill(file.descriptor.get());
  if (error == 0) error = detail::give_name(place, file, name);
  if (error != 0) detail::discard(place, file);
  return error;
}

}  // namespace tenure::ipc
