// Which space the program speaks of, how it opens it, and what it says of those who hold and wait.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <tenure/space.hpp>

#include "tools/options.hpp"

namespace tenure::tools {

// What --space says; else TENURE_SPACE; else "default". A path becomes absolute, since it is passed on to commands.
[[nodiscard]] std::string chosen_space(std::string_view option);

[[nodiscard]] int exit_status_of(OpenCode code);
[[nodiscard]] int exit_status_of(AcquireError error);

// What a person is to read of it.
[[nodiscard]] std::string refusal_text(const OpenError& error);

// What went wrong with `name`, and what to do next.
[[nodiscard]] std::string refusal_text(AcquireError error, std::string_view name);

// Opens the space of that name, or says why not: then `status` is the exit status.
[[nodiscard]] std::optional<Space> open_space(const std::string& name, bool create, int& status);

// "PID 4711 (./backup.sh), user alice". The supervisor, where the holder is a guard of `tenure run`: it is the one to signal.
[[nodiscard]] std::uint32_t pid_to_show(std::uint32_t pid, bool in_this_pid_namespace);
[[nodiscard]] std::string process_text(std::uint32_t pid, bool in_this_pid_namespace, std::uint32_t user, const std::string& command);
[[nodiscard]] std::string holder_text(const HolderReport& holder);

// Whether somebody has the name at this moment: not whoever has died, nor whoever is past the deadline, but what is left of a run.
[[nodiscard]] bool is_held_now(const NameReport& report);

// "it was killed; the name waits for the end of what is left of its command: PID 4711, 4712". REQUIRES: the holder is ending.
[[nodiscard]] std::string ending_text(const HolderReport& holder);

// The command that breaks exactly this hold.
[[nodiscard]] std::string break_command(const std::string& space, std::string_view name, Token token);

// " --space X", or nothing for the default one; for commands that people paste.
[[nodiscard]] std::string space_argument(const std::string& space);

// The `--space` option, the same in every command.
inline constexpr int space_key = 1000;
inline constexpr int json_key = 1001;
inline constexpr int help_key = 1002;
inline constexpr OptionSpec space_option{space_key, "--space", "NAME", "not TENURE_SPACE or the default, but that name or directory"};
inline constexpr OptionSpec json_option{json_key, "--json", "", "for programs; tokens are strings"};
inline constexpr OptionSpec help_option{help_key, "-h --help", "", "this text"};

}  // namespace tenure::tools
