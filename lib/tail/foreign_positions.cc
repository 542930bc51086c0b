#include "tail/foreign_positions.h"

#include "base/access.h"
#include "base/diagnostics.h"
#include "base/path.h"
#include "base/unique_fd.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>

namespace weir::tail {
namespace {

using base::Code;
using base::Result;

constexpr std::size_t kMostBytes = 64 << 20;
constexpr std::string_view kCompressed[] = {".gz", ".z", ".bz2", ".zip"};  // what Promtail and Alloy decompress

// A cursor over the text. What stands on a line is told by columns: YAML's blocks are told by nothing else.
class Yaml {
 public:
  Yaml(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  Result<std::vector<ForeignEntry>> positions() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = line_start_ = 3;
    if (auto ok = to_content(); !ok) return std::move(ok).error();
    if (column() == 0 && rest().starts_with("---") && ends_word(3)) {
      at_ += 3;
      if (auto ok = to_next_line(); !ok) return std::move(ok).error();
    }
    if (at_end()) return std::move(entries_);
    auto top = scalar(kTop, Where::key);
    if (!top) return std::move(top).error();
    if (column_of_last_ != 0 || *top != "positions") return fail("`positions:` is expected");
    if (auto colon = take_colon(); !colon) return std::move(colon).error();
    for (const std::string_view nothing : {"{}", "null", "~"}) {
      if (!rest().starts_with(nothing)) continue;
      at_ += nothing.size();
      break;
    }
    if (auto ok = to_next_line(); !ok) return std::move(ok).error();
    const std::size_t indent = column();
    while (!at_end() && indent > 0 && column() == indent) {
      if (auto ok = entry(indent); !ok) return std::move(ok).error();
    }
    if (!at_end()) return fail("something else stands here than a position");
    return std::move(entries_);
  }

 private:
  // Where a scalar stands: a key ends on its line, at a colon; a value may go on over lines; at the begin of a complex key it may
  // be either.
  enum class Where : std::uint8_t { key, value, either };
  static constexpr std::size_t kTop = 0;

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
  [[nodiscard]] char here() const { return at_end() ? '\n' : text_[at_]; }
  [[nodiscard]] char next() const { return at_ + 1 >= text_.size() ? '\n' : text_[at_ + 1]; }
  [[nodiscard]] std::size_t column() const { return at_ - line_start_; }
  static bool is_blank(char c) { return c == ' ' || c == '\t'; }
  static bool is_break(char c) { return c == '\n' || c == '\r'; }
  [[nodiscard]] bool ends_word(std::size_t size) const {
    return at_ + size >= text_.size() || is_blank(text_[at_ + size]) || is_break(text_[at_ + size]);
  }

  template <typename... Args>
  base::Error fail(fmt::format_string<Args...> cause, Args&&... args) const {
    return base::cannot(Code::config, fmt::format("read the positions in {}", base::escape_control(name_)),
                        fmt::format("line {}: {}", line_, fmt::format(cause, std::forward<Args>(args)...)));
  }

  void break_line() {
    if (rest().starts_with("\r\n")) ++at_;
    ++at_;
    ++line_;
    line_start_ = at_;
  }
  void skip_blanks() {
    while (!at_end() && is_blank(here())) ++at_;
  }

  // To the first character that is neither blank nor a comment's.
  Result<void> to_content() {
    while (!at_end()) {
      const bool begins = at_ == line_start_;
      while (!at_end() && here() == ' ') ++at_;
      const bool indents = begins && here() == '\t';
      skip_blanks();
      if (here() == '#' && (at_ == line_start_ || is_blank(text_[at_ - 1]))) {
        while (!at_end() && !is_break(here())) ++at_;
      }
      if (at_end()) break;
      if (!is_break(here())) return indents ? Result<void>(fail("a tab indents the line")) : Result<void>();
      break_line();
    }
    return {};
  }

  // Nothing more stands on this line.
  Result<void> to_next_line() {
    const std::size_t line = line_;
    if (auto ok = to_content(); !ok) return ok;
    if (!at_end() && line_ == line) return fail("more stands on the line than is expected");
    if (!at_end() && column() == 0 && rest().starts_with("...") && ends_word(3)) {
      at_ += 3;
      return to_next_line();
    }
    return {};
  }

