// The arguments of `tenure run`.
#pragma once

#include <array>
#include <span>
#include <string>

#include "tools/hold_options.hpp"
#include "tools/run_plan.hpp"

namespace tenure::tools {

enum RunKey : int { shell_key, close_key, kill_after_key, version_key, descriptor_key, no_fork_key, unlock_key };

inline constexpr auto run_specs =
    joined(hold_specs, std::array{
                           OptionSpec{shell_key, "-c --command", "STRING", "instead of COMMAND: $SHELL, or else /bin/sh, runs STRING"},
                           OptionSpec{close_key, "-o --close", "", "the command inherits no descriptor of ours"},
                           OptionSpec{kill_after_key, "--kill-after", "D", "SIGTERM to SIGKILL; 10 s, at most a third of --ttl, --max"},
                           OptionSpec{version_key, "-V --version", "", ""},
                           OptionSpec{descriptor_key, "--fd", "N", ""},
                           OptionSpec{no_fork_key, "-F --no-fork", "", ""},
                           OptionSpec{unlock_key, "-u --unlock", "", ""},
                       });

struct RunArguments {
  RunPlan plan;
  bool help = false;
  bool version = false;
  std::string error;  // not empty: what is wrong, for people
};

[[nodiscard]] RunArguments read_run_arguments(std::span<char*> arguments);

}  // namespace tenure::tools
