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
  void add_state(StateHash& hash) const override { table_->add_state(hash); }

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

}  // namespace

std::vector<Bug> table_rule_bugs() {
  return {
      {.id = "table-renew-by-cas",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: leased",
       .summary = "R1: a renewal writes the deadline without comparing, over an expiry",
       .config = {.planted = rule_bit(Rule::renew_by_cas)},
       .make = make_rule},
      {.id = "table-renew-rereads-word",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: leased",
       .summary = "R1: a renewal stores the deadline, and reads the word again only after that",
       .config = {.planted = rule_bit(Rule::renew_rereads_word)},
       .make = make_rule},
      {.id = "table-renew-fences",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: leased",
       .summary = "R1: the same, with a fence between",
       .config = {.planted = rule_bit(Rule::renew_fences)},
       .make = make_rule},
      {.id = "table-thief-marks-expired",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: leased",
       .summary = "R1: whoever takes an expired lease doesn't end its deadline first",
       .config = {.planted = rule_bit(Rule::thief_marks_expired)},
       .make = make_rule},
      {.id = "table-owner-is-record",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: siblings",
       .summary = "R2: the word names the session, and two leases of one session are mixed up",
       .config = {.planted = rule_bit(Rule::owner_is_record)},
       .make = make_rule},
      {.id = "table-head-takes-for-itself",
       .rows = "T",
       .property = "orphan",
       .source = "the lease table: strict",
       .summary = "Q1: whoever releases writes the next holder's record into the word",
       .config = {.planted = rule_bit(Rule::head_takes_for_itself)},
       .make = make_rule},
      {.id = "table-clear-then-rescan",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: strict",
       .summary = "Q2: the flag is cleared after the last look at the queue",
       .config = {.planted = rule_bit(Rule::clear_then_rescan)},
       .make = make_rule},
      {.id = "table-read-word-last",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: story-head-dies",
       .summary = "Q3: a waiter reads the word before it looks at the queue",
       .config = {.planted = rule_bit(Rule::read_word_last)},
       .make = make_rule},
      {.id = "table-announce-before-ticket",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: queue-tso",
       .summary = "Q4: a ticket is drawn before anybody can see that somebody joins",
       .config = {.planted = rule_bit(Rule::announce_before_ticket)},
       .make = make_rule},
      {.id = "table-recheck-predecessor",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: story-dead-queue",
       .summary = "Q5: a waiter sleeps behind somebody who may have left meanwhile",
       .config = {.planted = rule_bit(Rule::recheck_predecessor)},
       .make = make_rule},
      {.id = "table-bell-by-generation",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: story-stranger",
       .summary = "Q6: a waiter sleeps on the bell of whoever has the slot now",
       .config = {.planted = rule_bit(Rule::bell_by_generation)},
       .make = make_rule},
      {.id = "table-poke-head-if-free",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: story-breaker",
       .summary = "who sees a free lease and isn't first says so to nobody",
       .config = {.planted = rule_bit(Rule::poke_head_if_free)},
       .make = make_rule},
      {.id = "table-poke-successor-on-leave",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: queue-tso",
       .summary = "who gives up tells nobody behind it",
       .config = {.planted = rule_bit(Rule::poke_successor_on_leave)},
       .make = make_rule},
      {.id = "table-rebroadcast-bell",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: one-bell",
       .summary = "a bell's one wake-up isn't passed on to the others who sleep on it",
       .config = {.planted = rule_bit(Rule::rebroadcast_bell)},
       .make = make_rule},
      {.id = "table-watch-no-own-bell",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: one-bell",
       .summary = "a waiter sleeps on its own process's bell, and takes its wake-up into death",
       .config = {.planted = rule_bit(Rule::watch_no_own_bell)},
       .make = make_rule},
      {.id = "table-grant-raises-counter",
       .rows = "T",
       .property = "token",
       .source = "the lease table: strict",
       .summary = "a take-over keeps the counter, and two grants have one token",
       .config = {.planted = rule_bit(Rule::grant_raises_counter)},
       .make = make_rule},
      {.id = "table-check-header-after-grant",
       .rows = "T",
       .property = "token",
       .source = "the lease table: removed",
       .summary = "N2: a grant on an entry that was removed meanwhile",
       .config = {.planted = rule_bit(Rule::check_header_after_grant)},
       .make = make_rule},
      {.id = "table-floor-on-eviction",
       .rows = "T",
       .property = "token",
       .source = "the lease table: names",
       .summary = "N3: a name that comes back begins its tokens anew",
       .config = {.planted = rule_bit(Rule::floor_on_eviction)},
       .make = make_rule},
      {.id = "table-insert-under-group-lease",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: names",
       .summary = "N1: two processes enter one name in two places",
       .config = {.planted = rule_bit(Rule::insert_under_group_lease)},
       .make = make_rule},
      {.id = "table-recovery-ignores-flag",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: story-flag",
       .summary = "recovery believes the flag that the dead had cleared",
       .config = {.planted = rule_bit(Rule::recovery_ignores_flag)},
       .make = make_rule},
      {.id = "table-recovery-clears-word-first",
       .rows = "T",
       .property = "damaged",
       .source = "the lease table: strict-tso",
       .summary = "recovery forgets who held before it has moved the word",
       .config = {.planted = rule_bit(Rule::recovery_clears_word_first)},
       .make = make_rule},
      {.id = "table-release-checks-owner",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: leased",
       .summary = "a release takes the lease from whoever holds it now",
       .config = {.planted = rule_bit(Rule::release_checks_owner)},
       .make = make_rule},
      {.id = "table-clear-key-after-release",
       .rows = "T",
       .property = "damaged",
       .source = "the lease table: strict",
       .summary = "a hold record is given back while the word still names it",
       .config = {.planted = rule_bit(Rule::clear_key_after_release)},
       .make = make_rule},
      {.id = "table-fence-dequeue",
       .rows = "T",
       .property = "lost_wake",
       .source = "the lease table: story-store-buffer",
       .summary = "that a waiter left stands in a store buffer while it looks for others",
       .config = {.planted = rule_bit(Rule::fence_dequeue)},
       .make = make_rule},
      {.id = "table-retire-before-wrap",
       .rows = "T",
       .property = "token",
       .source = "the lease table: wrapping",
       .summary = "a counter wraps",
       .config = {.planted = rule_bit(Rule::retire_before_wrap)},
       .make = make_rule},
      {.id = "table-tree-holds-byte",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: trees-untagged",
       .summary = "a dead run's lease is taken while its tree holds the byte",
       .config = {.planted = rule_bit(Rule::tree_holds_byte)},
       .make = make_rule},
      {.id = "table-tree-carries-tag",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: trees-left",
       .summary = "... or carries the tag",
       .config = {.planted = rule_bit(Rule::tree_carries_tag)},
       .make = make_rule},
      {.id = "table-claimant-looks-for-tag",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: trees-left",
       .summary = "a slot is cleaned while a process carries the run's tag",
       .config = {.planted = rule_bit(Rule::claimant_looks_for_tag)},
       .make = make_rule},
      {.id = "table-break-waits-for-tree",
       .rows = "T",
       .property = "exclusion",
       .source = "the lease table: trees-broken",
       .summary = "a run's lease that is broken is free while its command lives",
       .config = {.planted = rule_bit(Rule::break_waits_for_tree)},
       .make = make_rule},
  };
}

}  // namespace tenure::sim::protocols
