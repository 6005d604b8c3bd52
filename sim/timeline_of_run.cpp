#include <tenure/sim/timeline_of_run.hpp>

#include <algorithm>
#include <bit>
#include <map>
#include <utility>
#include <vector>

#include <tenure/sim/site_coverage.hpp>

#include "sim/run_lanes.hpp"
#include "sim/trace_words.hpp"

namespace tenure::sim {

namespace {

std::string place_of(const TraceLine& line) { return line.site.line() == 0 ? std::string() : to_text(line.site); }

bool is_kernel(Op op) { return op >= Op::kernel_unqueue && op <= Op::kernel_reap; }
bool is_about_processes(const std::string& property) { return property == "exclusion" || property == "token"; }

class Builder {
 public:
  Builder(const World& world, const Verdict& verdict) : world_(world), verdict_(verdict), lanes_(world, timeline_.lanes), words_(world) {}

  Timeline build(std::string_view title) {
    timeline_.title = title;
    timeline_.totals = {world_.processes_in_use(), verdict_.faults, verdict_.switches, verdict_.steps};
    for (const TraceLine& line : world_.trace()) {
      note_time(line);
      end_expired(line);
      tell(line);
    }
    tell_wakes_of_the_dead();
    if (verdict_.failed) accuse();
    return std::move(timeline_);
  }

 private:
  using LeaseKey = std::pair<ThreadId, const void*>;
  struct Sleep {
    std::size_t span;
    std::vector<const void*> words;
  };
  // One that was killed in its sleep, or between being woken and going on.
  struct DeadSleeper {
    LaneId lane;
    std::uint32_t slept_step;
    std::uint32_t died_step;
    std::vector<const void*> words;
  };
  struct Hold {
    std::size_t span;
    std::uint64_t deadline_ns;
  };
  struct Call {
    std::uint32_t step = 0;
    ServerId server = 0;
    std::uint32_t handled_step = 0;
    std::uint32_t arrivals = 0;
    bool doubled = false;
  };
  struct Waker {
    LaneId lane;
    std::uint32_t step;
    const void* word;
    std::uint64_t left;
  };

  // --- Events ---

  void note_time(const TraceLine& line) {
    if (!timeline_.moments.empty() && timeline_.moments.back().step == line.step) return;
    timeline_.moments.push_back({line.step, line.now_ns - std::min(line.now_ns, world_.config().boot_ns)});
  }

  // A lease with a deadline is over then, whatever its holder believes.
  void end_expired(const TraceLine& line) {
    std::erase_if(holds_, [&](const auto& entry) {
      if (entry.second.deadline_ns > line.now_ns) return false;
      end_span(entry.second.span, line.step);
      return true;
    });
  }

  std::size_t begin_span(LaneId lane, Span::Kind kind, std::uint32_t step, std::string name = {}, std::optional<std::uint64_t> token = {}) {
    timeline_.spans.push_back({lane, kind, step, no_step, std::move(name), token});
    return timeline_.spans.size() - 1;
  }
  void end_span(std::size_t span, std::uint32_t step) { timeline_.spans[span].until_step = step; }
  void end_open(std::map<ThreadId, std::size_t>& open, ThreadId thread, std::uint32_t step) {
    const auto found = open.find(thread);
    if (found == open.end()) return;
    end_span(found->second, step);
    open.erase(found);
  }
  void add_point(LaneId lane, std::uint32_t step, Point::Kind kind, std::string label, bool minor = false, std::string place = {}) {
    timeline_.points.push_back({lane, step, kind, std::move(label), minor, std::move(place)});
  }
  void add_arrow(Arrow::Kind kind, Arrow::Fate fate, LaneId from, LaneId to, std::uint32_t from_step, std::uint32_t to_step,
                 std::string label = {}) {
    timeline_.arrows.push_back({kind, fate, from, to, std::min(from_step, to_step), to_step, std::move(label)});
  }

