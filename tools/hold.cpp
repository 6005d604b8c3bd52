#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "ipc/descriptor.hpp"
#include "tools/acquisition.hpp"
#include "tools/boot_time.hpp"
#include "tools/command.hpp"
#include "tools/hold_cue.hpp"
#include "tools/hold_options.hpp"
#include "tools/signals.hpp"
#include "tools/stop_watch.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

constexpr std::chrono::milliseconds last_events_patience(1000);
constexpr int loss_look_ms = 100;

class Hold {
 public:
  explicit Hold(const HoldPlan& plan) : plan_(plan), events_(plan.status_descriptor, plan.name) {}

  int run() {
    const int status = hold();
    events_.flush(last_events_patience);
    // It never had the name, and whoever sent the signal expects that it ends by it.
    if (!lease_ && cue_.signal() != 0) die_of(cue_.signal());
    return status;
  }

 private:
  int hold();
  int refuse(int status, const std::string& message);
  std::optional<Lease> acquire(Space& space, int& status);
  Result<Lease, AcquireError> wait_for_name(Acquisition& acquisition);
  int cancelled();
  int keep();
  int let_go(std::string_view why, int status);
  int lose(LeaseState state, Token token);
  bool print_token();
  void tell_jeopardy();
  void sleep();

  void tell(const std::string& text) const {
    if (!plan_.quiet) complain(text);
  }

  const HoldPlan& plan_;
  EventStream events_;
  HoldCue cue_;
  std::optional<Space> space_;
  std::optional<Lease> lease_;
  BootTimer timer_;
  std::uint64_t end_at_ns_ = never;  // of --max
  int loss_event_ = -1;
  std::string unprinted_;
  // Rung by a thread of the library, perhaps when this object is gone.
  std::shared_ptr<ipc::Descriptor> jeopardy_ = std::make_shared<ipc::Descriptor>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
};

int Hold::refuse(int status, const std::string& message) {
  emit_refusal(events_, status, message);
  tell(message);
  return status;
}

int Hold::hold() {
  if (const std::string reason = cue_.open(); !reason.empty()) return refuse(exit_usage, reason);
  if (!timer_.open()) return refuse(exit_system, std::string("cannot start: ") + std::strerror(errno));
  Space::Options options;
  options.name = plan_.space;
  options.label = plan_.label;
  Result<Space, OpenError> space = Space::open(options);
  if (!space) return refuse(exit_status_of(space.error().code), refusal_text(space.error()));
  space_.emplace(std::move(*space));
  int status = exit_ok;
  lease_ = acquire(*space_, status);
  return lease_ ? keep() : status;
}

std::optional<Lease> Hold::acquire(Space& space, int& status) {
  Acquisition acquisition(plan_, space, events_, [this](const std::string& text) { tell(text); });
  Result<Lease, AcquireError> result = acquisition.try_at_once();
  if (acquisition.is_to_wait(result)) result = wait_for_name(acquisition);
  if (!result) {
    status = result.error() == AcquireError::cancelled ? cancelled() : acquisition.tell_refusal(result.error());
    return std::nullopt;
  }
  if (plan_.hold_max.count() > 0) end_at_ns_ = boottime_ns() + count_of(plan_.hold_max);
  acquisition.tell_grant(*result);
  return std::move(*result);
}

Result<Lease, AcquireError> Hold::wait_for_name(Acquisition& acquisition) {
  const auto goes_on = [this](StopWatch::Events& events) {
    if (cue_.has_come()) return false;
    const std::array<pollfd, 2> cue = cue_.events();
    events.insert(events.end(), cue.begin(), cue.end());
    return true;
  };
  std::optional<StopWatch> watch;
  try {
    watch.emplace(goes_on, cue_.pause_ms());
  } catch (const std::system_error&) {
    return AcquireError::system;
  }
  return acquisition.wait(watch->token());
}

int Hold::cancelled() {
  const int signal = cue_.signal();
  emit_cancelled(events_, signal, "stdin");
  if (signal != 0) return exit_signal_base + signal;
  tell("standard input ended before " + quoted(plan_.name) + " was free; it was not held");
  return plan_.conflict_status;
}

int Hold::keep() {
  if (plan_.ttl.count() > 0) {
    lease_->on_jeopardy([bell = jeopardy_](std::chrono::nanoseconds) { eventfd_write(bell->get(), 1); });
  }
  loss_event_ = lease_->loss_descriptor();
  unprinted_ = std::to_string(lease_->token()) + "\n";
  for (;;) {
    if (!print_token()) return let_go("stdout", exit_system);
    if (const LeaseState state = lease_->state(); state != LeaseState::held) return lose(state, lease_->token());
    tell_jeopardy();
    if (cue_.has_come()) return let_go(cue_.signal() != 0 ? "signal" : "stdin", exit_ok);
    if (boottime_ns() >= end_at_ns_) {
      tell("its time (--max) is up: " + quoted(plan_.name) + " was held for " + duration_text(plan_.hold_max) + ", and is let go");
      return let_go("max", plan_.lost_status);
    }
    sleep();
  }
}