  Result<void> take_colon() {
    if (here() != ':' || !ends_word(1)) return fail("a colon is expected");
    ++at_;
    skip_blanks();
    return {};
  }

  // One position: its key, a colon, its value.
  Result<void> entry(std::size_t indent) {
    ForeignEntry& one = entries_.emplace_back();
    one.line = line_;
    if (here() == '?' && ends_word(1)) {
      ++at_;
      if (auto ok = to_content(); !ok) return ok;
      if (column() <= indent) return fail("a path is expected");
      if (auto ok = complex_key(indent, one.path); !ok) return ok;
      if (at_end() || column() != indent || here() != ':') return fail("the colon in front of the position is expected");
    } else {
      auto key = scalar(indent, Where::key);
      if (!key) return std::move(key).error();
      one.path = *std::move(key);
    }
    if (auto ok = take_colon(); !ok) return ok;
    auto value = scalar(indent, Where::value);
    if (!value) return std::move(value).error();
    one.value = *std::move(value);
    return to_next_line();
  }

  // A path, or a mapping with one.
  Result<void> complex_key(std::size_t indent, std::string& path) {
    const std::size_t inner = column();
    auto first = scalar(indent, Where::either);
    if (!first) return std::move(first).error();
    if (here() != ':' || !ends_word(1)) {
      path = *std::move(first);
      return to_next_line();
    }
    bool has_path = false;
    for (std::string name = *std::move(first);;) {
      if (auto ok = take_colon(); !ok) return ok;
      auto value = scalar(inner, Where::value);
      if (!value) return std::move(value).error();
      if (name == "path") {
        path = *std::move(value);
        has_path = true;
      } else if (name != "labels") {
        return fail("`path` or `labels` is expected");
      }
      if (auto ok = to_next_line(); !ok) return ok;
      if (at_end() || column() != inner) break;
      auto next_name = scalar(inner, Where::key);
      if (!next_name) return std::move(next_name).error();
      name = *std::move(next_name);
    }
    return has_path ? Result<void>() : Result<void>(fail("the entry has no `path`"));
  }

  // `parent`: lines that go on with the scalar stand further to the right.
  Result<std::string> scalar(std::size_t parent, Where where) {
    column_of_last_ = column();
    switch (here()) {
      case '"':
        return double_quoted();
      case '\'':
        return single_quoted();
      case '|':
        return where == Where::key ? Result<std::string>(fail("a key is expected")) : literal(parent);
      default:
        return plain(parent, where);
    }
  }

  Result<std::string> plain(std::size_t parent, Where where) {
    constexpr std::string_view kNever = ",[]{}#&*!>%@`";
    if (at_end() || is_break(here())) return std::string();
    const bool indicator = (here() == '-' || here() == '?' || here() == ':') && ends_word(1);
    if (indicator || kNever.find(here()) != std::string_view::npos)
      return fail("`{}` begins a form of YAML that no positions file has", here());
    std::string text;
    while (true) {
      const std::size_t begin = at_;
      while (!is_break(here())) {
        if (at_end() || (here() == ':' && ends_word(1)) || (here() == '#' && is_blank(text_[at_ - 1]))) break;
        ++at_;
      }
      std::size_t end = at_;
      while (end > begin && is_blank(text_[end - 1])) --end;
      text.append(text_.substr(begin, end - begin));
      if (here() == ':' && ends_word(1) && !at_end() && where == Where::value) return fail("a colon stands in the value");
      if (where == Where::key || here() == ':' || here() == '#') return text;
      // Perhaps it goes on.
      const Mark mark = {at_, line_, line_start_};
      const std::size_t breaks = skip_breaks();
      if (at_end() || column() <= parent || here() == '#') {
        at_ = mark.at;
        line_ = mark.line;
        line_start_ = mark.line_start;
        return text;
      }
      where = Where::value;  // a key ends on its first line
      text.append(breaks == 1 ? std::string(" ") : std::string(breaks - 1, '\n'));
    }
  }

  // To the next line that is not empty, behind its indentation; how many lines that was.
  std::size_t skip_breaks() {
    std::size_t breaks = 0;
    while (true) {
      skip_blanks();
      if (at_end() || !is_break(here())) return breaks;
      break_line();
      ++breaks;
    }
  }

