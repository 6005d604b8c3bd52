// The lease table's own rules, each left out: what broke when the algorithm was simpler. The sound twin is the table as it is shipped.
//
// poke_successor_on_publish is not here: nothing needs it beside announce_before_ticket. Whoever draws a later ticket has seen the
// announcement and watches its author's bell; 1.5 million random runs and every schedule of three processes with two preemptions (3.8
// million), and of two with two preemptions and a kill (1.3 million), pass without it.
#include <utility>

#include "sim/catalogue/protocol.hpp"
#include "sim/table/scenarios.hpp"
#include "sim/table/sim_platform.hpp"

namespace tenure::sim::protocols {

namespace {

using core::Rule;

constexpr std::string_view source_prefix = "the lease table: ";

// A scenario of the table, by another name and with another configuration.
class TableRule final : public Scenario {
 public:
  TableRule(std::string name, std::unique_ptr<Scenario> table, std::uint64_t planted)
      : name_(std::move(name)), table_(std::move(table)), planted_(planted) {}

  std::string_view name() const override { return name_; }
  Config config() const override {
    Config config = table_->config();
    config.planted = planted_;
    return config;
  }
  void setup(World& world) override { table_->setup(world); }
  void check(World& world) override { table_->check(world); }
  void on_idle(World& world) override { table_->on_idle(world); }
  void on_death(World& world, ProcessId process) override { table_->on_death(world, process); }
  void on_reboot(World& world, HostId host) override { table_->on_reboot(world, host); }
  void name_memory(RunMemory& memory) override { table_->name_memory(memory); }

 private:
  std::string name_;
  std::unique_ptr<Scenario> table_;
  std::uint64_t planted_;
};

std::unique_ptr<Scenario> make_rule(const Bug& bug, Variant variant) {
  const bool broken = variant == Variant::broken;
  return std::make_unique<TableRule>(std::string(bug.id) + (broken ? "" : "/sound"),
                                     make_table_scenario(bug.source.substr(source_prefix.size())), broken ? bug.config.planted : 0);
}

struct Row {
  Rule rule;
  std::string_view id;
  std::string_view property;
  std::string_view source;
  std::string_view summary;
};
constexpr Row rows[] = {
    {Rule::renew_by_cas, "table-renew-by-cas", "exclusion", "the lease table: leased",
     "R1: a renewal writes the deadline without comparing, over an expiry"},
    {Rule::renew_rereads_word, "table-renew-rereads-word", "exclusion", "the lease table: leased",
     "R1: a renewal stores the deadline, and reads the word again only after that"},
    {Rule::renew_fences, "table-renew-fences", "exclusion", "the lease table: leased", "R1: the same, with a fence between"},
    {Rule::thief_marks_expired, "table-thief-marks-expired", "exclusion", "the lease table: leased",
     "R1: whoever takes an expired lease doesn't end its deadline first"},
    {Rule::owner_is_record, "table-owner-is-record", "exclusion", "the lease table: siblings",
     "R2: the word names the session, and two leases of one session are mixed up"},
    {Rule::head_takes_for_itself, "table-head-takes-for-itself", "orphan", "the lease table: strict",
     "Q1: whoever releases writes the next holder's record into the word"},
    {Rule::clear_then_rescan, "table-clear-then-rescan", "lost_wake", "the lease table: strict",
     "Q2: the flag is cleared after the last look at the queue"},
    {Rule::read_word_last, "table-read-word-last", "lost_wake", "the lease table: story-head-dies",
     "Q3: a waiter reads the word before it looks at the queue"},
    {Rule::announce_before_ticket, "table-announce-before-ticket", "lost_wake", "the lease table: queue-tso",
     "Q4: a ticket is drawn before anybody can see that somebody joins"},
    {Rule::recheck_predecessor, "table-recheck-predecessor", "lost_wake", "the lease table: story-dead-queue",
     "Q5: a waiter sleeps behind somebody who may have left meanwhile"},
    {Rule::bell_by_generation, "table-bell-by-generation", "lost_wake", "the lease table: story-stranger",
     "Q6: a waiter sleeps on the bell of whoever has the slot now"},
    {Rule::poke_head_if_free, "table-poke-head-if-free", "lost_wake", "the lease table: story-breaker",
     "who sees a free lease and isn't first says so to nobody"},
    {Rule::poke_successor_on_leave, "table-poke-successor-on-leave", "lost_wake", "the lease table: queue-tso",
     "who gives up tells nobody behind it"},
    {Rule::rebroadcast_bell, "table-rebroadcast-bell", "lost_wake", "the lease table: one-bell",
     "a bell's one wake-up isn't passed on to the others who sleep on it"},
    {Rule::watch_no_own_bell, "table-watch-no-own-bell", "lost_wake", "the lease table: one-bell",
     "a waiter sleeps on its own process's bell, and takes its wake-up into death"},
    {Rule::grant_raises_counter, "table-grant-raises-counter", "token", "the lease table: strict",
     "a take-over keeps the counter, and two grants have one token"},
    {Rule::check_header_after_grant, "table-check-header-after-grant", "token", "the lease table: removed",
     "N2: a grant on an entry that was removed meanwhile"},
    {Rule::floor_on_eviction, "table-floor-on-eviction", "token", "the lease table: names",
     "N3: a name that comes back begins its tokens anew"},
    {Rule::insert_under_group_lease, "table-insert-under-group-lease", "exclusion", "the lease table: names",
     "N1: two processes enter one name in two places"},
    {Rule::recovery_ignores_flag, "table-recovery-ignores-flag", "lost_wake", "the lease table: story-flag",
     "recovery believes the flag that the dead had cleared"},
    {Rule::recovery_clears_word_first, "table-recovery-clears-word-first", "damaged", "the lease table: strict-tso",
     "recovery forgets who held before it has moved the word"},
    {Rule::release_checks_owner, "table-release-checks-owner", "exclusion", "the lease table: leased",
     "a release takes the lease from whoever holds it now"},
    {Rule::clear_key_after_release, "table-clear-key-after-release", "damaged", "the lease table: strict",
     "a hold record is given back while the word still names it"},
    {Rule::fence_dequeue, "table-fence-dequeue", "lost_wake", "the lease table: story-store-buffer",
     "that a waiter left stands in a store buffer while it looks for others"},
    {Rule::retire_before_wrap, "table-retire-before-wrap", "token", "the lease table: wrapping", "a counter wraps"},
    {Rule::tree_holds_byte, "table-tree-holds-byte", "exclusion", "the lease table: trees-untagged",
     "a dead run's lease is taken while its tree holds the byte"},
    {Rule::tree_carries_tag, "table-tree-carries-tag", "exclusion", "the lease table: trees-left", "... or carries the tag"},
    {Rule::claimant_looks_for_tag, "table-claimant-looks-for-tag", "exclusion", "the lease table: trees-left",
     "a slot is cleaned while a process carries the run's tag"},
    {Rule::break_waits_for_tree, "table-break-waits-for-tree", "exclusion", "the lease table: trees-broken",
     "a run's lease that is broken is free while its command lives"},
};

}  // namespace

std::vector<Bug> table_rule_bugs() {
  std::vector<Bug> bugs;
  for (const Row& row : rows) {
    bugs.push_back({.id = row.id,
                    .rows = "T",
                    .property = row.property,
                    .source = row.source,
                    .summary = row.summary,
                    .config = {.planted = rule_bit(row.rule)},
                    .harsh = false,
                    .make = make_rule});
  }
  return bugs;
}

}  // namespace tenure::sim::protocols
