// Why a space could not be opened: a value, never an exception.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace tenure::ipc {

// The numbers are the exit statuses of the program.
enum class FaultCode : std::uint8_t {
  unusable = 65,       // the segment or a file is not what it should be
  cannot_open = 66,    // there is none and none may be made, or it can't be opened
  system_error = 71,   // the operating system refused something that should work
  cannot_create = 73,  // no room, or no place where one could be made
  try_later = 75,      // somebody else is busy with it, or live sessions stand in the way
  not_permitted = 77,  // the files belong to somebody else
  configuration = 78,  // what was asked for makes no sense, or the host is set up so that it can't work
};

// `message` says what, where, and what to do next, in whole sentences on one line.
struct OpenFault {
  FaultCode code = FaultCode::system_error;
  std::string message;
};

template <class T>
using Opened = std::variant<T, OpenFault>;

template <class T>
[[nodiscard]] const OpenFault* fault_in(const Opened<T>& opened) {
  return std::get_if<OpenFault>(&opened);
}

}  // namespace tenure::ipc