// What a full pipe does not take now is printed when it does. False: there is nobody to print it for.
bool Hold::print_token() {
  while (!unprinted_.empty()) {
    pollfd output{STDOUT_FILENO, POLLOUT, 0};
    if (poll(&output, 1, 0) <= 0) return true;
    const ssize_t written = write(STDOUT_FILENO, unprinted_.data(), unprinted_.size());
    if (written < 0 && errno == EAGAIN) return true;
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      tell(std::string("cannot write the token to standard output: ") + std::strerror(errno));
      return false;
    }
    unprinted_.erase(0, static_cast<std::size_t>(written));
  }
  return true;
}

void Hold::sleep() {
  const std::array<pollfd, 2> cue = cue_.events();
  std::array<pollfd, 7> events{cue[0],
                               cue[1],
                               pollfd{unprinted_.empty() ? -1 : STDOUT_FILENO, POLLOUT, 0},
                               pollfd{loss_event_, POLLIN, 0},
                               pollfd{timer_.descriptor_for(end_at_ns_), POLLIN, 0},
                               pollfd{events_.backlog_descriptor(), POLLOUT, 0},
                               pollfd{jeopardy_->get(), POLLIN, 0}};
  // Without the event, which may find no descriptor left, the lease is looked at.
  poll(events.data(), events.size(), loss_event_ < 0 ? loss_look_ms : cue_.pause_ms());
  if (events[5].revents != 0) events_.flush();
}

void Hold::tell_jeopardy() {
  eventfd_t rings = 0;
  if (eventfd_read(jeopardy_->get(), &rings) != 0) return;
  const std::chrono::nanoseconds left = lease_->remaining();
  events_.emit("jeopardy", [left](JsonWriter& json) { json.key("remaining_s").value(seconds_of(left)); });
  tell("JEOPARDY: " + quoted(plan_.name) + " was not renewed in time and ends in " + duration_text(left));
}

int Hold::let_go(std::string_view why, int status) {
  events_.emit("ending", [why](JsonWriter& json) { json.key("why").value(why); });
  const Token token = lease_->token();
  const LeaseState state = lease_->state();
  if (!lease_->release()) return lose(state == LeaseState::held ? LeaseState::lost : state, token);
  events_.emit("released", [token](JsonWriter& json) { json.key("token").token(token); });
  return status;
}

int Hold::lose(LeaseState state, Token token) {
  const bool expired = state == LeaseState::expired;
  emit_lost(events_, reason_of_loss(state), token, {});
  tell("LOST: " + quoted(plan_.name) + ", token " + std::to_string(token) +
       (expired ? ", its time is up" : ", was taken away (`tenure break`)"));
  if (lease_->release()) events_.emit("released", [token](JsonWriter& json) { json.key("token").token(token); });
  return plan_.lost_status;
}

int run(std::span<char*> arguments) {
  const ParsedOptions parsed = parse_options(hold_specs, arguments, Operands::mixed);
  HoldPlan plan;
  for (const Option& option : parsed.options) {
    if (option.key == help_key) return print_help(hold_command);
    const std::optional<std::string> error = take_hold_option(option, plan);
    if (error && !error->empty()) return usage_error(hold_command, *error);
  }
  if (!parsed.error.empty()) return usage_error(hold_command, parsed.error);
  if (parsed.operands.size() != 1) return usage_error(hold_command, "which NAME? (a command is run by: tenure run)");
  plan.name = parsed.operands[0];
  if (const std::string error = settle_hold(plan); !error.empty()) return usage_error(hold_command, error);
  return Hold(plan).run();
}

}  // namespace

const Command hold_command{
    "hold",
    "[options] NAME",
    "holds NAME until its standard input ends",
    "Waits until NAME is free, prints the token, and holds NAME until standard input ends, or INT, TERM\n"
    "or HUP comes: status 0. Else 1 (-E): it was not free; 79 (--lost-exit-code): the lease was lost.\n",
    hold_specs,
    "  coproc tenure hold -w 60 backups/orders                # in bash\n"
    "  read -r token <&\"${COPROC[0]}\" || exit 1               # an empty answer: it was not free\n"
    "  ./backup.sh \"$token\"\n"
    "  exec {COPROC[1]}>&-                                    # lets go\n"
    "  mkfifo f; tenure hold n <f & exec 9>f; ...; exec 9>&-  # in any shell\n",
    run,
};

}  // namespace tenure::tools
