// Signals of this process.
#pragma once

#include <csignal>

namespace tenure::tools {

// Those that the caller has had ignored.
[[nodiscard]] sigset_t ignored_signals();

// Ends this process by the signal, as whoever started it expects of one that was interrupted; returns only if the signal does not end it.
// A shell ends its script when a command dies of Ctrl-C, and goes on after one that exits with 130.
void die_of(int signal);

}  // namespace tenure::tools
