// The options that `tenure run` and `tenure hold` share.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "tools/hold_plan.hpp"
#include "tools/options.hpp"
#include "tools/space_access.hpp"

namespace tenure::tools {

inline constexpr int nonblock_key = 2000;
inline constexpr int wait_key = 2001;
inline constexpr int quiet_key = 2002;
inline constexpr int conflict_status_key = 2003;
inline constexpr int exclusive_key = 2004;
inline constexpr int ttl_key = 2005;
inline constexpr int no_renew_key = 2006;
inline constexpr int max_key = 2007;
inline constexpr int lost_status_key = 2008;
inline constexpr int label_key = 2009;
inline constexpr int status_descriptor_key = 2010;
inline constexpr int verbose_key = 2011;
inline constexpr int later_key = 2012;

inline constexpr OptionSpec nonblock_option{nonblock_key, "-n --nb --nonblock", "", "fail at once if the name is not free"};
inline constexpr OptionSpec wait_option{wait_key, "-w --wait --timeout", "D", "wait at most so long; 2 (seconds), 500ms, 1.5s, 2m, 1h"};
inline constexpr OptionSpec quiet_option{quiet_key, "-q --quiet", "", "say nothing"};

inline constexpr std::array hold_specs{
    OptionSpec{help_key, "-h --help", "", ""},
    nonblock_option,
    OptionSpec{nonblock_key, "--nonblocking", "", ""},
    wait_option,
    OptionSpec{conflict_status_key, "-E --conflict-exit-code", "N", "exit status if it did not become free; default 1"},
    OptionSpec{exclusive_key, "-x -e --exclusive", "", ""},
    OptionSpec{ttl_key, "-t --ttl", "D", "a lease, ends after so long without renewal; at least 1 s"},
    OptionSpec{no_renew_key, "--no-renew", "", "with --ttl: do not renew it"},
    OptionSpec{max_key, "--max", "D", "end the hold so long after the grant at the latest"},
    OptionSpec{lost_status_key, "--lost-exit-code", "N", "exit status if it was lost, or --max was up; default 79"},
    OptionSpec{label_key, "--label", "TEXT", "a note for whoever asks who holds the name"},
    space_option,
    OptionSpec{status_descriptor_key, "--status-fd", "N", "a line of JSON to descriptor N for each event"},
    OptionSpec{verbose_key, "-v --verbose", "", "say what it waits for, and how long it took"},
    quiet_option,
    OptionSpec{later_key, "-s --shared", "", ""},
    OptionSpec{later_key, "--permits", "N/M", ""},
    OptionSpec{later_key, "--with", "NAME", ""},
    OptionSpec{later_key, "--priority", "N", ""},
    OptionSpec{later_key, "--via", "URL", ""},
    OptionSpec{later_key, "--min", "D", ""},
};

// Empty, or what is wrong with the value.
[[nodiscard]] std::string read_duration(const Option& option, std::chrono::nanoseconds& duration);

// As flock(1): the shorter of -n and -w counts, in whatever order they come. Empty, or what is wrong.
[[nodiscard]] std::string take_wait_option(const Option& option, std::optional<std::chrono::nanoseconds>& wait);

// No value: it is none of these. Empty, or what is wrong with it.
[[nodiscard]] std::optional<std::string> take_hold_option(const Option& option, HoldPlan& plan);

// When all have been taken: whether they go together. Empty, or what is wrong.
[[nodiscard]] std::string settle_hold(HoldPlan& plan);

}  // namespace tenure::tools