  // At a break within quotes.
  void fold(std::string& text, std::size_t keep) {
    while (text.size() > keep && is_blank(text.back())) text.pop_back();
    const std::size_t breaks = skip_breaks();
    text.append(breaks == 1 ? std::string(" ") : std::string(breaks - 1, '\n'));
  }

  Result<std::string> single_quoted() {
    std::string text;
    for (++at_; !at_end();) {
      const char c = here();
      if (is_break(c)) {
        fold(text, 0);
      } else if (c != '\'') {
        text += c;
        ++at_;
      } else if (next() == '\'' && at_ + 1 < text_.size()) {
        text += c;
        at_ += 2;
      } else {
        ++at_;
        skip_blanks();
        return text;
      }
    }
    return fail("the quote is not closed");
  }

  Result<std::string> double_quoted() {
    std::string text;
    std::size_t escaped = 0;  // up to here blanks stay, in front of a break too
    for (++at_; !at_end();) {
      const char c = here();
      if (c == '"') {
        ++at_;
        skip_blanks();
        return text;
      }
      if (is_break(c)) {
        fold(text, escaped);
        continue;
      }
      ++at_;
      if (c != '\\') {
        text += c;
        continue;
      }
      if (at_end()) break;
      if (is_break(here())) {
        break_line();
        skip_blanks();
        continue;
      }
      if (auto ok = escape(text); !ok) return std::move(ok).error();
      escaped = text.size();
    }
    return fail("the quote is not closed");
  }

  Result<void> escape(std::string& text) {
    constexpr std::string_view kNames = "0abtnvfre \"/\\\t";
    constexpr std::string_view kBytes("\0\a\b\t\n\v\f\r\x1b \"/\\\t", 14);
    const char name = text_[at_++];
    if (const std::size_t known = kNames.find(name); known != std::string_view::npos) {
      text += kBytes[known];
      return {};
    }
    std::size_t digits = 0;
    switch (name) {
      case 'N':
        return base::append_utf8(text, U'\u0085'), Result<void>();
      case '_':
        return base::append_utf8(text, U'\u00a0'), Result<void>();
      case 'L':
        return base::append_utf8(text, U'\u2028'), Result<void>();
      case 'P':
        return base::append_utf8(text, U'\u2029'), Result<void>();
      case 'x':
        digits = 2;
        break;
      case 'u':
        digits = 4;
        break;
      case 'U':
        digits = 8;
        break;
      default:
        return fail("the escape is unknown");
    }
    std::uint32_t character = 0;
    const std::string_view number = text_.substr(at_, digits);
    const auto read = std::from_chars(number.data(), number.data() + number.size(), character, 16);
    if (number.size() < digits || read.ec != std::errc() || read.ptr != number.data() + digits)
      return fail("the escape is cut short");
    base::append_utf8(text, static_cast<char32_t>(character));
    at_ += digits;
    return {};
  }

  // `|`, `|-` or `|+`, and lines as they are.
  Result<std::string> literal(std::size_t parent) {
    ++at_;
    char chomp = ' ';
    if (here() == '-' || here() == '+') chomp = text_[at_++];
    skip_blanks();
    if (at_end() || !is_break(here())) return fail("a form of YAML that no positions file has");
    break_line();
    std::string text;
    std::size_t indent = 0, pending = 0;
    while (!at_end()) {
      const Mark mark = {at_, line_, line_start_};
      while (here() == ' ' && !at_end() && (indent == 0 || column() < indent)) ++at_;
      if (at_end()) break;
      if (is_break(here())) {
        ++pending;
        break_line();
        continue;
      }
      if (column() <= parent || column() < indent) {
        at_ = mark.at;
        line_ = mark.line;
        line_start_ = mark.line_start;
        break;
      }
      if (indent == 0) indent = column();
      text.append(pending, '\n');
      const std::size_t begin = at_;
      while (!at_end() && !is_break(here())) ++at_;
      text.append(text_.substr(begin, at_ - begin));
      pending = 0;
      if (at_end()) break;
      pending = 1;
      break_line();
    }
    if (chomp == '+') text.append(pending, '\n');
    if (chomp == ' ' && pending > 0 && !text.empty()) text += '\n';
    // What follows stands on a line of its own, whose end to_next_line() looks for.
    if (at_ > 0 && at_ == line_start_) {
      --at_;
      --line_;
      line_start_ = at_;
    }
    return text;
  }

  struct Mark {
    std::size_t at = 0, line = 0, line_start = 0;
  };