  void tell(const TraceLine& line) {
    if (tell_fault(line) || tell_message(line)) return;
    if (is_kernel(line.op)) {
      add_point(lanes_.kernel(), line.step, Point::Kind::step, words_.label(line), line.op == Op::kernel_unqueue);
      if (line.op == Op::kernel_wake && line.first != 0) wakers_.push_back({lanes_.kernel(), line.step, line.word, line.first});
    } else if (line.op == Op::drain) {
      add_point(lanes_.thread(line.second), line.step, Point::Kind::step, words_.label(line));
    } else if (line.process != nobody && !has_no_thread(line.op)) {
      tell_thread(line);
      last_steps_[line.thread] = line.step;
    }
  }

  void tell_thread(const TraceLine& line) {
    const LaneId lane = lanes_.thread(line.thread);
    switch (line.op) {
      case Op::start: return;
      case Op::exit: return tell_exit(line);
      case Op::hold: return tell_hold(line);
      case Op::let_go: return end_hold({line.thread, line.word}, line.step);
      case Op::wait_begin:
        end_open(waits_, line.thread, line.step);
        waits_[line.thread] = begin_span(lane, Span::Kind::waiting, line.step);
        return;
      case Op::wait_end: return end_open(waits_, line.thread, line.step);
      case Op::sleep: return tell_sleep(line);
      case Op::resume: return tell_resume(line);
      case Op::read_clock: return add_point(lane, line.step, Point::Kind::clock, "reads the clock", true);
      case Op::note: return add_point(lane, line.step, Point::Kind::note, words_.label(line));
      case Op::wake:
        if (line.second != 0) wakers_.push_back({lane, line.step, line.word, line.second});
        return add_point(lane, line.step, Point::Kind::step, words_.label(line), line.second == 0, place_of(line));
      default: break;
    }
    const bool minor = line.op == Op::load || line.op == Op::cas_failed || line.op == Op::probe_byte || line.op == Op::fence;
    add_point(lane, line.step, Point::Kind::step, words_.label(line), minor, place_of(line));
  }

  void tell_hold(const TraceLine& line) {
    const LeaseKey key{line.thread, line.word};
    const auto known = holds_.find(key);
    if (known != holds_.end() && timeline_.spans[known->second.span].token.value_or(0) == line.first) {
      known->second.deadline_ns = line.second;  // renewed
      return;
    }
    end_hold(key, line.step);
    const std::optional<std::uint64_t> token = line.first == 0 ? std::nullopt : std::optional(line.first);
    holds_[key] = {begin_span(lanes_.thread(line.thread), Span::Kind::holding, line.step, words_.lock(line.word), token), line.second};
  }
  void end_hold(const LeaseKey& key, std::uint32_t step) {
    const auto found = holds_.find(key);
    if (found == holds_.end()) return;
    end_span(found->second.span, step);
    holds_.erase(found);
  }

  // A sleep on several words is one span.
  void tell_sleep(const TraceLine& line) {
    const auto [known, is_new] = sleeps_.try_emplace(line.thread);
    if (is_new) known->second.span = begin_span(lanes_.thread(line.thread), Span::Kind::asleep, line.step);
    std::string& name = timeline_.spans[known->second.span].name;
    name += (name.empty() ? "" : ", ") + words_.word(line.word);
    known->second.words.push_back(line.word);
  }
  void tell_resume(const TraceLine& line) {
    const auto known = sleeps_.find(line.thread);
    if (known == sleeps_.end()) {
      // It slept on no word, which only its end tells.
      const auto last = last_steps_.find(line.thread);
      if (last != last_steps_.end()) end_span(begin_span(lanes_.thread(line.thread), Span::Kind::asleep, last->second), line.step);
      return;
    }
    end_span(known->second.span, line.step);
    const bool woken = line.text != nullptr && std::string_view(line.text) == "woken";
    const auto& words = known->second.words;
    const auto waker = std::ranges::find_if(
        wakers_, [&](const Waker& each) { return each.left != 0 && std::ranges::find(words, each.word) != words.end(); });
    if (woken && waker != wakers_.end()) {
      --waker->left;
      add_arrow(Arrow::Kind::wake, Arrow::Fate::delivered, waker->lane, lanes_.thread(line.thread), waker->step, line.step);
    } else {
      add_point(lanes_.thread(line.thread), line.step, Point::Kind::step, line.text == nullptr ? "resumes" : line.text);
    }
    sleeps_.erase(known);
  }

