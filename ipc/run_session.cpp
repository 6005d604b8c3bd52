#include "ipc/run_session.hpp"

#include <algorithm>

#include "core/names.inl.hpp"
#include "ipc/space_core.hpp"
#include "ipc/tree_scan.hpp"

namespace tenure::ipc {

using Table = core::Table<RealPlatform>;

Result<RunSpace, OpenError> open_run_space(const Space::Options& options, const RunTag& tag) {
  auto core = SpaceCore::open(options, &tag);
  if (!core.has_value()) return core.error();
  (*core)->ring_with_this_thread();
  const int leash = (*core)->share_bytes();
  return RunSpace{SpaceCore::wrap(std::move(*core)), leash};
}

void release_as_dead(Space& space, Lease& lease) { SpaceCore::of(space).release_as_dead(lease); }

Result<Lease, AcquireError> acquire(Space& space, std::string_view name, Terms terms, const TreeWait& wait) {
  SpaceCore& core = SpaceCore::of(space);
  return core.acquire(name, terms, Wait{core.deadline_after(wait.patience), wait.stop, &wait.queued, &wait.blocked});
}

LeftTree left_tree(Space& space, std::uint32_t slot, bool find_byte) { return SpaceCore::of(space).left_tree(slot, find_byte); }
std::vector<LeftTree> left_trees(Space& space) { return SpaceCore::of(space).left_trees(); }
bool belongs_to(Space& space, const LeftTree& tree, pid_t process) { return SpaceCore::of(space).belongs_to(tree, process); }

// ---- the trees of the dead ------------------------------------------------------------------------------------------------------------

// Of the tree itself and of the runs inside it, which give their own trees tags of their own.
std::vector<std::uint64_t> SpaceCore::tags_of(std::uint32_t number) {
  std::vector<std::uint64_t> tags;
  const auto add = [&tags](std::uint64_t tag) {
    if (core::run_tag::is_sound(tag) && std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  };
  add(table_.slot(number).tag.load(std::memory_order_relaxed));
  for (std::size_t i = 0; i < tags.size(); ++i) {
    for (std::uint32_t inner = 0; inner < slots_used(); ++inner) {
      auto& slot = table_.slot(inner);
      const bool is_run = core::SlotWord{slot.state.load(std::memory_order_acquire)}.is_run();
      if (is_run && slot.outer_tag.load(std::memory_order_relaxed) == tags[i]) add(slot.tag.load(std::memory_order_relaxed));
    }
  }
  return tags;
}

// Whether a lease of the session in a slot is past its deadline, and whether one was broken.
SpaceCore::Losses SpaceCore::losses_of(std::uint32_t number) {
  Losses losses;
  for (std::uint32_t hold = number * core::holds_per_session; hold < (number + 1) * core::holds_per_session; ++hold) {
    const core::HoldKey key{table_.hold(hold).key.load(std::memory_order_acquire)};
    if (!key.bound() || key.kind() != core::HoldKind::user || key.lease() >= table_.geometry().leases()) continue;
    const core::LeaseWord word{table_.word(key.lease()).load(std::memory_order_acquire)};
    if (!word.has_owner() || word.hold() != hold) continue;
    const std::uint64_t deadline_ns = table_.hold(hold).deadline.load(std::memory_order_acquire);
    losses.overdue |= deadline_ns != core::deadline::strict && core::is_past(deadline_ns, now_ns());
    losses.broken |= word.mode() == core::Mode::broken;
  }
  return losses;
}

LeftTree SpaceCore::left_tree(std::uint32_t number, bool find_byte) {
  LeftTree tree;
  tree.slot = number;
  if (number >= table_.geometry().sessions) return tree;
  auto& slot = table_.slot(number);
  tree.uid = slot.uid.load(std::memory_order_relaxed);
  tree.is_dead = table_.look(number).dead;
  tree.is_overdue = losses_of(number).overdue;
  tree.tags = tags_of(number);
  tree.command = text_of_words(slot.command);
  tree.carriers = carriers_of(tree.tags);
  if (!find_byte) return tree;
  tree.with_byte = holders_of_byte(file_->lock_descriptor(), slot_byte_first + number);
  std::erase_if(tree.with_byte,
                [&tree](pid_t process) { return std::find(tree.carriers.begin(), tree.carriers.end(), process) != tree.carriers.end(); });
  return tree;
}

std::vector<LeftTree> SpaceCore::left_trees() {
  std::vector<LeftTree> trees;
  for (std::uint32_t number = 0; number < slots_used(); ++number) {
    const auto view = table_.look(number);
    if (!view.state.is_run()) continue;
    const Losses losses = losses_of(number);
    if ((view.dead || losses.overdue || losses.broken) && leases_.tree_lives(number)) trees.push_back(left_tree(number, true));
  }
  return trees;
}

bool SpaceCore::belongs_to(const LeftTree& tree, pid_t process) const {
  return carries_any(process, tree.tags) || holds_byte(process, file_->lock_descriptor(), slot_byte_first + tree.slot);
}

// ---- a run's own session
// -----------------------------------------------------------------------------------------------------------------

void SpaceCore::release_as_dead(Lease& lease) {
  core::Grant grant = grant_of(lease);
  if (lease.parts_.core != this || lease.parts_.generation != process_generation()) return;
  if (lease.parts_.record != nullptr) {
    const std::lock_guard lock(lease.parts_.record->mutex);
    grant = lease.parts_.record->grant;
    lease.parts_.record->done = true;
  }
  leases_.release(grant, true);
  // What is left to do finds the word moved on.
  lease = Lease();
}

}  // namespace tenure::ipc
