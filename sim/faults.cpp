// Where faults land, and what they do.
#include <algorithm>
#include <bit>
#include <utility>

#include <tenure/sim/site_coverage.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

void World::plan_faults() {
  faults_left_.fill(0);
  faults_left(Fault::kill) = config_.kills_max;
  faults_left(Fault::pause) = config_.pauses_max;
  faults_left(Fault::clock_jump) = config_.realtime_jumps_max;
  faults_left(Fault::suspend) = config_.suspends_max;
  faults_left(Fault::reboot) = config_.reboots_max;
  faults_left(Fault::partition) = server_count_ == 0 ? 0 : config_.partitions_max;
  faults_left(Fault::restart) = server_count_ == 0 ? 0 : config_.restarts_max;
  faults_left(Fault::fail_over) = server_count_ == 0 ? 0 : config_.fail_overs_max;
  fault_step_ = enabled_faults() == 0 ? ~std::uint32_t{0} : tape_->next_fault_step(0);
}

std::uint32_t World::enabled_faults() const {
  std::uint32_t enabled = 0;
  for (std::uint32_t i = 1; i < faults_left_.size(); ++i) enabled |= faults_left_[i] != 0 ? 1u << i : 0;
  return enabled;
}

void World::land_faults() {
  if (!script_.empty()) return;
  const std::uint32_t enabled = enabled_faults();
  if (steps_ >= config_.quiet_after_steps || enabled == 0) {
    fault_step_ = ~std::uint32_t{0};
    return;
  }
  const ThreadId here = running_;
  tell_tape();
  if (tape_->keyed()) stand();
  const Fault fault = tape_->choose_fault(enabled);
  const bool asked_always = fault_step_ == 0;
  if (fault != Fault::none) {
    --faults_left(fault);
    if (land(fault)) ++verdict_.faults;
  }
  if (!asked_always) fault_step_ = tape_->next_fault_step(steps_);
  if ((ready_ & bit(here)) == 0 && states_ == nullptr) schedule();
}

// False: it met nobody.
bool World::land(Fault fault) {
  const HostId here = processes_[this_process()].host;
  switch (fault) {
    case Fault::kill: return land_kill();
    case Fault::pause: pause(this_process(), steps_length()); return true;
    case Fault::clock_jump: jump_clock(); return true;
    case Fault::suspend: suspend((here + choose(host_count_, Kind::victim)) % host_count_, steps_length()); return true;
    case Fault::reboot: reboot(here); return true;
    case Fault::partition: part(); return true;
    case Fault::restart:
    case Fault::fail_over: {
      const ServerId server = choose(server_count_, Kind::victim);
      record(fault == Fault::restart ? Op::restart : Op::fail_over, nullptr, server);
      last_fault_ns_ = now_ns_;
      Server& entry = *servers_[server].server;
      call_out([&] { fault == Fault::restart ? entry.restarted(*this) : entry.failed_over(*this); });
      return true;
    }
    case Fault::none:
    case Fault::count_: break;
  }
  return false;
}

// Victims: the process about to step, and those that can't step by themselves. Any other one can be killed when its turn comes, which is
// the same.
bool World::land_kill() {
  const ProcessId here = this_process();
  std::array<ProcessId, processes_max> victims;
  std::uint32_t count = 0;
  if (processes_[here].killable) victims[count++] = here;
  for (ProcessId id = 0; id < process_count_; ++id) {
    const Process& process = processes_[id];
    if (id != here && process.alive && process.killable && (process.threads & ready_) == 0) victims[count++] = id;
  }
  if (count == 0) {
    ++faults_left(Fault::kill);
    return false;
  }
  kill(victims[choose(count, Kind::victim)]);
  return true;
}

void World::kill(ProcessId id) {
  ++verdict_.kills;
  last_fault_ns_ = now_ns_;
  record(Op::kill, nullptr, id);
  end_at_once(id);
}

// Asleep it has begun what it was about to do.
void World::note_kill(std::uint32_t thread) {
  if (threads_[thread].state == State::asleep) return coverage_->killed_after(site_[thread].next);
  coverage_->killed_before(site_[thread].next);
  coverage_->killed_after(site_[thread].last);
}

