// Who goes on, and when time passes.
#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdlib>
#include <utility>

#include <tenure/sim/site_coverage.hpp>
#include <tenure/sim/world.hpp>

namespace tenure::sim {

// Returns when the caller's thread is the one to go on; to the main stack, when the run is over. Work of the kernel and of store buffers
// has no stack of its own and is done here.
void World::schedule() {
  tell_tape();
  const std::uint32_t self = running_;
  const bool goes_on = self == last_ && self != nobody && (ready_ & bit(self)) != 0 && steps_ - turn_began_ < config_.turn_steps_max;
  if (!goes_on || over_ || attentive_) return schedule_anyone();
  const std::uint32_t actor = tape_->choose_quickly(ready_, self);
  if (actor == self) return;
  if (actor < threads_max) {
    begin_turn(actor);
    return continue_thread(actor);
  }
  if (actor == Tape::unknown) return schedule_anyone();
  if (actor >= first_death) begin_turn(actor);
  take_own_step(actor);
  schedule_anyone();
}

void World::schedule_anyone() {
  if (attentive_) [[unlikely]]
    return schedule_attentively();
  for (;;) {
    if (over_) {
      if (running_ == nobody) return;
      leave();
    }
    if (ready_ == 0) {
      idle();
      continue;
    }
    const std::uint32_t actor = pick();
    if (actor < threads_max) {
      foresee();
      if (actor != running_) continue_thread(actor);
      return;
    }
    take_own_step(actor);
  }
}

// The same for those who want to be asked, or to look, at every step.
void World::schedule_attentively() {
  if (states_ != nullptr && running_ != nobody) return return_to_main();
  if (coverage_ != nullptr && running_ != nobody && processes_[this_process()].killable) {
    coverage_->reached(site_[running_].next, {running_, actor_steps_[running_]});
  }
  for (;;) {
    if (over_) {
      if (running_ == nobody) return;
      leave();
    }
    if (ready_ == 0) {
      idle();
      continue;
    }
    if (states_ != nullptr && seen_before()) continue;
    std::uint32_t actor = nobody;
    while (!script_.empty() && !over_ && actor == nobody) follow_cue(actor);
    if (over_ || ready_ == 0) continue;
    if (actor == nobody) actor = pick();
    if (actor >= threads_max) {
      take_own_step(actor);
    } else if (states_ == nullptr) {
      if (actor != running_) continue_thread(actor);
      return;
    } else if (fault_step_ != 0 || actor_steps_[actor] == 0 || !meets_fault(actor)) {
      continue_thread(actor);
      running_ = nobody;
      fibers_[actor].forget();
      threads_[actor].knowledge = knowledge_hash(actor);
    }
  }
}

// Of an actor without a stack.
void World::take_own_step(std::uint32_t actor) {
  now_ns_ += config_.step_ns;
  ++actor_steps_[actor];
  if (++steps_ >= config_.steps_max || now_ns_ >= alarm_ns_) time_passes();
  if (actor < first_death) {
    drain_one(actor - first_buffer);
  } else if (actor < network) {
    run_kernel(actor - first_death);
  } else {
    run_network();
  }
}

// Order of the choices: the actor of the last step if it can go on, then the others by number. A store buffer is never "the last one", or
// going back to the thread would count as a preemption.
std::uint32_t World::pick() {
  bool goes_on = last_ != nobody && (ready_ & bit(last_)) != 0;
  if (goes_on) {
    if (ready_ == bit(last_)) return last_;
    if (steps_ - turn_began_ >= config_.turn_steps_max) goes_on = false;
  }
  if (tape_->keyed()) [[unlikely]]
    stand();
  const std::uint32_t actor = tape_->choose_actor(ready_, last_, goes_on);
  if (actor != last_ && (actor < first_buffer || actor >= first_death)) {
    begin_turn(actor);
  } else if (!goes_on && actor == last_) {
    turn_began_ = steps_;
  }
  return actor;
}

// Where the last actor stands. Before anybody has taken a step there is only one place.
void World::stand() {
  const std::uint32_t actor = running_ != nobody ? running_ : 63;
  tape_->stand_at({actor, actor == 63 ? steps_ : actor_steps_[actor]});
}

// The search over states looks at threads from outside: what a running one knows is in its registers. Continues when it is this thread's
// turn again.
void World::return_to_main() {
  const std::uint32_t self = std::exchange(running_, nobody);
  threads_[self].exceptions = *static_cast<std::array<std::uint64_t, 2>*>(exceptions_);
  Fiber::switch_over(fibers_[self], main_);
}

// A fault of the search lands before the thread goes on, not on its stack: what it left there would make equal states differ.
bool World::meets_fault(std::uint32_t thread) {
  running_ = thread;
  land_faults();
  running_ = nobody;
  return (ready_ & bit(thread)) == 0;
}

// Ends a run that has come to a state whose future the search knows. Decisions that are given lead to states that are all known.
bool World::seen_before() {
  if (tape_->in_prefix()) return false;
  if (states_->insert(state_hash())) {
    save_checkpoint();
    return false;
  }
  verdict_.cut = over_ = true;
  return true;
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
      kill(cue.actor);
      break;
    case Cue::What::pause:
      next_cue();
      pause(cue.actor, cue.times);
      break;
  }
  if (actor != nobody) last_ = actor;
}

