// The reports of a space as JSON, the same in every command.
#pragma once

#include <string_view>

#include <tenure/space.hpp>

#include "tools/json.hpp"

namespace tenure::tools {

inline constexpr std::string_view weak_tokens_meaning =
    "they grow over a re-creation of the table only if the clock is not set back, as no durable place was found (see: tenure doctor)";

// An object: what is known of a holder, with its host.
void write_holder(JsonWriter& json, const HolderReport& holder);

// An object: name, state ("free", "held", "died", "expired"), last_holder_died, last_token, holder (or null), waiters. Times are seconds.
void write_name(JsonWriter& json, const NameReport& name);

}  // namespace tenure::tools
