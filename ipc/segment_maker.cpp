#include "ipc/segment_maker.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "ipc/kernel.hpp"
#include "ipc/mapping_scan.hpp"
#include "ipc/new_file.hpp"
#include "ipc/segment_file.hpp"
#include "ipc/text.hpp"

namespace tenure::ipc {
namespace {

constexpr std::uint64_t pause_first_ns = 250'000;
constexpr std::uint64_t pause_max_ns = 16'000'000;
// Somebody who found a segment that is going away has the presence byte for some microseconds, until it sees so.
constexpr std::uint64_t passers_by_ns = 200'000'000;

constexpr const char* or_unseen = "processes that can't be seen from here (of other users or containers)";

// Refused: `finding` is what would have to be replaced, or nothing where its name is gone.
OpenFault still_in_use(const MakeRequest& request, const Finding& finding) {
  const std::vector<pid_t> processes = processes_that_map(request.mapped_paths);
  const std::string who = processes.empty() ? or_unseen : list_of_processes(processes);
  if (finding.kind == Finding::Kind::none) {
    return {FaultCode::try_later,
            formatted("The segment of space %s was deleted from %s, and is still used by %s. Making a second one would let two holders "
                      "in. End them, then try again.",
                      request.space.c_str(), request.sites[0]->place().path.c_str(), who.c_str())};
  }
  return {finding.fault.code, formatted("%s It is still used by %s. End them, then try again: it is then replaced.",
                                        finding.fault.message.c_str(), who.c_str())};
}

core::SegmentIdentity identity_for(const MakeRequest& request, const TokenMark::Reading& mark) {
  core::SegmentIdentity identity;
  identity.boot_id = {request.moment.boot.high, request.moment.boot.low};
  request.sites[0]->renew_lock_identity();
  identity.lock_file_inode = request.sites[0]->lock_identity();
  identity.created_boottime_ns = clock_ns(CLOCK_BOOTTIME) - static_cast<std::uint64_t>(request.moment.boottime_offset_ns);
  identity.created_realtime_ms = milliseconds_since_2026();
  identity.token_floor = mark.number;
  identity.tokens_weak = mark.durable ? 0 : 1;
  return core::finished(identity, request.capacity);
}

// Room first, then the pages that are not zeros: a full file system is told here, and never as a SIGBUS later.
int write_segment(int descriptor, const core::SegmentIdentity& identity) {
  int error = 0;
  do {
    error = posix_fallocate(descriptor, 0, static_cast<off_t>(identity.size_bytes));
  } while (error == EINTR);
  if (error != 0) return error;
  core::write_initial_image(identity, [&](std::uint64_t offset, const auto& page) {
    if (error != 0) return;
    const ssize_t written = pwrite(descriptor, page.data(), sizeof page, static_cast<off_t>(offset));
    if (written != static_cast<ssize_t>(sizeof page)) error = written < 0 ? errno : ENOSPC;
  });
  return error;
}

OpenFault cannot_make_table(const Site& site, int error, std::uint64_t bytes) {
  const std::string path = site.table_path();
  if (error == ENOSPC || error == EDQUOT) {
    struct statvfs room{};
    const bool known = fstatvfs(site.place().directory.get(), &room) == 0;
    const unsigned long long free_kib = known ? static_cast<unsigned long long>(room.f_bavail) * room.f_frsize / 1024 : 0;
    return {FaultCode::cannot_create, formatted("No room for %s: it takes %llu KiB, and %llu KiB are free. Free some there, make a smaller "
                                                "space, or make /run/tenure (mode 1777), which is used first.",
                                                path.c_str(), static_cast<unsigned long long>(bytes) / 1024, free_kib)};
  }
  return {FaultCode::cannot_create, formatted("Can't make %s: %s.", path.c_str(), std::strerror(error))};
}

// REQUIRES: nobody has a segment of this space open, and nobody else can begin to.
Opened<Made> replace(const MakeRequest& request) {
  for (const std::unique_ptr<Site>& site : request.sites) {
    if (unlinkat(site->place().directory.get(), site->table_name().c_str(), 0) == 0 || errno == ENOENT) continue;
    return OpenFault{FaultCode::cannot_create, formatted("Can't remove the old %s: %s.", site->table_path().c_str(), std::strerror(errno))};
  }
  TokenMark::Reading mark = request.token_mark.read();
  const core::SegmentIdentity identity = identity_for(request, mark);
  const Site& site = *request.sites[0];
  const int error = make_file(site.place(), site.table_name(), [&](int descriptor) { return write_segment(descriptor, identity); });
  if (error != 0) return cannot_make_table(site, error, identity.size_bytes);
  return Made{true, std::move(mark.reason)};
}

}  // namespace

LockOutcome ByteEverywhere::lock(LockKind kind, std::uint64_t deadline_ns) {
  std::uint64_t pause_ns = pause_first_ns;
  while (held_ < sites_.size()) {
    const LockOutcome outcome = lock_byte(sites_[held_]->lock(), byte_, kind);
    if (outcome == LockOutcome::failed) return outcome;
    if (outcome == LockOutcome::done) {
      ++held_;
      continue;
    }
    const std::uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    if (now_ns >= deadline_ns) return outcome;
    sleep_for(std::min(pause_ns, deadline_ns - now_ns));
    pause_ns = std::min(pause_ns * 2, pause_max_ns);
  }
  return LockOutcome::done;
}

void ByteEverywhere::release() {
  while (held_ > 0) (void)lock_byte(sites_[--held_]->lock(), byte_, LockKind::none);
}

OpenFault cannot_lock(const Site& site, int error) {
  return {FaultCode::system_error,
          formatted("Can't lock a byte of %s: %s. Tenure needs F_OFD_SETLK, Linux 3.15.", site.lock_path().c_str(), std::strerror(error))};
}

OpenFault maker_is_busy(const Site& site, const std::string& space) {
  const long maker = site.noted_maker();
  const std::string who = maker > 0 ? formatted("process %ld (by its own note)", maker) : std::string("another process");
  return {FaultCode::try_later, formatted("%s has been making space %s for too long, and holds %s. It may be stopped: continue or end it, "
                                          "then try again.",
                                          who.c_str(), space.c_str(), site.lock_path().c_str())};
}

Opened<Made> make_segment(const MakeRequest& request) {
  ByteEverywhere maker(request.sites, maker_byte);
  LockOutcome outcome = maker.lock(LockKind::write, request.deadline_ns);
  if (outcome == LockOutcome::failed) return cannot_lock(maker.blocked_by(), errno);
  if (outcome == LockOutcome::conflict) return maker_is_busy(maker.blocked_by(), request.space);
  for (const std::unique_ptr<Site>& site : request.sites) site->note_maker();

  // Again: it may have been made while this process waited.
  const Opened<Finding> found = find_segment(request.sites, request.moment);
  if (const OpenFault* fault = fault_in(found)) return *fault;
  const Finding& finding = std::get<Finding>(found);
  if (finding.kind == Finding::Kind::sound) return Made{};

  ByteEverywhere presence(request.sites, presence_byte);
  outcome = presence.lock(LockKind::write, clock_ns(CLOCK_MONOTONIC) + passers_by_ns);
  if (outcome == LockOutcome::failed) return cannot_lock(presence.blocked_by(), errno);
  if (outcome == LockOutcome::conflict || !processes_that_map(request.mapped_paths).empty()) return still_in_use(request, finding);

  Opened<Made> made = replace(request);
  if (fault_in(made) != nullptr) return made;
  // Each lock turns from writing to reading in one step of the kernel.
  for (const std::unique_ptr<Site>& site : request.sites) {
    if (lock_byte(site->lock(), presence_byte, LockKind::read) != LockOutcome::done) return cannot_lock(*site, errno);
  }
  presence.keep();
  return made;
}

}  // namespace tenure::ipc
