// The readable trace: a line an event.
#include <iomanip>
#include <ostream>

#include <tenure/sim/runner.hpp>
#include <tenure/sim/site_coverage.hpp>

namespace tenure::sim {

// NOLINTNEXTLINE(readability-function-size): a line for each operation
std::string_view name_of(Op op) {
  switch (op) {
    case Op::inherit_byte: return "inherits bytes";
    case Op::close_byte: return "closes bytes";
    case Op::set_tag: return "sets its tag";
    case Op::find_tag: return "looks for tag";
    case Op::send_kill: return "kills";
    case Op::load: return "load";
    case Op::store: return "store";
    case Op::exchange: return "exchange";
    case Op::cas: return "cas";
    case Op::cas_failed: return "cas failed";
    case Op::fetch_add: return "fetch_add";
    case Op::fence: return "fence";
    case Op::drain: return "buffer drains";
    case Op::wait: return "wait";
    case Op::sleep: return "sleeps on";
    case Op::resume: return "resumes";
    case Op::wake: return "wake";
    case Op::read_clock: return "clock";
    case Op::claim_byte: return "claim byte";
    case Op::free_byte: return "free byte";
    case Op::probe_byte: return "probe byte";
    case Op::arm_bell: return "arm bell";
    case Op::disarm_bell: return "disarm bell";
    case Op::token_mark: return "token mark";
    case Op::robust_list: return "robust list";
    case Op::start: return "starts";
    case Op::exit: return "exits";
    case Op::kill: return "KILL of process";
    case Op::pause: return "PAUSE";
    case Op::unpause: return "goes on: process";
    case Op::clock_jump: return "CLOCK JUMP";
    case Op::tick: return "TICK: only a timer can go on";
    case Op::kernel_unqueue: return "kernel unqueues the dead";
    case Op::kernel_mark: return "kernel marks";
    case Op::kernel_wake: return "kernel wakes";
    case Op::kernel_free_bytes: return "kernel frees bytes of process";
    case Op::kernel_reap: return "kernel reaps";
    case Op::exec: return "executes another program";
    case Op::call: return "calls server";
    case Op::answer: return "has the answer of server";
    case Op::request_arrives: return "REQUEST arrives at server";
    case Op::reply_arrives: return "REPLY arrives from server";
    case Op::push_arrives: return "MESSAGE arrives from server";
    case Op::receive: return "receives";
    case Op::message_lost: return "MESSAGE LOST, server";
    case Op::message_doubled: return "MESSAGE DOUBLED, server";
    case Op::connection_breaks: return "CONNECTION BREAKS, server";
    case Op::server_timer: return "timer of server";
    case Op::restart: return "RESTART of server";
    case Op::fail_over: return "FAIL-OVER of server";
    case Op::partition: return "PARTITION from server";
    case Op::suspend: return "SUSPEND of host";
    case Op::resume_host: return "resumes: host";
    case Op::reboot: return "REBOOT of host";
    case Op::hold: return "HOLDS, token";
    case Op::let_go: return "lets go, token";
    case Op::wait_begin: return "begins to wait";
    case Op::wait_end: return "waits no more";
    case Op::note: return "note";
  }
  return "?";
}

// These happen on whatever stack the scheduler stood on; the line must not blame its thread.
bool has_no_thread(Op op) {
  switch (op) {
    case Op::drain:
    case Op::kill:
    case Op::pause:
    case Op::unpause:
    case Op::clock_jump:
    case Op::tick:
    case Op::request_arrives:
    case Op::reply_arrives:
    case Op::push_arrives:
    case Op::message_lost:
    case Op::message_doubled:
    case Op::connection_breaks:
    case Op::server_timer:
    case Op::restart:
    case Op::fail_over:
    case Op::partition:
    case Op::suspend:
    case Op::resume_host:
    case Op::reboot: return true;
    default: return op >= Op::kernel_unqueue && op <= Op::kernel_reap;
  }
}

namespace {

void print_line(std::ostream& out, const World& world, const TraceLine& line) {
  out << std::setw(6) << line.step << "  ";
  if (line.process == nobody || has_no_thread(line.op)) {
    out << "-     ";
  } else {
    out << 'P' << line.process << " t" << std::left << std::setw(3) << line.thread << std::right;
  }
  out << name_of(line.op);
  if (line.op == Op::drain) out << " of t" << line.second << ':';
  if (const std::string_view name = world.word_name(line.word); !name.empty()) out << ' ' << name;
  out << std::hex << std::showbase << ' ' << line.first;
  const bool changes = line.op == Op::exchange || line.op == Op::cas || line.op == Op::fetch_add;
  if (changes) out << " -> " << line.second;
  if (line.op == Op::cas_failed) out << " (wanted to write " << line.second << ')';
  if (line.op == Op::wait) out << " (expected " << line.second << ')';
  if (line.op == Op::wake) out << ", woken " << line.second;
  if (line.op == Op::claim_byte || line.op == Op::probe_byte) out << (line.second != 0 ? " held" : " free");
  out << std::dec << std::noshowbase;
  if (line.text != nullptr) out << "  " << line.text;
  if (line.process != nobody && !has_no_thread(line.op) && line.site.line() != 0) out << "  @ " << to_text(line.site);
  out << '\n';
}

}  // namespace

void print_trace(std::ostream& out, const World& world) {
  for (const TraceLine& line : world.trace()) print_line(out, world, line);
}

}  // namespace tenure::sim
