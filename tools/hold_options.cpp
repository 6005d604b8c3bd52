#include "tools/hold_options.hpp"

#include <climits>

#include "tools/caller_files.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds hold_min = std::chrono::seconds(1);

std::string wrong(const Option& option, std::string_view what) {
  return std::string(option.name) + " " + clipped(clean(option.value)) + std::string(what);
}

std::string read_status(const Option& option, int& status) {
  const std::optional<std::uint64_t> number = parse_number(option.value);
  if (!number || *number > 255) return wrong(option, ": an exit status is a number from 0 to 255");
  status = static_cast<int>(*number);
  return {};
}

std::string read_hold_time(const Option& option, nanoseconds& duration) {
  std::string error = read_duration(option, duration);
  return error.empty() && duration < hold_min ? wrong(option, ": at least 1 s") : error;
}

std::string read_descriptor(const Option& option, int& descriptor) {
  const std::optional<std::uint64_t> number = parse_number(option.value);
  if (!number || *number > INT_MAX) return wrong(option, ": a descriptor is a number; in a shell, say: --status-fd 9 9>events");
  descriptor = static_cast<int>(*number);
  const std::string reason = why_not_writable(descriptor);
  return reason.empty() ? reason : wrong(option, ": that descriptor " + reason + "; in a shell, say: --status-fd 9 9>events");
}

}  // namespace

std::string read_duration(const Option& option, nanoseconds& duration) {
  const std::optional<nanoseconds> value = parse_duration(option.value);
  if (!value) return wrong(option, ": not a time. Seconds, as 2 or 0.5, or with a unit: 500ms, 1.5s, 2m, 1h");
  duration = *value;
  return {};
}

std::string take_wait_option(const Option& option, std::optional<nanoseconds>& wait) {
  nanoseconds value{0};
  if (option.key == wait_key) {
    if (std::string error = read_duration(option, value); !error.empty()) return error;
  }
  // Zero is what -n has said before.
  if (!wait || wait->count() > 0) wait = value;
  return {};
}

std::optional<std::string> take_hold_option(const Option& option, HoldPlan& plan) {
  std::string error;
  switch (option.key) {
    case nonblock_key:
    case wait_key: error = take_wait_option(option, plan.wait); break;
    case conflict_status_key: error = read_status(option, plan.conflict_status); break;
    case exclusive_key: break;
    case ttl_key: error = read_hold_time(option, plan.ttl); break;
    case no_renew_key: plan.renew = false; break;
    case max_key: error = read_hold_time(option, plan.hold_max); break;
    case lost_status_key: error = read_status(option, plan.lost_status); break;
    case label_key: plan.label = option.value; break;
    case space_key: plan.space = option.value; break;
    case status_descriptor_key: error = read_descriptor(option, plan.status_descriptor); break;
    case verbose_key: plan.verbose = true; break;
    case quiet_key: plan.quiet = true; break;
    case later_key: error = std::string(option.name) + " is not available in this version"; break;
    default: return std::nullopt;
  }
  return error;
}

std::string settle_hold(HoldPlan& plan) {
  plan.space = chosen_space(plan.space);
  if (plan.ttl.count() == 0 && !plan.renew) return "--no-renew goes with --ttl";
  return {};
}

}  // namespace tenure::tools
