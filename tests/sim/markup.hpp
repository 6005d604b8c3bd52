// What a test needs to know of a page: that it is well-formed, and what it refers to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenure::sim {

struct Markup {
  std::vector<std::string> mistakes;    // empty: every tag is closed in order, every attribute quoted, every '&' an entity
  std::vector<std::string> ids;         // in order
  std::vector<std::string> references;  // what href="#..." names, in order
  std::vector<std::string> elements;    // the names of all start tags, in order
  std::vector<std::string> attributes;  // NAME=VALUE of all
};

// Reads what is HTML and XML at once: <br/>, no bare attributes. The insides of <script> and <style> are text.
Markup read_markup(std::string_view page);

}  // namespace tenure::sim
