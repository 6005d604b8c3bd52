#include "bench/harness.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace tenure::bench {
namespace {

std::string text_of(const char* format, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

std::string duration_text(double ns) {
  if (ns < 1e3) return text_of("%.1f ns", ns);
  if (ns < 1e6) return text_of("%.1f us", ns / 1e3);
  if (ns < 1e9) return text_of("%.2f ms", ns / 1e6);
  return text_of("%.2f s", ns / 1e9);
}

std::string bytes_text(double bytes) {
  if (bytes < 10'000) return text_of("%.0f B", bytes);
  if (bytes < 10'000'000) return text_of("%.0f KiB", bytes / 1024);
  return text_of("%.1f MiB", bytes / (1024 * 1024));
}

std::string figure_text(Unit unit, double value) {
  switch (unit) {
    case Unit::nanoseconds: return duration_text(value);
    case Unit::bytes: return bytes_text(value);
    case Unit::per_second: return text_of("%.0f/s", value);
    case Unit::plain: return text_of("%.1f", value);
  }
  return {};
}

}  // namespace

void fail(std::string_view what) {
  const int error = errno;
  std::fflush(stdout);
  std::fprintf(stderr, "tenure_bench: %.*s%s%s\n", static_cast<int>(what.size()), what.data(), error == 0 ? "" : ": ",
               error == 0 ? "" : std::strerror(error));
  _Exit(1);
}

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

void sleep_ns(std::uint64_t duration_ns) {
  timespec left{static_cast<time_t>(duration_ns / 1'000'000'000), static_cast<long>(duration_ns % 1'000'000'000)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Measured medians_of(const std::vector<double>& ours, const std::vector<double>& peer) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(ours.size(), peer.size()); ++i) ratios.push_back(ours[i] / peer[i]);
  return {median(ours), median(peer), median(ratios)};
}

void Report::line(const std::string& work, const std::string& ours, const std::string& peer, const std::string& ratio,
                  const std::string& bar, const std::string& met) const {
  const char* const format = markdown_ ? "| %s | %s | %s | %s | %s | %s |\n" : "%-66s %11s %11s %8s %8s  %s\n";
  std::printf(format, work.c_str(), ours.c_str(), peer.c_str(), ratio.c_str(), bar.c_str(), met.c_str());
  std::fflush(stdout);  // a forked child must not print it again
}

void Report::head() const {
  line("work", "ours", "peer", "ratio", "bar", "met?");
  if (markdown_) line("---", "---:", "---:", "---:", "---:", "---");
}

void Report::add(const std::string& work, Unit unit, const Measured& measured, std::optional<Bar> bar) const {
  const std::string ratio =
      !std::isfinite(measured.ratio) ? std::string() : text_of(measured.ratio < 0.1 ? "%.4f" : "%.2f", measured.ratio);
  std::string bar_text;
  std::string met;
  if (bar) {
    bar_text = text_of(bar->at_least ? ">= %.3g" : "<= %.3g", bar->limit);
    met = (bar->at_least ? measured.ratio >= bar->limit : measured.ratio <= bar->limit) ? "yes" : "NO";
  }
  line(work, figure_text(unit, measured.ours), figure_text(unit, measured.peer), ratio, bar_text, met);
}

void Report::add_limited(const std::string& work, Unit unit, double ours, double limit) const {
  line(work, figure_text(unit, ours), figure_text(unit, limit), text_of("%.2f", ours / limit), "<= 1", ours <= limit ? "yes" : "NO");
}

void Report::add_figure(const std::string& work, Unit unit, double ours) const { line(work, figure_text(unit, ours), "", "", "", ""); }

void Report::note(const std::string& text) const {
  if (markdown_) {
    line(text, "", "", "", "", "");
  } else {
    std::printf("  (%s)\n", text.c_str());
    std::fflush(stdout);
  }
}

}  // namespace tenure::bench
