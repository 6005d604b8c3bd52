#include "ipc/segment_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <boost/interprocess/mapped_region.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <exception>
#include <new>
#include <utility>

#include "ipc/kernel.hpp"
#include "ipc/segment_maker.hpp"
#include "ipc/site.hpp"
#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

namespace bip = boost::interprocess;

constexpr std::uint64_t retry_pause_ns = 1'000'000;

// What mapped_region asks of a file; ours is open and checked already.
struct CheckedFile {
  int descriptor;
  [[nodiscard]] bip::mapping_handle_t get_mapping_handle() const { return {descriptor, false}; }
};

std::optional<OpenFault> fault_in_options(const SpaceOptions& options) {
  if (!is_space_name(options.space)) {
    return OpenFault{
        FaultCode::configuration,
        formatted("\"%s\" is no name for a space: 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot.", options.space.c_str())};
  }
  if (!core::is_possible(options.capacity)) {
    return OpenFault{FaultCode::configuration,
                     formatted("A space can't have %u names and %u sessions: at most %u and %u, at least one.", options.capacity.names,
                               options.capacity.sessions, core::names_max, core::sessions_max)};
  }
  if (options.group != no_group && options.directory.empty()) {
    return OpenFault{FaultCode::configuration, "A space of a group needs a directory of its own: name one."};
  }
  const KernelAbilities abilities = kernel_abilities();
  if (!abilities.ofd_locks) {
    return OpenFault{FaultCode::system_error, "This kernel has no locks of open file descriptions (F_OFD_SETLK, Linux 3.15)."};
  }
  return std::nullopt;
}

Opened<Moment> present_moment() {
  const Opened<BootId> boot = boot_id();
  if (const OpenFault* fault = fault_in(boot)) return *fault;
  const Opened<std::int64_t> offset_ns = boottime_offset_ns();
  if (const OpenFault* fault = fault_in(offset_ns)) return *fault;
  return Moment{std::get<BootId>(boot), std::get<std::int64_t>(offset_ns)};
}

Opened<Places> places_of(const SpaceOptions& options) {
  if (options.directory.empty()) return default_places(options.create);
  Opened<Place> place = explicit_place(options.directory, options.create, options.group);
  if (const OpenFault* fault = fault_in(place)) return *fault;
  Places places;
  places.usable.push_back(std::move(std::get<Place>(place)));
  return places;
}

OpenFault no_space_there(const SpaceOptions& options, const std::string& where) {
  return {options.create ? FaultCode::cannot_create : FaultCode::cannot_open,
          formatted("There is %s space %s: ", options.create ? "no place for" : "no", options.space.c_str()) + where};
}

OpenFault keeps_vanishing(const std::string& path) {
  return {FaultCode::try_later,
          formatted("Somebody deletes or replaces %s or its lock file again and again. Stop that, then try again.", path.c_str())};
}

// The places that can be used, each with its lock file open.
Opened<Sites> sites_of(const SpaceOptions& options) {
  Opened<Places> opened = places_of(options);
  if (const OpenFault* fault = fault_in(opened)) return *fault;
  auto& places = std::get<Places>(opened);
  Sites sites;
  std::string reasons;
  for (const OpenFault& fault : places.unusable) reasons += fault.message + ' ';
  for (Place& place : places.usable) {
    auto site = std::make_unique<Site>(std::move(place), options.space);
    const Opened<bool> is_open = site->open_lock(options.create);
    const OpenFault* fault = fault_in(is_open);
    if (fault == nullptr && std::get<bool>(is_open)) {
      sites.push_back(std::move(site));
      continue;
    }
    // Without a table there is nothing here that must not be missed; with one, this place can't be passed over.
    const bool has_table = faccessat(site->place().directory.get(), site->table_name().c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (fault != nullptr && (has_table || !options.directory.empty())) return *fault;
    if (has_table) {
      return OpenFault{FaultCode::unusable, formatted("%s has lost its lock file %s: somebody deleted it. It can be made anew when no "
                                                      "process uses the space.",
                                                      site->table_path().c_str(), site->lock_path().c_str())};
    }
    reasons += fault != nullptr ? fault->message + ' ' : formatted("None in %s. ", site->place().path.c_str());
  }
  if (!reasons.empty()) reasons.pop_back();
  if (sites.empty()) return no_space_there(options, reasons);
  return sites;
}

}  // namespace

