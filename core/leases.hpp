// Leases: grants, releases, renewals, take-overs and the wait queue, all on one word.
//
//   state of the word        try_acquire         acquire             release by its holder   what a third party may do
//   free                     grants              grants              -                       -
//   free, somebody queues    busy                queues              -                       the head of the queue takes it
//   held, holder alive       busy                queues              frees, wakes the head   break it (by token)
//   held, holder dead        grants (told so)    grants (told so)    -                       the same
//   held, deadline past      grants              grants              was lost                the same
//   dead or past, but a run  busy                queues              as held                 wait until the run's processes are gone
//   retired                  stale               stale               -                       resolve the name again
//
// Why it is right. (a) Only a session itself writes its record into a word, and the record names the lease from before that CAS until
// after the word has moved on; so the claimant of a dead slot finds every word that names it, and may start over at any step. (b) A
// take-over is a CAS on the exact word, which never comes back (rule U), so it fails if anything happened to that grant in between. (c)
// Renewal and expiry are two CASes on one deadline: one of them wins. (d) Whoever frees a lease scans after that store; whoever sleeps
// reads the word after its scan, last of all; and whoever leaves the queue wakes the one behind it.
//
// A run is a session that holds names for other processes, its tree. All of them inherit the byte of its slot and carry its tag, so that
// either shows that one is left, whatever it has closed or set. The word of a run moves only by its own release, or when the session is
// dead or past its deadline, and its byte is free, and its tag is found nowhere. Only `tenure` kills what is left; all others wait. One
// that is past its deadline is waited for no longer than overdue_grace_ns: the larger token is the guard then.
#pragma once

#include "core/table.hpp"

namespace tenure::core {

// Where a lease is and what shows that it is still the one meant. From Names::resolve, or group_handle.
template <class P>
struct Handle {
  uint32_t lease = no_index;
  uint64_t base = 0;                                              // token = base + counter
  const typename P::template Atomic<uint64_t>* header = nullptr;  // on the same cache line as the word
  uint64_t expected_header = 0;
};

// The session's records that one call may use. Each belongs to one thread at a time.
struct Seat {
  uint32_t hold = no_index;
  uint32_t wait = no_index;  // not needed to try
};

struct Terms {
  uint64_t ttl_ns = 0;  // 0: strict
  HoldKind kind = HoldKind::user;
};

// How long to wait. `cancelled` is a word of the caller's own: non-zero and woken, it ends the wait.
template <class P>
struct Patience {
  uint64_t until_ns = ~uint64_t{0};  // CLOCK_BOOTTIME
  typename P::template Atomic<uint32_t>* cancelled = nullptr;
  void (*queued)(void* context, uint32_t place) = nullptr;  // told at every turn that ends in a sleep; must be quick
  // Told at every turn of the next in line while only the tree of a run, the one in `slot`, keeps it from the lease.
  void (*blocked)(void* context, uint32_t slot) = nullptr;
  void* context = nullptr;
};

enum class Acquired : uint8_t {
  granted,
  busy,  // somebody holds it or comes first (try only)
  timed_out,
  cancelled,
  stale,         // the handle's name has left its entry: resolve it again
  damaged,       // the segment contradicts itself
  session_lost,  // this very session has been declared dead
};

// How the previous holder ended. `overdue`: it is past its deadline, and its processes may run on.
enum class Past : uint8_t { released, died, expired, overdue };

struct Grant {
  uint32_t lease = no_index;
  uint32_t hold = no_index;
  LeaseWord word;  // as granted
  uint64_t token = 0;
  uint64_t deadline_ns = deadline::strict;
  Past past = Past::released;
};

template <class P>
class Leases {
 public:
  explicit Leases(Table<P>& table) : table_(&table) {}

  // The uncontended path: two stores and one CAS. The word as granted, or one without an owner where anything at all is in the way; then
  // see try_acquire. Strict, or leased with a deadline that the caller has computed. REQUIRES: the handle of a name.
  [[nodiscard, gnu::always_inline]] inline LeaseWord acquire_fast(const Handle<P>& handle, uint32_t hold, uint64_t deadline_ns);

  // Without waiting: takes a lease that is free, abandoned or expired and that nobody queues for.
  [[nodiscard]] Acquired try_acquire(const Handle<P>& handle, uint32_t hold, Terms terms, Grant& grant);

  // Waits in order of tickets. REQUIRES: seat.wait is not in use.
  [[nodiscard]] Acquired acquire(const Handle<P>& handle, Seat seat, Terms terms, const Patience<P>& patience, Grant& grant);

  // Frees the lease and wakes the next. False if it had been lost before; the hold record is free for use either way.
  // `untold`: the next holder must still hear that one before died.
  bool release(const Grant& grant, bool untold = false);

  // The same where nobody queues: one CAS and one store. False: nothing was done, see release. REQUIRES: the grant of a name.
  [[nodiscard, gnu::always_inline]] inline bool release_fast(uint32_t lease, uint32_t hold, LeaseWord word);