void World::end_at_once(ProcessId id) {
  Process& process = processes_[id];
  ready_ &= ~process.threads;
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    const auto thread = static_cast<std::uint32_t>(std::countr_zero(rest));
    if (coverage_ != nullptr && threads_[thread].state != State::done) note_kill(thread);
    threads_[thread].state = State::done;
  }
  if (process.paused) --paused_count_;
  process.paused = false;
  process_ends(id);
  call_out([&] { scenario_->on_death(*this, id); });
}

// What its threads have stored is on its way to everybody before the kernel tells of its end.
void World::process_ends(ProcessId id) {
  processes_[id].alive = false;
  if (has_stale_reads() && !config_.bell_before_drain) end_in_order(processes_[id].threads);
  ready_ |= bit(first_death + id);
}

// The first thread, in whose name the kernel writes, knows of the others.
void World::end_in_order(std::uint64_t threads) {
  for (std::uint64_t rest = threads; rest != 0; rest &= rest - 1) weak_->fence(static_cast<std::uint32_t>(std::countr_zero(rest)));
  if (threads != 0) weak_->fence(static_cast<std::uint32_t>(std::countr_zero(threads)));
}

void World::pause(ProcessId id, std::uint64_t steps) {
  Process& process = processes_[id];
  const std::uint64_t until_ns = now_ns_ + steps * std::max<std::uint64_t>(config_.step_ns, 1);
  if (!process.paused) ++paused_count_;
  process.paused_until_ns = process.paused ? std::max(process.paused_until_ns, until_ns) : until_ns;
  process.paused = true;
  alarm_ns_ = std::min(alarm_ns_, process.paused_until_ns);
  ready_ &= ~process.threads;
  ++verdict_.pauses;
  record(Op::pause, nullptr, steps, id);
}

// Every process of the host stops, and its monotonic clock.
void World::suspend(HostId id, std::uint64_t steps) {
  Host& host = hosts_[id];
  record(Op::suspend, nullptr, id, steps);
  const std::uint64_t span_ns = steps * config_.step_ns;
  host.suspended_ns += span_ns;
  host.suspended_until_ns = std::max(host.suspended_until_ns, now_ns_ + span_ns);
  last_fault_ns_ = now_ns_;
  for (ProcessId process = 0; process < process_count_; ++process) {
    if (processes_[process].alive && processes_[process].host == id) pause(process, steps);
  }
}

// The kernel has no time to go over anything. What lay in memory only is gone: on_reboot() says so to the scenario.
void World::reboot(HostId id) {
  record(Op::reboot, nullptr, id);
  last_fault_ns_ = now_ns_;
  Host& host = hosts_[id];
  host.booted_ns = now_ns_;
  ++host.boots;
  for (ProcessId process = 0; process < process_count_; ++process) {
    if (!processes_[process].alive || processes_[process].host != id) continue;
    processes_[process].bell_count = 0;
    for (std::uint64_t rest = processes_[process].threads; rest != 0; rest &= rest - 1) {
      Thread& thread = threads_[static_cast<std::uint32_t>(std::countr_zero(rest))];
      thread.stores.count = 0;
      thread.robust.count = 0;
      thread.robust.pending = nullptr;
    }
    ++verdict_.kills;
    end_at_once(process);
  }
  call_out([&] { scenario_->on_reboot(*this, id); });
}

void World::jump_clock() {
  constexpr std::uint32_t parts = 1024;
  Host& host = hosts_[choose(host_count_, Kind::victim)];
  const std::uint64_t size = config_.realtime_jump_ms_max * (choose(parts, Kind::jump_size) / 2 + 1) / (parts / 2);
  host.realtime_ahead_ms += choose(2, Kind::jump_size) == 0 ? size : ~size + 1;
  record(Op::clock_jump, nullptr, host.realtime_ahead_ms, static_cast<std::uint64_t>(&host - hosts_.data()));
}

}  // namespace tenure::sim