  // Who was woken and died before it went on has left no other trace of that.
  void tell_wakes_of_the_dead() {
    for (Waker& waker : wakers_) {
      for (const DeadSleeper& dead : dead_sleepers_) {
        const bool was_there = dead.slept_step < waker.step && waker.step < dead.died_step;
        if (waker.left == 0 || !was_there || std::ranges::find(dead.words, waker.word) == dead.words.end()) continue;
        --waker.left;
        add_arrow(Arrow::Kind::wake, Arrow::Fate::delivered, waker.lane, dead.lane, waker.step, dead.died_step);
      }
    }
  }

  void tell_exit(const TraceLine& line) {
    end_thread(line.thread, line.step);
    begin_span(lanes_.thread(line.thread), Span::Kind::dead, line.step, "ended");
    over_ |= std::uint64_t{1} << line.thread;
  }
  void end_thread(ThreadId thread, std::uint32_t step) {
    end_open(waits_, thread, step);
    if (const auto sleep = sleeps_.find(thread); sleep != sleeps_.end()) {
      end_span(sleep->second.span, step);
      const Span& span = timeline_.spans[sleep->second.span];
      dead_sleepers_.push_back({span.lane, span.from_step, step, sleep->second.words});
      sleeps_.erase(sleep);
    }
    std::erase_if(holds_, [&](const auto& entry) {
      if (entry.first.first != thread) return false;
      end_span(entry.second.span, step);
      return true;
    });
  }

  // --- Faults ---

  bool tell_fault(const TraceLine& line) {
    using P = Point::Kind;
    switch (line.op) {
      case Op::kill: end_process(static_cast<ProcessId>(line.first), line.step); return true;
      case Op::pause: tell_pause(line); return true;
      case Op::unpause: end_open(pauses_, static_cast<ThreadId>(line.first), line.step); return true;
      case Op::suspend:
        suspended_step_ = line.step;
        add_point(lanes_.clock(), line.step, P::fault, "HOST " + std::to_string(line.first) + " SUSPENDED");
        return true;
      case Op::resume_host: return true;
      case Op::reboot: tell_reboot(line); return true;
      case Op::clock_jump: add_point(lanes_.clock(), line.step, P::clock_jump, "of host " + std::to_string(line.second)); return true;
      case Op::restart: add_point(lanes_.server(line.first), line.step, P::fault, "RESTART"); return true;
      case Op::fail_over: add_point(lanes_.server(line.first), line.step, P::fault, "FAIL-OVER"); return true;
      case Op::partition:
        add_point(lanes_.network(), line.step, P::fault,
                  std::string("PARTITION: nothing goes ") + (line.second != 0 ? "to " : "from ") +
                      world_.server_name(static_cast<ServerId>(line.first)));
        return true;
      case Op::tick: return true;
      default: return false;
    }
  }

  void end_process(ProcessId process, std::uint32_t step) {
    add_point(lanes_.process(process), step, Point::Kind::kill, {});
    begin_span(lanes_.process(process), Span::Kind::dead, step);
    end_open(pauses_, process, step);
    for (std::uint64_t rest = world_.threads_of(process); rest != 0; rest &= rest - 1) {
      const auto thread = static_cast<ThreadId>(std::countr_zero(rest));
      end_thread(thread, step);
      over_ |= std::uint64_t{1} << thread;
    }
  }

  void tell_pause(const TraceLine& line) {
    const auto process = static_cast<ProcessId>(line.second);
    const bool suspended = suspended_step_ == line.step;
    if (!suspended) add_point(lanes_.process(process), line.step, Point::Kind::pause, "for " + std::to_string(line.first) + " steps");
    if (pauses_.contains(process)) return;
    pauses_[process] = begin_span(lanes_.process(process), suspended ? Span::Kind::suspended : Span::Kind::paused, line.step);
  }

  // Its processes die without a line of their own.
  void tell_reboot(const TraceLine& line) {
    add_point(lanes_.clock(), line.step, Point::Kind::fault, "REBOOT of host " + std::to_string(line.first));
    for (ProcessId process = 0; process < world_.processes(); ++process) {
      const std::uint64_t threads = world_.threads_of(process);
      const bool lives = (threads & ~over_) != 0 && last_steps_.contains(static_cast<ThreadId>(std::countr_zero(threads)));
      if (world_.host(process) == line.first && lives) end_process(process, line.step);
    }
  }