struct SegmentFile::State {
  State(const SpaceOptions& opened_with, Sites opened_sites, const Moment& opened_at)
      : options(opened_with),
        sites(std::move(opened_sites)),
        moment(opened_at),
        token_mark(options.space, options.state_directory, sites[0]->place().group) {}

  SpaceOptions options;
  Sites sites;
  Moment moment;
  TokenMark token_mark;
  std::string weak_reason;
  bool made_here = false;
  std::string table_path;
  Finding finding;  // what is mapped
  bip::mapped_region region;
  std::optional<BusGuard> guard;  // goes before the region does

  [[nodiscard]] const Site& home() const { return *sites[finding.site]; }
  std::optional<OpenFault> attach();
  [[nodiscard]] bool is_still_the_one() const;
  std::optional<OpenFault> make(std::uint64_t deadline_ns);
  std::optional<OpenFault> map();
  [[nodiscard]] std::vector<std::string> mapped_paths() const;
};

// Every path under which a process may have a segment of this space mapped, also in places that can't be used now.
std::vector<std::string> SegmentFile::State::mapped_paths() const {
  std::vector<std::string> paths;
  for (const std::unique_ptr<Site>& site : sites) paths.push_back(site->mapped_path());
  if (!options.directory.empty()) return paths;
  for (const std::string& path : default_place_paths(geteuid())) paths.push_back(path + '/' + sites[0]->table_name());
  return paths;
}

std::optional<OpenFault> SegmentFile::State::make(std::uint64_t deadline_ns) {
  const Opened<Made> made = make_segment({sites, options.space, options.capacity, moment, token_mark, mapped_paths(), deadline_ns});
  if (const OpenFault* fault = fault_in(made)) return *fault;
  if (std::get<Made>(made).here) {
    made_here = true;
    weak_reason = std::get<Made>(made).weak_reason;
  }
  return std::nullopt;
}

// Finds the segment, and then becomes present. In between it may be replaced, as nobody was; so its name is looked at again.
std::optional<OpenFault> SegmentFile::State::attach() {
  const std::uint64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + options.patience_ns;
  for (;;) {
    Opened<Finding> found = find_segment(sites, moment);
    if (const OpenFault* fault = fault_in(found)) return *fault;
    auto& candidate = std::get<Finding>(found);
    if (candidate.kind != Finding::Kind::sound) {
      if (!options.create && candidate.kind == Finding::Kind::none) {
        return no_space_there(options, formatted("nothing in %s.", sites[0]->place().path.c_str()));
      }
      if (!options.create) return candidate.fault;
      if (std::optional<OpenFault> fault = make(deadline_ns)) return fault;
      continue;
    }
    ByteEverywhere presence(sites, presence_byte);
    const LockOutcome outcome = presence.lock(LockKind::read, deadline_ns);
    if (outcome == LockOutcome::failed) return cannot_lock(presence.blocked_by(), errno);
    if (outcome == LockOutcome::conflict) return maker_is_busy(presence.blocked_by(), options.space);
    if (is_still_there(sites, candidate)) {
      presence.keep();
      finding = std::move(candidate);
      return map();
    }
    presence.release();
    if (clock_ns(CLOCK_MONOTONIC) >= deadline_ns) return maker_is_busy(*sites[candidate.site], options.space);
    sleep_for(retry_pause_ns);
  }
}

// Somebody may delete the files at any time. A maker that finds none of our locks can only have opened its own after ours were gone; so
// if, AFTER mapping, the paths still lead to our locks, then every such maker looks through the mappings later, and finds ours.
bool SegmentFile::State::is_still_the_one() const {
  const auto in_place = [](const std::unique_ptr<Site>& site) { return site->is_in_place(); };
  return std::all_of(sites.begin(), sites.end(), in_place) && is_still_there(sites, finding);
}

