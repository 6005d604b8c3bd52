// The fixed parts of the page of a timeline.
#pragma once

#include <string_view>

namespace tenure::sim::timeline {

std::string_view page_style();
// Shows the details of what is pointed at or has the focus, and moves the focus with the arrow keys. Without it the page says the same:
// each mark has its title, and is a link to its row of the table. Neither '<' nor '&' occurs in it, so that the page is XML as well.
std::string_view page_script();

}  // namespace tenure::sim::timeline
