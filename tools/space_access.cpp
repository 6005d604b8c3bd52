#include "tools/space_access.hpp"

#include <unistd.h>

#include <array>
#include <climits>
#include <cstdlib>
#include <utility>

#include "tools/exit_status.hpp"
#include "tools/process_state.hpp"
#include "tools/text.hpp"

namespace tenure::tools {

std::string chosen_space(std::string_view option) {
  std::string name(option);
  if (name.empty()) {
    const char* variable = std::getenv("TENURE_SPACE");
    name = variable == nullptr || *variable == '\0' ? "default" : variable;
  }
  if (name.find('/') == std::string::npos || name.front() == '/') return name;
  std::array<char, PATH_MAX> here{};
  return getcwd(here.data(), here.size()) == nullptr ? name : std::string(here.data()) + "/" + name;
}

int exit_status_of(OpenCode code) {
  switch (code) {
    case OpenCode::usage: return exit_usage;
    case OpenCode::data: return exit_data;
    case OpenCode::no_input: return exit_no_input;
    case OpenCode::os_error: return exit_system;
    case OpenCode::cannot_make: return exit_cannot_make;
    case OpenCode::try_later: return exit_try_later;
    case OpenCode::no_permission: return exit_not_permitted;
    case OpenCode::config: return exit_configuration;
  }
  return exit_system;
}

int exit_status_of(AcquireError error) {
  switch (error) {
    case AcquireError::bad_name: return exit_usage;
    case AcquireError::busy:
    case AcquireError::timed_out:
    case AcquireError::cancelled: return exit_no;
    case AcquireError::space_full:
    case AcquireError::tokens_ended: return exit_try_later;
    case AcquireError::damaged: return exit_data;
    case AcquireError::session_lost:
    case AcquireError::system: return exit_system;
  }
  return exit_system;
}

std::string refusal_text(const OpenError& error) {
  constexpr std::size_t bytes_max = 1200;  // a long path can make it longer
  return clean(clipped(error.message, bytes_max));
}

std::string refusal_text(AcquireError error, std::string_view name) {
  const std::string what = quoted(name);
  switch (error) {
    case AcquireError::bad_name: return what + " is no name: 1 to 200 bytes of UTF-8 without control characters";
    case AcquireError::space_full:
      return "no room for " + what +
             ": the space is full of names or sessions; `tenure doctor` shows of which, `tenure rm` takes names out";
    case AcquireError::tokens_ended: return "no token below 2^63 is left for " + what + "; `tenure doctor` says more";
    case AcquireError::damaged: return "the table contradicts itself at " + what + "; `tenure doctor` says what to do";
    case AcquireError::session_lost: return "the session was declared dead before it had " + what + "; try again";
    case AcquireError::system:
      return "the system refused what holding " + what + " needs (a descriptor, a thread, memory); see `ulimit -a`, `tenure doctor`";
    default: return what + ": " + std::string(to_string(error));
  }
}

std::optional<Space> open_space(const std::string& name, bool create, int& status) {
  Space::Options options;
  options.name = name;
  options.create = create;
  Result<Space, OpenError> space = Space::open(options);
  if (space) return std::move(*space);
  complain(refusal_text(space.error()));
  status = exit_status_of(space.error().code);
  return std::nullopt;
}

std::uint32_t pid_to_show(std::uint32_t pid, bool in_this_pid_namespace) {
  if (!in_this_pid_namespace) return pid;
  const ProcessState state = process_state(static_cast<pid_t>(pid));
  return state.name == guard_name && state.parent > 1 ? static_cast<std::uint32_t>(state.parent) : pid;
}

std::string process_text(std::uint32_t pid, bool in_this_pid_namespace, std::uint32_t user, const std::string& command) {
  std::string text = "PID " + std::to_string(pid_to_show(pid, in_this_pid_namespace));
  if (!in_this_pid_namespace) text += " of another PID namespace";
  if (!command.empty()) text += " (" + clean(command) + ")";
  return text + ", " + user_text(user);
}

std::string ending_text(const HolderReport& holder) {
  std::string text = holder.alive ? holder.expired ? "its time is up" : "it was broken" : "it was killed";
  text += "; the name waits for the end of what is left of its command";
  for (std::size_t i = 0; i < holder.left_behind.size(); ++i) text += (i == 0 ? ": PID " : ", ") + std::to_string(holder.left_behind[i]);
  return text;
}

std::string holder_text(const HolderReport& holder) {
  std::string text = process_text(holder.pid, holder.in_this_pid_namespace, holder.uid, holder.command) + " on " + clean(host_name());
  if (!holder.label.empty()) text += ", " + quoted(holder.label);
  if (holder.held_for.count() > 0) {
    text += ", since " + moment_text(holder.held_for) + " (" + duration_text(holder.held_for) + ")";
  }
  text += ", token " + std::to_string(holder.token);
  if (holder.is_ending) return text + "; " + ending_text(holder);
  if (!holder.alive) return text + "; it died, and the next one takes over at once";
  if (holder.broken) return text + "; it was broken, and is about to end";
  if (holder.expired) return text + "; its time is up";
  if (holder.leased) text += ", " + duration_text(holder.remaining) + " left";
  return text;
}

bool is_held_now(const NameReport& report) {
  return report.held && (report.holder.is_ending || (report.holder.alive && !report.holder.expired));
}

std::string space_argument(const std::string& space) { return space == "default" ? std::string() : " --space " + shell_word(space); }

std::string break_command(const std::string& space, std::string_view name, Token token) {
  const std::string option = space_argument(space) + " --token " + std::to_string(token);
  // A name that looks like an option comes behind "--".
  if (name.starts_with('-')) return "tenure break" + option + " -- " + shell_word(name);
  return "tenure break " + shell_word(name) + option;
}

}  // namespace tenure::tools