  // --- Messages ---

  bool tell_message(const TraceLine& line) {
    using F = Arrow::Fate;
    const LaneId server = of_server_if(line);
    switch (line.op) {
      case Op::call: calls_[line.thread] = {line.step, static_cast<ServerId>(line.first)}; return false;
      case Op::request_arrives: {
        Call& call = call_of(line);
        ++call.arrivals;
        add_arrow(Arrow::Kind::request, call.doubled && call.arrivals > 1 ? F::duplicated : F::delivered, client_of(line), server,
                  call.step, line.step);
        call.handled_step = line.step;
        return true;
      }
      case Op::reply_arrives:
        add_arrow(Arrow::Kind::reply, F::delivered, server, client_of(line), call_of(line).handled_step, line.step);
        return true;
      case Op::connection_breaks:
        add_arrow(Arrow::Kind::reply, F::reset, server, client_of(line), call_of(line).handled_step, line.step, "connection breaks");
        return true;
      case Op::push_arrives:
        add_arrow(Arrow::Kind::reply, F::delivered, server, client_of(line), line.step, line.step, "message");
        return true;
      case Op::message_lost: {
        const bool is_request = call_of(line).arrivals == 0;
        const LaneId from = is_request ? client_of(line) : server;
        add_arrow(is_request ? Arrow::Kind::request : Arrow::Kind::reply, F::lost, from, is_request ? server : client_of(line), line.step,
                  line.step);
        return true;
      }
      case Op::message_doubled: call_of(line).doubled = true; return true;
      case Op::server_timer: add_point(server, line.step, Point::Kind::step, "timer", true); return true;
      default: return false;
    }
  }
  LaneId of_server_if(const TraceLine& line) {
    return line.op >= Op::request_arrives && line.op <= Op::server_timer && line.op != Op::receive ? lanes_.server(line.first) : no_lane;
  }
  LaneId client_of(const TraceLine& line) { return lanes_.thread(line.second); }
  Call& call_of(const TraceLine& line) { return calls_[static_cast<ThreadId>(line.second)]; }

  // --- The end ---

  void accuse() {
    Violation violation{verdict_.steps, verdict_.property, verdict_.detail, {}};
    const auto add = [&](LaneId lane) {
      if (std::ranges::find(violation.lanes, lane) == violation.lanes.end()) violation.lanes.push_back(lane);
    };
    if (is_about_processes(verdict_.property)) {
      for (const auto& [key, hold] : holds_) add(lanes_.thread(key.first));
    }
    if (violation.lanes.empty()) {
      for (const auto& [thread, sleep] : sleeps_) add(lanes_.thread(thread));
      for (const auto& [thread, span] : waits_) add(lanes_.thread(thread));
    }
    const std::span<const TraceLine> trace = world_.trace();
    for (std::size_t i = trace.size(); i-- > 0 && violation.lanes.empty();) {
      if (trace[i].process != nobody && !has_no_thread(trace[i].op)) add(lanes_.thread(trace[i].thread));
    }
    timeline_.violation = std::move(violation);
  }

  const World& world_;
  const Verdict& verdict_;
  Timeline timeline_;
  RunLanes lanes_;
  TraceWords words_;
  std::map<LeaseKey, Hold> holds_;
  std::map<ThreadId, std::size_t> waits_;
  std::map<ProcessId, std::size_t> pauses_;
  std::map<ThreadId, Sleep> sleeps_;
  std::map<ThreadId, Call> calls_;
  std::map<ThreadId, std::uint32_t> last_steps_;
  std::vector<Waker> wakers_;
  std::vector<DeadSleeper> dead_sleepers_;
  std::uint64_t over_ = 0;  // threads that have ended, a bit each
  std::uint32_t suspended_step_ = no_step;
};

}  // namespace

Timeline timeline_of(const World& world, const Verdict& verdict, std::string_view title) { return Builder(world, verdict).build(title); }

}  // namespace tenure::sim