std::optional<OpenFault> SegmentFile::State::map() {
  table_path = home().table_path();
  const std::size_t bytes = finding.identity.size_bytes;
  try {
    bip::mapped_region(CheckedFile{finding.file.get()}, bip::read_write, 0, bytes).swap(region);
  } catch (const bip::interprocess_exception& exception) {
    return OpenFault{FaultCode::system_error, formatted("Can't map %s: %s.", table_path.c_str(), exception.what())};
  }
  finding.file.close();
  madvise(region.get_address(), bytes, MADV_DONTDUMP);  // every death by signal would have to write it out first
  if (options.guard_bus_errors) guard.emplace(region.get_address(), bytes);
  for (const std::unique_ptr<Site>& site : sites) site->keep_cleaners_away();
  return std::nullopt;
}

Opened<std::unique_ptr<SegmentFile>> SegmentFile::open(const SpaceOptions& options) {
  try {
    if (std::optional<OpenFault> fault = fault_in_options(options)) return *std::move(fault);
    watch_forks();
    (void)ipc::renew_after_fork();
    const Opened<Moment> moment = present_moment();
    if (const OpenFault* fault = fault_in(moment)) return *fault;
    const std::uint64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + options.patience_ns;
    for (;;) {
      Opened<Sites> sites = sites_of(options);
      if (const OpenFault* fault = fault_in(sites)) return *fault;
      auto state = std::make_unique<State>(options, std::move(std::get<Sites>(sites)), std::get<Moment>(moment));
      if (std::optional<OpenFault> fault = state->attach()) return *std::move(fault);
      if (state->is_still_the_one()) return std::unique_ptr<SegmentFile>(new SegmentFile(std::move(state)));
      if (clock_ns(CLOCK_MONOTONIC) >= deadline_ns) return keeps_vanishing(state->table_path);
      sleep_for(retry_pause_ns);
    }
  } catch (const std::bad_alloc&) {
    return OpenFault{FaultCode::system_error, "out of memory"};  // short enough to need none
  }
}

SegmentFile::SegmentFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
SegmentFile::~SegmentFile() = default;

std::byte* SegmentFile::base() const { return static_cast<std::byte*>(state_->region.get_address()); }
const core::SegmentIdentity& SegmentFile::identity() const { return state_->finding.identity; }
const std::string& SegmentFile::space() const { return state_->options.space; }
const std::string& SegmentFile::directory() const { return state_->home().place().path; }
const std::string& SegmentFile::path() const { return state_->table_path; }
bool SegmentFile::made_here() const { return state_->made_here; }
std::int64_t SegmentFile::boottime_offset_ns() const { return state_->moment.boottime_offset_ns; }
TokenMark& SegmentFile::token_mark() { return state_->token_mark; }
const std::string& SegmentFile::weak_reason() const { return state_->weak_reason; }
int SegmentFile::lock_descriptor() const { return state_->home().lock(); }
bool SegmentFile::is_lost() const { return state_->guard.has_value() && state_->guard->has_replaced(); }
bool SegmentFile::is_in_place() const { return is_still_there(state_->sites, state_->finding); }

std::optional<OpenFault> SegmentFile::renew_after_fork() {
  (void)ipc::renew_after_fork();
  const Opened<Moment> moment = present_moment();  // a child may be born into another time namespace
  if (const OpenFault* fault = fault_in(moment)) return *fault;
  for (const std::unique_ptr<Site>& site : state_->sites) {
    if (!site->reopen_lock() || lock_byte(site->lock(), presence_byte, LockKind::read) != LockOutcome::done) {
      return OpenFault{
          FaultCode::unusable,
          formatted("%s was deleted or replaced while this process's parent used it. Open the space anew.", site->lock_path().c_str())};
    }
  }
  if (!is_in_place()) {
    return OpenFault{FaultCode::unusable, formatted("%s was deleted or replaced while this process's parent used it. Open the space anew.",
                                                    state_->table_path.c_str())};
  }
  state_->moment = std::get<Moment>(moment);
  return std::nullopt;
}

}  // namespace tenure::ipc
