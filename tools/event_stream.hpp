// What `--status-fd N` tells a program: one object of JSON a line, for each event of `tenure run` and `tenure hold`, in order.
//
// Every line has "event", "name" and "time" (UTC, as "2026-11-21T14:44:48.123Z"). Tokens are strings, as everywhere; times in seconds.
//
//   event        further members                        when
//   waiting      place, holder                          it queues, and whenever its place changes; place 0 is next
//   blocked      pids                                   the name is held back by what is left of a run, for a second by now
//   acquired     token, abandoned, expired, overdue,    the name is held; abandoned: the holder before died; expired: its time was up;
//                waited_s                               overdue: and its processes may still run
//   started      pid                                    the command runs                                                      (run)
//   not_started  error                                  the command cannot be started                                         (run)
//   jeopardy     remaining_s                            a renewal is late
//   lost         why, token, remaining_s                the lease is lost or will be: "deadline", "expired", "taken"
//   ending       why                                    what still runs is being ended, or the hold is: "lost", "max", "signal"
//                                                       (SIGTERM), "command_ended" and left something behind, "supervisor_killed",
//                                                       "guard_killed"; of `hold`: "stdin", "stdout", "signal", "max"
//   ended        exit or signal                         the command has ended: its own status                                 (run)
//   released     token                                  the name is free again
//   conflict     place, holder                          not free, with -n; place: how many wait already
//   timeout      place, holder                          not free within -w
//   cancelled    why, signal                            nothing came of it: "signal", "supervisor_killed", "stdin"
//   refused      exit, message                          an error, with the exit status of the program
//
// "holder" is as in `tenure show --json`, or null. A conflict is told from a command's own status 1 by its event. A reader that does not
// know an event passes over it. After a kill -9 of the process that writes, the lines just end.
//
// Writing never waits: what a full pipe does not take is kept, and written later; at the end for a second at most. A reader that has gone
// away is no error. The descriptor is not inherited by the command, unless it is 0, 1 or 2.
//
// Thread safety: any thread. Process safety: one process writes at a time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "tools/json.hpp"

namespace tenure::tools {

class EventStream {
 public:
  using Members = std::function<void(JsonWriter&)>;

  // `descriptor` of the caller, or -1 for nothing. It and a copy stay open for the life of the process.
  EventStream(int descriptor, std::string_view name);

  [[nodiscard]] bool is_on() const { return descriptor_ >= 0; }
  void emit(std::string_view event, const Members& members = {});

  // For poll: becomes writable when flush() has something to do; else -1.
  [[nodiscard]] int backlog_descriptor();
  // Writes what was kept, for so long at most.
  void flush(std::chrono::milliseconds patience = {});

 private:
  void write_some();
  [[nodiscard]] ssize_t write_without_waiting(std::string_view text) const;

  std::mutex mutex_;
  int descriptor_;
  bool is_pipe_ = false;
  std::string name_;
  std::string backlog_;
};

}  // namespace tenure::tools
