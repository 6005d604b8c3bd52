#include "sim/checkpoint.hpp"

#include <tenure/sim/world.hpp>

namespace tenure::sim {

// All members that a run changes, but for those of which only a part is in use.
void World::name_memory(RunMemory& memory) {
  memory.keep(ready_);
  memory.keep(now_ns_);
  memory.keep(alarm_ns_);
  memory.keep(hash_);
  memory.keep(steps_);
  memory.keep(last_);
  memory.keep(turn_began_);
  memory.keep(fault_step_);
  memory.keep(actor_steps_);
  memory.keep(site_);
  memory.keep(thread_count_);
  memory.keep(process_count_);
  memory.keep(paused_count_);
  memory.keep(faults_left_);
  memory.keep(spurious_left_);
  memory.keep(message_faults_left_);
  memory.keep(last_fault_ns_);
  memory.keep(sleeps_);
  memory.keep(token_mark_);
  memory.keep(tids_used_);
  memory.keep(bytes_used_);
  memory.keep(verdict_.ticks);
  memory.keep(verdict_.kills);
  memory.keep(verdict_.pauses);
  memory.keep(verdict_.faults);
  memory.keep(verdict_.switches);
  memory.keep(heap_bytes_);
  memory.keep(hosts_);
  memory.keep(host_count_);
  memory.keep(servers_);
  memory.keep(server_count_);
  memory.keep(message_count_);
  memory.keep(messages_sent_);
  memory.keep(message_due_ns_);
  memory.keep(partitions_);
  memory.keep(partition_count_);
}

void World::save_checkpoint() {
  if (!Fiber::can_go_back) return;
  std::vector<std::byte>& to = checkpoints_->push(tape_->position());
  run_memory_.save(to);
  append(to, processes_.data(), process_count_ * sizeof(Process));
  append(to, byte_owners_.data(), bytes_used_);
  append(to, messages_.data(), message_count_ * sizeof(Message));
  for (std::uint32_t id = 0; id < thread_count_; ++id) {
    append(to, threads_[id]);
    const std::span<const std::byte> known = fibers_[id].saved();
    append(to, known.size());
    append(to, known.data(), known.size());
  }
}

// To the newest state that the next run passes. False: to its start.
bool World::go_back(Tape& tape) {
  const std::byte* from = checkpoints_->newest_before(tape.prefix() == 0 ? 0 : tape.prefix() - 1);
  if (from == nullptr) return false;
  tape.skip_to(checkpoints_->position());
  from = run_memory_.restore(from);
  take(from, processes_.data(), process_count_ * sizeof(Process));
  take(from, byte_owners_.data(), bytes_used_);
  take(from, messages_.data(), message_count_ * sizeof(Message));
  for (std::uint32_t id = 0; id < thread_count_; ++id) {
    take(from, threads_[id]);
    std::size_t bytes = 0;
    take(from, bytes);
    fibers_[id].go_back({from, bytes});
    from += bytes;
  }
  over_ = verdict_.failed = verdict_.cut = false;
  running_ = nobody;
  return true;
}

}  // namespace tenure::sim
