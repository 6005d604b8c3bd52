// Who goes on, when time passes, and where faults land.
#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

#include "sim/world.hpp"

namespace tenure::sim {

// In callbacks atomics act at once: they run inside somebody's step.
template <class Callback>
void World::call_out(Callback callback) {
  World* const self = std::exchange(active_, nullptr);
  callback();
  active_ = self;
}

// Returns when the caller's thread is the one to go on; to the main stack, when the run is over. Work of the kernel and of store buffers
// has no stack of its own and is done here.
void World::schedule() {
  for (;;) {
    if (over_) {
      if (running_ == nobody) return;
      leave();
    }
    if (ready_ == 0) {
      idle();
      continue;
    }
    std::uint32_t actor = nobody;
    while (!script_.empty() && !over_ && actor == nobody) follow_cue(actor);
    if (over_ || ready_ == 0) continue;
    if (actor == nobody) actor = pick();
    if (actor < threads_max) {
      if (actor != running_) continue_thread(actor);
      return;
    }
    boottime_ns_ += config_.step_ns;
    if (++steps_ >= config_.steps_max || boottime_ns_ >= alarm_ns_) time_passes();
    if (actor < first_death) {
      drain_one(actor - first_buffer);
    } else {
      run_kernel(actor - first_death);
    }
  }
}

// Order of the choices: the actor of the last step if it can go on, then the others by number. A store buffer is never "the last one", or
// going back to the thread would count as a preemption.
std::uint32_t World::pick() {
  std::uint64_t others = ready_;
  bool goes_on = last_ != nobody && (ready_ & bit(last_)) != 0;
  if (goes_on) {
    others &= ~bit(last_);
    if (others == 0) return last_;
    if (steps_ - turn_began_ >= config_.turn_steps_max) goes_on = false;
  }
  const auto n = static_cast<std::uint32_t>(std::popcount(others)) + (goes_on ? 1 : 0);
  std::uint32_t choice = tape_->choose(n, goes_on ? Kind::preempt : Kind::next);
  if (goes_on && choice-- == 0) return last_;
  for (; choice != 0; --choice) others &= others - 1;
  const auto actor = static_cast<std::uint32_t>(std::countr_zero(others));
  if (actor < first_buffer || actor >= first_death) {
    last_ = actor;
    turn_began_ = steps_;
  }
  return actor;
}

void World::next_cue() {
  script_ = script_.subspan(1);
  cue_times_ = 0;
}

// Either names the actor that the script wants next, or takes the first cue away: it is done.
void World::follow_cue(std::uint32_t& actor) {
  const Cue cue = script_.front();
  const bool process = cue.what != Cue::What::until && cue.what != Cue::What::rest;
  const std::uint32_t wanted = process ? first_death + cue.actor : cue.actor;
  const bool can = wanted < 64 && (ready_ & bit(wanted)) != 0;
  switch (cue.what) {
    case Cue::What::until:
      if (can)
        actor = wanted;
      else
        call_out([this] { fail("script", "a thread of the script can't go on"); });
      break;
    case Cue::What::rest:
    case Cue::What::bury:
      if (can)
        actor = wanted;
      else
        next_cue();
      break;
    case Cue::What::kill:
      next_cue();
      ++kills_left_;
      kill(cue.actor);
      break;
    case Cue::What::pause:
      next_cue();
      pause(cue.actor, cue.times);
      break;
  }
  if (actor != nobody) last_ = actor;
}

void World::continue_thread(std::uint32_t thread) {
  Fiber& from = running_ == nobody ? main_ : threads_[running_].fiber;
  running_ = thread;
  Fiber::switch_over(from, threads_[thread].fiber);
}

void World::leave() {
  Fiber::switch_over(threads_[running_].fiber, main_);
  std::abort();
}

// Nobody can go on before a timer fires. With a paused process that says nothing; without one, a timer was needed for progress.
void World::idle() {
  if (threads_alive() == 0) {
    over_ = true;
    return;
  }
  if (paused_count_ == 0) {
    call_out([this] { scenario_->on_idle(*this); });
    if (over_) return;
    if (alarm_ns_ == never_ns) {
      call_out([this] { fail("hang", "every live thread sleeps for ever"); });
      return;
    }
    ++verdict_.ticks;
    record(Op::tick, nullptr, alarm_ns_ - boottime_ns_);
  }
  assert(alarm_ns_ != never_ns);
  boottime_ns_ = std::max(boottime_ns_, alarm_ns_);
  fire_alarms();
}

void World::time_passes() {
  if (steps_ >= config_.steps_max) fail("livelock", "the run takes too many steps");
  if (boottime_ns_ >= alarm_ns_) fire_alarms();
}

// A sleeper whose time is up stays queued until it runs, as in the kernel: a wake-up can still be spent on it.
void World::fire_alarms() {
  alarm_ns_ = never_ns;
  for (ProcessId id = 0; id < process_count_; ++id) {
    Process& process = processes_[id];
    if (!process.paused) continue;
    if (process.paused_until_ns > boottime_ns_) {
      alarm_ns_ = std::min(alarm_ns_, process.paused_until_ns);
      continue;
    }
    process.paused = false;
    --paused_count_;
    last_fault_ns_ = boottime_ns_;
    record(Op::unpause, nullptr, id);
    for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
      const auto thread = static_cast<std::uint32_t>(std::countr_zero(rest));
      if (threads_[thread].state == State::ready) ready_ |= bit(thread);
    }
  }
  for (std::uint32_t id = 0; id < thread_count_; ++id) {
    Thread& thread = threads_[id];
    if (thread.state != State::asleep) continue;
    if (thread.deadline_ns <= boottime_ns_) {
      thread.timed_out = true;
      make_ready(id);
    } else {
      alarm_ns_ = std::min(alarm_ns_, thread.deadline_ns);
    }
  }
}

