#include "ipc/keeper.hpp"

#include <pthread.h>
#include <unistd.h>
#include <csignal>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>

#include "core/leases.inl.hpp"

namespace tenure::ipc {

namespace {
constexpr std::uint64_t never = ~std::uint64_t{0};
constexpr std::uint64_t longest_sleep_ns = 3600 * core::second_ns;
constexpr std::size_t notices_max = 30;  // more sessions than that are looked at every 100 ms
}  // namespace

bool Keeper::watch(const std::shared_ptr<LeaseRecord>& record) {
  const std::lock_guard lock(mutex_);
  if (std::find(records_.begin(), records_.end(), record) == records_.end()) records_.push_back(record);
  news_.fetch_add(1, std::memory_order_acq_rel);
  table_.platform().wake(news_, 1);
  if (running_) return true;
  // The thread takes no signal of the program's.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigdelset(&all, SIGBUS);  // blocked, it would end the process before bus_guard.hpp sees it
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([this] { run(); }).detach();
    running_ = true;
  } catch (const std::system_error&) {
    std::erase(records_, record);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return running_;
}

void Keeper::tell_end(LeaseRecord& record, LeaseState state) {
  std::function<void(LeaseState)> told;
  std::optional<std::stop_source> stop;
  {
    const std::lock_guard lock(record.mutex);
    if (record.end == LeaseState::held) record.end = state;
    record.done = true;
    told = std::exchange(record.on_loss, nullptr);
    stop.emplace(record.stop);
    if (record.event.get() >= 0) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(record.event.get(), &one, sizeof(one));
    }
  }
  if (stop->stop_possible()) stop->request_stop();
  if (told) told(state);
}

std::uint64_t Keeper::renew_or_warn(LeaseRecord& record, std::unique_lock<std::mutex>& lock, std::uint64_t now_ns) {
  const std::uint64_t due_ns = core::renewal_due_ns(record.grant.deadline_ns, record.ttl_ns);
  if (record.renew && now_ns >= due_ns) {
    if (!leases_.renew(record.grant, record.ttl_ns)) {
      lock.unlock();
      tell_end(record, LeaseState::lost);
      return never;
    }
    record.jeopardy_told = false;
    return core::renewal_due_ns(record.grant.deadline_ns, record.ttl_ns);
  }
  const std::uint64_t warn_ns = core::jeopardy_from_ns(record.grant.deadline_ns, record.ttl_ns);
  if (now_ns >= warn_ns && !record.jeopardy_told) {
    record.jeopardy_told = true;
    const auto told = record.on_jeopardy;
    const auto left = std::chrono::nanoseconds(record.grant.deadline_ns - now_ns);
    lock.unlock();
    if (told) told(left);
    return now_ns;
  }
  std::uint64_t next_ns = record.grant.deadline_ns;
  if (record.renew) next_ns = std::min(next_ns, due_ns);
  if (!record.jeopardy_told) next_ns = std::min(next_ns, warn_ns);
  return next_ns;
}

std::uint64_t Keeper::look_after(LeaseRecord& record, std::uint64_t now_ns) {
  std::unique_lock lock(record.mutex);
  if (record.done) return never;
  const bool leased = record.grant.deadline_ns != core::deadline::strict;
  if (leased && core::is_past(record.grant.deadline_ns, now_ns)) {
    lock.unlock();
    tell_end(record, LeaseState::expired);
    return never;
  }
  if (!leases_.still_held(record.grant)) {
    lock.unlock();
    tell_end(record, LeaseState::lost);
    return never;
  }
  return leased ? renew_or_warn(record, lock, now_ns) : never;
}

void Keeper::run() {
  pthread_setname_np(pthread_self(), "tenure-keeper");
  for (;;) {
    std::array<core::Watch<RealPlatform>, notices_max + 1> watches;
    std::size_t count = 0;
    watches[count++] = {&news_, news_.load(std::memory_order_acquire)};
    std::vector<std::shared_ptr<LeaseRecord>> records;
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(records_, [](const auto& record) {
        const std::lock_guard inner(record->mutex);
        return record->done;
      });
      records = records_;
    }
    // The notices are read before the leases are looked at: what is taken after that look changes a notice that we sleep on.
    std::uint64_t sleep_until_ns = never;
    const std::uint64_t now_ns = table_.platform().boottime_ns();
    for (const auto& record : records) {
      auto* notice = &table_.slot(core::Table<RealPlatform>::slot_of_hold(record->grant.hold)).notice;
      const auto same = [notice](const auto& watch) { return watch.word == notice; };
      if (std::any_of(watches.begin(), watches.begin() + static_cast<std::ptrdiff_t>(count), same)) continue;
      if (count == watches.size()) {
        sleep_until_ns = now_ns + 100 * core::millisecond_ns;
        break;
      }
      watches[count++] = {notice, notice->load(std::memory_order_acquire)};
    }
    for (const auto& record : records) sleep_until_ns = std::min(sleep_until_ns, look_after(*record, table_.platform().boottime_ns()));
    records.clear();
    const std::uint64_t after_ns = table_.platform().boottime_ns();
    if (sleep_until_ns <= after_ns) continue;
    (void)table_.platform().wait({watches.data(), count}, std::min(sleep_until_ns - after_ns, longest_sleep_ns));
  }
}

}  // namespace tenure::ipc