  std::string_view text_;
  std::string_view name_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t line_start_ = 0;
  std::size_t column_of_last_ = 0;  // of the scalar that was read last
  std::vector<ForeignEntry> entries_;
};

// Where links lead, or the path itself where they lead nowhere.
std::string without_links(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real != nullptr ? std::string(real.get()) : base::absolute_path(path);
}

}  // namespace

Result<std::vector<ForeignEntry>> parse_foreign_positions(std::string_view text, std::string_view name) {
  return Yaml(text, name).positions();
}

Result<void> ForeignPositions::add(std::string_view text, std::string_view name, base::Timestamp written) {
  auto entries = parse_foreign_positions(text, name);
  if (!entries) return std::move(entries).error();
  for (ForeignEntry& entry : *entries) {
    if (auto ok = put(std::move(entry.path), entry.value, written); !ok) {
      return std::move(ok).error().within(
          fmt::format("cannot read the positions in {}: line {}", base::escape_control(name), entry.line));
    }
  }
  return {};
}

Result<void> ForeignPositions::put(std::string path, std::string_view value, base::Timestamp written) {
  // Promtail and Alloy know by these beginnings that an entry is no file. Of what they keep so (a container of docker, a zone of
  // Cloudflare), only journals have cursors of this form.
  for (const std::string_view prefix : {"cursor-", "journal-"}) {
    if (!path.starts_with(prefix)) continue;
    if (value.starts_with("s=")) cursors_.insert_or_assign(path.substr(prefix.size()), value);
    return {};
  }
  std::int64_t offset = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), offset);
  if (read.ec != std::errc() || read.ptr != value.data() + value.size() || offset < 0)
    return base::fail(Code::config, "`{}` is no number of bytes", base::escape_control(value));
  const auto ends = [&](std::string_view suffix) { return path.ends_with(suffix); };
  // A pattern has a position where somebody wrote the file by hand.
  const bool pattern = path.find_first_of("*?[") != std::string::npos && !base::may_access(path, F_OK);
  if (!path.starts_with('/') || pattern) {
    if (nameless_.entries++ == 0) nameless_.first = std::move(path);
    return {};
  }
  if (std::ranges::any_of(kCompressed, ends)) return {};
  const ForeignPosition position = {static_cast<std::uint64_t>(offset), written};
  const auto [known, added] = logs_.try_emplace(without_links(path), position);
  if (added) return {};
  doubled_.insert(known->first);
  if (position.offset < known->second.offset) known->second = position;
  return {};
}

std::string ForeignPositions::journal_cursor() const {
  const auto time_of = [](std::string_view cursor) {
    std::uint64_t time = 0;
    const std::size_t at = cursor.find(";t=");
    if (at != std::string_view::npos) std::from_chars(cursor.data() + at + 3, cursor.data() + cursor.size(), time, 16);
    return time;
  };
  std::string_view least;
  for (const auto& [job, cursor] : cursors_) {
    if (least.empty() || time_of(cursor) < time_of(least)) least = cursor;
  }
  return std::string(least);
}

Result<bool> ForeignPositions::add_file(const std::string& path) {
  const std::string what = fmt::format("read the positions in {}", base::escape_control(path));
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return false;
  if (!fd) return base::io_error(errno, what);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return base::io_error(errno, what);
  if (!S_ISREG(status.st_mode)) {
    return base::cannot(Code::config, what, "it is not a file")
        .with_hint("Alloy keeps one in the folder of each component: data/loki.source.file.NAME/positions.yml");
  }
  std::string text;
  std::array<char, 64 << 10> buffer;
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::io_error(errno, what);
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kMostBytes) return base::cannot(Code::config, what, "it is larger than 64 MiB");
  }
  const base::Timestamp written = status.st_mtim.tv_sec * base::kSecond + status.st_mtim.tv_nsec;
  if (auto added = add(text, path, written); !added) return std::move(added).error();
  return true;
}

std::optional<ForeignPosition> ForeignPositions::take(const std::string& key) {
  if (logs_.empty()) return std::nullopt;
  auto found = logs_.find(without_links(key));
  if (found == logs_.end()) found = logs_.find(key);
  if (found == logs_.end()) return std::nullopt;
  const ForeignPosition position = found->second;
  logs_.erase(found);
  return position;
}

}  // namespace weir::tail