// What the C++ runtime keeps of exceptions belongs to a thread, and follows its fiber.
void World::continue_thread(std::uint32_t thread) {
  Fiber& from = running_ == nobody ? main_ : fibers_[running_];
  auto* const kept = static_cast<std::array<std::uint64_t, 2>*>(exceptions_);
  if (running_ != nobody) {
    threads_[running_].exceptions = *kept;
    ++verdict_.switches;
  }
  *kept = threads_[thread].exceptions;
  running_ = thread;
  Fiber::switch_over(from, fibers_[thread]);
}

void World::leave() {
  *static_cast<std::array<std::uint64_t, 2>*>(exceptions_) = {};
  Fiber::switch_over(fibers_[running_], main_);
  std::abort();
}

// Nobody can go on before a timer fires. With a paused process that says nothing; without one, a timer was needed for progress.
void World::idle() {
  if (threads_alive() == 0) {
    over_ = true;
    return;
  }
  if (paused_count_ == 0 && message_count_ == 0) {
    call_out([this] { scenario_->on_idle(*this); });
    if (over_) return;
    if (alarm_ns_ == never_ns) {
      call_out([this] { fail("hang", "every live thread sleeps for ever"); });
      return;
    }
    ++verdict_.ticks;
    record(Op::tick, nullptr, alarm_ns_ - now_ns_);
  }
  assert(alarm_ns_ != never_ns);
  now_ns_ = std::max(now_ns_, alarm_ns_);
  fire_alarms();
}

void World::time_passes() {
  if (steps_ >= config_.steps_max) fail("livelock", "the run takes too many steps");
  if (now_ns_ >= alarm_ns_) fire_alarms();
}

// A sleeper whose time is up stays queued until it runs, as in the kernel: a wake-up can still be spent on it.
void World::fire_alarms() {
  alarm_ns_ = never_ns;
  if (message_count_ != 0) watch_messages();
  for (ProcessId id = 0; id < process_count_; ++id) {
    Process& process = processes_[id];
    if (!process.paused) continue;
    if (process.paused_until_ns > now_ns_) {
      alarm_ns_ = std::min(alarm_ns_, process.paused_until_ns);
      continue;
    }
    process.paused = false;
    --paused_count_;
    last_fault_ns_ = now_ns_;
    record(Op::unpause, nullptr, id);
    for (std::uint64_t rest = process.threads; rest != 0; rest &= rest - 1) {
      const auto thread = static_cast<std::uint32_t>(std::countr_zero(rest));
      if (threads_[thread].state == State::ready) ready_ |= bit(thread);
    }
  }
  for (std::uint32_t id = 0; id < thread_count_; ++id) {
    Thread& thread = threads_[id];
    if (thread.state != State::asleep) continue;
    if (thread.deadline_ns <= now_ns_) {
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

}  // namespace tenure::sim
