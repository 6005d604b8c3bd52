#include <tenure/sim/site_coverage.hpp>

#include <algorithm>
#include <string_view>
#include <tuple>

namespace tenure::sim {

namespace {

std::string_view file_of(const std::source_location& site) {
  const std::string_view path = site.file_name();
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// "core::Acquired tenure::core::Leases<P>::sleep(...) [with P = ...]" is "sleep".
std::string_view function_of(const std::source_location& site) {
  std::string_view name = site.function_name();
  name = name.substr(0, name.find('('));
  const std::size_t colon = name.rfind(':');
  if (colon != std::string_view::npos) name.remove_prefix(colon + 1);
  const std::size_t space = name.rfind(' ');
  if (space != std::string_view::npos) name.remove_prefix(space + 1);
  return name;
}

}  // namespace

SiteCoverage::Entry& SiteCoverage::at(const std::source_location& site) {
  Entry& entry = entries_[{site.file_name(), std::uint64_t{site.line()} << 32 | site.column()}];
  entry.site = site;
  return entry;
}

std::vector<SiteCoverage::Entry> SiteCoverage::entries(std::string_view file) const {
  std::vector<Entry> found;
  for (const auto& [key, entry] : entries_) {
    if (file_of(entry.site).find(file) == std::string_view::npos) continue;
    const auto same = std::find_if(found.begin(), found.end(), [&, &wanted = entry](const Entry& known) {
      return file_of(known.site) == file_of(wanted.site) && known.site.line() == wanted.site.line() &&
             known.site.column() == wanted.site.column();
    });
    if (same == found.end()) {
      found.push_back(entry);
      continue;
    }
    same->reached += entry.reached;
    same->place = entry.place;
    same->killed_before += entry.killed_before;
    same->killed_after += entry.killed_after;
  }
  std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(file_of(a.site), a.site.line(), a.site.column()) < std::tuple(file_of(b.site), b.site.line(), b.site.column());
  });
  return found;
}

std::string to_text(const std::source_location& site) {
  std::string text(file_of(site));
  text += ':' + std::to_string(site.line());
  if (const std::string_view function = function_of(site); !function.empty()) text += ' ' + std::string(function);
  return text;
}

}  // namespace tenure::sim
