// Messages: what becomes of them, and when they arrive.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <tenure/sim/world.hpp>

namespace tenure::sim {

HostId World::add_host() {
  if (host_count_ == hosts_max) refuse("more than 8 hosts");
  Host& host = hosts_[host_count_];
  host = {now_ns_, 0, 0, 0, 0, 0};
  if (config_.drift_ppm_max != 0) {
    const std::int64_t drifts[] = {0, config_.drift_ppm_max, -std::int64_t{config_.drift_ppm_max}};
    host.drift_ppm = drifts[choose(3, Kind::drift)];
  }
  return host_count_++;
}

ServerId World::add_server(Server& server, HostId host) {
  if (server_count_ == servers_max) refuse("more than 8 servers");
  servers_[server_count_] = {&server, host};
  return server_count_++;
}

// --- The clients' side ----------------------------------------------------------------------------------------------------------------

void World::sleep_until(std::uint64_t deadline_ns) {
  Thread& thread = threads_[running_];
  thread.watches = {};
  thread.timed_out = false;
  thread.deadline_ns = deadline_ns;
  thread.state = State::asleep;
  alarm_ns_ = std::min(alarm_ns_, deadline_ns);
  ready_ &= ~bit(running_);
  schedule();
  ++actor_steps_[running_];
  if (faults_due()) land_faults();
}

Answer World::call_bytes(ServerId server, const MessageBytes& request, std::uint64_t timeout_ns, Site site) {
  step(site);
  barrier();
  Thread& thread = threads_[running_];
  record(Op::call, nullptr, server, ++thread.call);
  const std::uint64_t deadline_ns = deadline_after(timeout_ns);
  thread.awaits_reply = true;
  send({Message::What::request, false, server, running_, thread.call, 0, 0, request});
  sleep_until(deadline_ns);
  const Answer answer = thread.awaits_reply ? Answer::timed_out : thread.answer;
  thread.awaits_reply = false;
  record(Op::answer, nullptr, server, static_cast<std::uint64_t>(answer));
  return answer;
}

bool World::receive_bytes(MessageBytes& message, std::uint64_t timeout_ns, Site site) {
  step(site);
  barrier();
  Thread& thread = threads_[running_];
  if (thread.inbox_count == 0 && timeout_ns != 0) {
    thread.receives = true;
    sleep_until(deadline_after(timeout_ns));
    thread.receives = false;
  }
  record(Op::receive, nullptr, thread.inbox_count);
  if (thread.inbox_count == 0) return false;
  message = thread.inbox[0];
  std::copy(thread.inbox.begin() + 1, thread.inbox.begin() + thread.inbox_count--, thread.inbox.begin());
  return true;
}

// --- On the way -----------------------------------------------------------------------------------------------------------------------

void World::push_bytes(ServerId server, ThreadId client, const MessageBytes& message) {
  send({Message::What::push, false, server, client, 0, 0, 0, message});
}

void World::set_timer(ServerId server, std::uint64_t after_ns, std::uint64_t cookie) {
  const std::uint64_t due_ns = now_ns_ + true_ns(hosts_[servers_[server].host], after_ns);
  put({Message::What::timer, false, server, nobody, 0, due_ns, messages_sent_++, bytes_of(cookie)});
}

// What becomes of it is decided here, once.
void World::send(Message message) {
  message.due_ns = now_ns_ + config_.latency_ns;
  message.order = messages_sent_++;
  using What = Message::What;
  // In the order of Fate: a push can come late or not at all, a reply's connection can break as well, and a request can come twice.
  const std::uint32_t fates = message.what == What::push ? 3 : message.what == What::reply ? 4 : 5;
  const bool quiet = message_faults_left_ == 0 || steps_ >= config_.quiet_after_steps;
  const auto fate = quiet ? Fate::delivered : static_cast<Fate>(choose(fates, Kind::fate));
  if (fate != Fate::delivered) {
    --message_faults_left_;
    ++verdict_.faults;
    last_fault_ns_ = now_ns_;
  }
  switch (fate) {
    case Fate::delayed: message.due_ns += steps_length() * config_.step_ns; break;
    case Fate::lost: return forget_message(message, Op::message_lost);
    case Fate::broken:
      if (message.what == What::reply) message.what = What::breaks;
      message.breaks = message.what == What::request;
      break;
    case Fate::doubled:
      record(Op::message_doubled, nullptr, message.server, message.client);
      put(message);
      message.due_ns += steps_length() * config_.step_ns;
      break;
    case Fate::delivered:
    case Fate::count_: break;
  }
  put(message);
}

void World::put(const Message& message) {
  if (message_count_ == messages_max) return forget_message(message, Op::message_lost);
  messages_[message_count_++] = message;
  message_due_ns_ = std::min(message_due_ns_, message.due_ns);
  watch_messages();
}

void World::forget_message(const Message& message, Op why) { record(why, nullptr, message.server, message.client); }

// The network can go on when a message is due.
void World::watch_messages() {
  message_due_ns_ = never_ns;
  for (std::uint32_t i = 0; i < message_count_; ++i) message_due_ns_ = std::min(message_due_ns_, messages_[i].due_ns);
  if (message_due_ns_ <= now_ns_) {
    ready_ |= bit(network);
  } else {
    ready_ &= ~bit(network);
    alarm_ns_ = std::min(alarm_ns_, message_due_ns_);
  }
}

void World::run_network() {
  std::array<std::uint32_t, messages_max> due;
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < message_count_; ++i) {
    if (messages_[i].due_ns <= now_ns_ && !held_up(messages_[i])) due[count++] = i;
  }
  if (count != 0) {
    // In the order of sending, unless the tape says otherwise.
    std::sort(due.begin(), due.begin() + count, [&](std::uint32_t a, std::uint32_t b) { return messages_[a].order < messages_[b].order; });
    const std::uint32_t chosen = due[choose(count, Kind::delivery)];
    const Message message = messages_[chosen];
    messages_[chosen] = messages_[--message_count_];
    deliver(message);
  }
  watch_messages();
}

