#include "tools/report_json.hpp"

#include "tools/space_access.hpp"
#include "tools/text.hpp"

namespace tenure::tools {
namespace {

std::string_view state_of(const NameReport& name) {
  if (!name.held) return "free";
  if (name.holder.is_ending) return "ending";
  if (!name.holder.alive) return "died";
  return name.holder.expired ? "expired" : "held";
}

void write_waiter(JsonWriter& json, const WaiterReport& waiter) {
  json.open_object();
  json.key("place").value(waiter.place);
  json.key("pid").value(pid_to_show(waiter.pid, true));
  json.key("session_pid").value(waiter.pid);
  json.key("uid").value(waiter.uid);
  json.key("waiting_s").value(seconds_of(waiter.waiting_for));
  json.key("command").value(waiter.command);
  json.key("label").value(waiter.label);
  json.close_object();
}

}  // namespace

void write_holder(JsonWriter& json, const HolderReport& holder) {
  json.open_object();
  json.key("token").token(holder.token);
  json.key("pid").value(pid_to_show(holder.pid, holder.in_this_pid_namespace));
  json.key("session_pid").value(holder.pid);
  json.key("in_this_pid_namespace").value(holder.in_this_pid_namespace);
  json.key("uid").value(holder.uid);
  json.key("host").value(host_name());
  json.key("command").value(holder.command);
  json.key("label").value(holder.label);
  json.key("contract").value(holder.leased ? "leased" : "strict");
  if (holder.leased) json.key("remaining_s").value(seconds_of(holder.remaining));
  if (holder.is_ending) {
    json.key("left_behind").open_array();
    for (const std::uint32_t process : holder.left_behind) json.value(process);
    json.close_array();
  }
  json.key("held_s");
  holder.held_for.count() > 0 ? json.value(seconds_of(holder.held_for)) : json.null();
  json.close_object();
}

void write_name(JsonWriter& json, const NameReport& name) {
  json.open_object();
  json.key("name").value(name.name);
  json.key("state").value(state_of(name));
  json.key("last_holder_died").value(name.last_holder_died);
  json.key("last_token");
  name.last_token == 0 ? json.null() : json.token(name.last_token);
  json.key("holder");
  name.held ? write_holder(json, name.holder) : json.null();
  json.key("waiters").open_array();
  for (const WaiterReport& waiter : name.waiters) write_waiter(json, waiter);
  json.close_array();
  json.close_object();
}

}  // namespace tenure::tools
