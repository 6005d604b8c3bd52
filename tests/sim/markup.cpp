#include "tests/sim/markup.hpp"

#include <algorithm>
#include <cctype>

namespace tenure::sim {

namespace {

class Reader {
 public:
  explicit Reader(std::string_view page) : rest_(page) {}

  Markup read() {
    if (rest_.starts_with("<!DOCTYPE html>")) {
      rest_.remove_prefix(std::string_view("<!DOCTYPE html>").size());
    } else {
      mistake("no <!DOCTYPE html>");
    }
    while (!rest_.empty() && markup_.mistakes.empty()) {
      if (rest_.starts_with("</")) {
        close();
      } else if (rest_.starts_with('<')) {
        open();
      } else {
        text(take_until("<"));
      }
    }
    if (!open_.empty()) mistake("never closed: " + open_.back());
    return std::move(markup_);
  }

 private:
  void mistake(const std::string& what) { markup_.mistakes.push_back(what + ", before: " + std::string(rest_.substr(0, 60))); }

  std::string_view take_until(std::string_view mark) {
    const std::string_view taken = rest_.substr(0, std::min(rest_.find(mark), rest_.size()));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view take_name() {
    const auto is_name = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == ':'; };
    const auto end = std::ranges::find_if_not(rest_, is_name);
    const std::string_view name = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(name.size());
    return name;
  }

  bool take(std::string_view expected) {
    if (!rest_.starts_with(expected)) {
      mistake("expected " + std::string(expected));
      return false;
    }
    rest_.remove_prefix(expected.size());
    return true;
  }

  void text(std::string_view text) {
    for (std::size_t i = text.find('&'); i != std::string_view::npos; i = text.find('&', i + 1)) {
      const std::string_view entity = text.substr(i, std::min(text.find(';', i), text.size() - 1) - i + 1);
      if (entity == "&amp;" || entity == "&lt;" || entity == "&gt;" || entity == "&quot;" || entity == "&#39;") continue;
      mistake("a bare & in " + std::string(text.substr(0, 80)));
    }
    if (text.find('<') != std::string_view::npos) mistake("a bare < in " + std::string(text.substr(0, 80)));
  }

  void close() {
    rest_.remove_prefix(2);
    const std::string name(take_name());
    if (!take(">")) return;
    if (open_.empty() || open_.back() != name) return mistake("</" + name + "> closes " + (open_.empty() ? "nothing" : open_.back()));
    open_.pop_back();
  }

  void open() {
    rest_.remove_prefix(1);
    const std::string name(take_name());
    if (name.empty()) return mistake("a tag without a name");
    markup_.elements.push_back(name);
    while (rest_.starts_with(' ')) attribute();
    if (!markup_.mistakes.empty()) return;
    if (rest_.starts_with("/>")) return rest_.remove_prefix(2);
    if (!take(">")) return;
    static const std::vector<std::string> empty_ones{"meta", "br", "input", "link", "img", "hr"};
    if (std::ranges::find(empty_ones, name) != empty_ones.end()) return mistake("<" + name + "> without />");
    open_.push_back(name);
    if (name == "script" || name == "style") {
      const std::string_view inside = take_until("</" + name);
      if (inside.find_first_of("<&") != std::string_view::npos) mistake("< or & in " + name);
    }
  }

  void attribute() {
    rest_.remove_prefix(1);
    const std::string name(take_name());
    if (name.empty()) return mistake("an attribute without a name");
    if (!take("=\"")) return;
    const std::string value(take_until("\""));
    text(value);
    if (!take("\"")) return;
    markup_.attributes.push_back(name + "=" + value);
    if (name == "id") markup_.ids.push_back(value);
    if (name == "href" && value.starts_with('#')) markup_.references.push_back(value.substr(1));
  }

  std::string_view rest_;
  std::vector<std::string> open_;
  Markup markup_;
};

}  // namespace

Markup read_markup(std::string_view page) { return Reader(page).read(); }

}  // namespace tenure::sim