void World::make_ready(std::uint32_t thread) {
  threads_[thread].state = State::ready;
  if (!processes_[threads_[thread].process].paused) ready_ |= bit(thread);
}

// --- Faults ---------------------------------------------------------------------------------------------------------------------------

void World::land_faults() {
  if (steps_ >= config_.quiet_after_steps) {
    faults_possible_ = false;
    return;
  }
  if (jumps_left_ != 0) offer_clock_jump();
  if (pauses_left_ != 0) offer_pause();
  if (kills_left_ != 0) offer_kill();
  faults_possible_ = (kills_left_ | pauses_left_ | jumps_left_) != 0;
}

// Victims: the process about to step, and those that can't step by themselves. Any other one can be killed when its turn comes, which is
// the same.
void World::offer_kill() {
  if (tape_->choose(2, Kind::kill) == 0) return;
  const ProcessId here = this_process();
  std::array<ProcessId, processes_max> victims;
  std::uint32_t count = 0;
  if (processes_[here].killable) victims[count++] = here;
  for (ProcessId id = 0; id < process_count_; ++id) {
    const Process& process = processes_[id];
    if (id != here && process.alive && process.killable && (process.threads & ready_) == 0) victims[count++] = id;
  }
  if (count == 0) return;
  const ProcessId victim = victims[tape_->choose(count, Kind::victim)];
  kill(victim);
  if (victim == here) schedule();
}

void World::offer_pause() {
  if (tape_->choose(2, Kind::pause) == 0) return;
  --pauses_left_;
  pause(this_process(), steps_length(config_.pause_steps_max));
  schedule();
}

void World::offer_clock_jump() {
  if (tape_->choose(2, Kind::clock_jump) == 0) return;
  --jumps_left_;
  constexpr std::uint32_t parts = 1024;
  const std::uint64_t size = config_.realtime_jump_ms_max * (tape_->choose(parts, Kind::jump_size) / 2 + 1) / (parts / 2);
  realtime_ahead_ms_ += tape_->choose(2, Kind::jump_size) == 0 ? size : ~size + 1;
  record(Op::clock_jump, nullptr, realtime_ahead_ms_);
}

void World::kill(ProcessId id) {
  --kills_left_;
  ++verdict_.kills;
  last_fault_ns_ = boottime_ns_;
  record(Op::kill, nullptr, id);
  end_at_once(id);
}

void World::end_at_once(ProcessId id) {
  Process& process = processes_[id];
  ready_ &= ~process.threads;
  for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
    threads_[static_cast<std::uint32_t>(std::countr_zero(rest))].state = State::done;
  }
  if (process.paused) --paused_count_;
  process.paused = false;
  process_ends(id);
  call_out([&] { scenario_->on_death(*this, id); });
}

void World::process_ends(ProcessId id) {
  processes_[id].alive = false;
  ready_ |= bit(first_death + id);
}

void World::pause(ProcessId id, std::uint64_t steps) {
  Process& process = processes_[id];
  process.paused = true;
  process.paused_until_ns = boottime_ns_ + steps * config_.step_ns;
  alarm_ns_ = std::min(alarm_ns_, process.paused_until_ns);
  ready_ &= ~process.threads;
  ++paused_count_;
  ++verdict_.pauses;
  record(Op::pause, nullptr, steps);
}

}  // namespace tenure::sim