// By a partition, or because its server's host is suspended.
bool World::held_up(Message& message) const {
  std::uint64_t until_ns = 0;
  const bool to_server = message.what == Message::What::request || message.what == Message::What::timer;
  if (to_server) until_ns = hosts_[servers_[message.server].host].suspended_until_ns;
  for (std::uint32_t i = 0; i < partition_count_ && message.what != Message::What::timer; ++i) {
    const Partition& partition = partitions_[i];
    const HostId host = processes_[threads_[message.client].process].host;
    if (partition.host == host && partition.server == message.server && partition.to_server == to_server) {
      until_ns = std::max(until_ns, partition.until_ns);
    }
  }
  if (until_ns <= now_ns_) return false;
  message.due_ns = until_ns;
  return true;
}

void World::deliver(const Message& message) {
  using What = Message::What;
  if (message.what == What::timer) {
    record(Op::server_timer, nullptr, message.server);
    std::uint64_t cookie = 0;
    std::memcpy(&cookie, message.bytes.data(), sizeof(cookie));
    return call_out([&] { servers_[message.server].server->timer(*this, cookie); });
  }
  if (message.what == What::request) return serve(message);
  Thread& thread = threads_[message.client];
  if (thread.state == State::done) return;
  if (message.what == What::push) {
    record(Op::push_arrives, nullptr, message.server, message.client);
    if (thread.inbox_count == inbox_max) return;
    thread.inbox[thread.inbox_count++] = message.bytes;
    if (thread.receives && thread.state == State::asleep) make_ready(message.client);
    return;
  }
  record(message.what == What::reply ? Op::reply_arrives : Op::connection_breaks, nullptr, message.server, message.client);
  if (!thread.awaits_reply || thread.call != message.call || thread.state != State::asleep) return;  // too late
  thread.awaits_reply = false;
  thread.answer = message.what == What::reply ? Answer::replied : Answer::broken;
  thread.reply = message.bytes;
  make_ready(message.client);
}

void World::serve(const Message& request) {
  record(Op::request_arrives, nullptr, request.server, request.client);
  Message reply{Message::What::reply, false, request.server, request.client, request.call, 0, 0, {}};
  call_out([&] { servers_[request.server].server->handle(*this, request.client, request.bytes, reply.bytes); });
  if (over_) return;
  if (!request.breaks) return send(reply);
  reply.what = Message::What::breaks;
  reply.due_ns = now_ns_ + config_.latency_ns;
  put(reply);
}

void World::part() {
  if (partition_count_ == partitions_max) return;
  const HostId host = processes_[this_process()].host;
  const ServerId server = choose(server_count_, Kind::victim);
  const bool to_server = choose(2, Kind::victim) == 0;
  const std::uint64_t until_ns = now_ns_ + steps_length() * config_.step_ns;
  partitions_[partition_count_++] = {host, server, to_server, until_ns};
  last_fault_ns_ = until_ns;
  record(Op::partition, nullptr, server, to_server);
}

}  // namespace tenure::sim