  // A new deadline, `ttl_ns` from now. False: the lease is lost, now or before. REQUIRES: leased.
  [[nodiscard]] bool renew(Grant& grant, uint64_t ttl_ns);

  // Whether the grant stands, at this moment.
  [[nodiscard]] bool still_held(const Grant& grant);

  // Takes the lease away from the holder of exactly this word. False: it was not held by that grant any more. That of a run becomes free
  // when its processes are gone, which is for its session to see to.
  bool break_grant(uint32_t lease, LeaseWord word);

  // The handle of a group's own lease.
  [[nodiscard]] Handle<P> group_handle(uint32_t group);

  // Whether what a slot says of its tag makes sense.
  [[nodiscard]] bool has_sound_tag(uint32_t slot);
  // Whether a slot's session holds a lease for its user, or did when it died.
  [[nodiscard]] bool holds_any(uint32_t slot);

  // Whether a process carries the tag of the run in a slot, or of a run inside it; and whether anything of its tree may be left at all.
  [[nodiscard]] bool tag_lives(uint32_t slot);
  [[nodiscard]] bool tree_lives(uint32_t slot);

  // Ends every hold and wait that a dead session's slot still names. REQUIRES: the caller holds the slot's byte. May be started over.
  void clean(uint32_t slot);

 private:
  // dying, overdue: of a run that is dead or broken, or past its deadline, while its tree may live.
  enum class Claim : uint8_t { none, free, abandoned, dead, dead_internal, expired, changed, retired, damaged, dying, overdue };
  struct Verdict {  // what stands between a claimant and the word
    Claim claim = Claim::none;
    typename Table<P>::Word32* bell = nullptr;  // of the living owner
    uint32_t bell_value = 0;
    uint64_t deadline_ns = deadline::strict;
    bool without_bell = false;
    [[nodiscard]] bool may_take() const { return claim >= Claim::free && claim <= Claim::expired; }
    [[nodiscard]] bool waits_for_tree() const { return claim == Claim::dying || claim == Claim::overdue; }
  };
  struct Visit {  // one stay in the queue
    const Handle<P>& handle;
    Seat seat;
    Terms terms;
    const Patience<P>& patience;
    WaitKey key;
    uint32_t seq = 0;
    LeaseWord word;
    Queue<P> queue;
    Verdict verdict;
    uint32_t passed_head = no_index;  // the head that has left a free lease lie
    uint64_t passed_ticket = 0;
    uint32_t free_ticks = 0;
    uint64_t overdue_ns = 0;       // waited for the tree of a run that is past its deadline,
    uint64_t overdue_seen_ns = 0;  // up to here
  };

  // A simulated run is too short for the real one.
  static constexpr uint64_t overdue_grace = [] {
    if constexpr (requires { P::overdue_grace_ns; })
      return P::overdue_grace_ns;
    else
      return overdue_grace_ns;
  }();

  [[nodiscard]] Verdict judge(uint32_t lease, LeaseWord word);
  [[nodiscard]] Verdict judge_owner(uint32_t lease, LeaseWord word, uint32_t hold);
  [[nodiscard]] bool expire(uint32_t hold, uint64_t deadline_ns);
  [[nodiscard]] bool is_carried(uint64_t tag);
  [[nodiscard]] uint32_t record_of(uint32_t lease, LeaseWord word);
  [[nodiscard]] Acquired try_take(const Handle<P>& handle, uint32_t hold, Terms terms, Grant& grant);
  [[nodiscard]] static Past past_of(Claim claim);
  [[nodiscard]] bool take(const Handle<P>& handle, uint32_t hold, Terms terms, LeaseWord seen, Claim claim, Grant& grant);
  [[nodiscard]] Acquired confirm(const Handle<P>& handle, const Grant& grant);
  [[gnu::cold]] void withdraw(uint32_t lease, LeaseWord word, bool told);
  [[gnu::always_inline]] inline void bind(uint32_t hold, uint32_t lease, HoldKind kind, uint64_t deadline_ns);
  [[gnu::always_inline]] inline void unbind(uint32_t hold);
  void drop_flag_if_alone(uint32_t lease);
  [[nodiscard]] static Mode mode_after(LeaseWord word, bool told);

  void join(Visit& visit);
  void dequeue(Visit& visit);
  void leave(Visit& visit);
  void unlist(Visit& visit);
  [[nodiscard]] bool look_around(Visit& visit);
  [[nodiscard]] Acquired turn(Visit& visit, Grant& grant);
  [[nodiscard]] Acquired sleep(Visit& visit);
  void count_idle_tick(Visit& visit, bool timed_out);
  void count_overdue(Visit& visit, uint64_t now_ns);
  [[nodiscard]] uint64_t sleep_ns(const Visit& visit, uint64_t now_ns) const;

  void offer_record(Visit& visit);
  [[nodiscard]] bool grant_to_head(uint32_t lease);
  [[nodiscard]] bool was_granted(Visit& visit, Grant& grant);

  Table<P>* table_;
};

}  // namespace tenure::core
