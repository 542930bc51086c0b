#include "logql/json_paths.h"

#include "base/byte_search.h"
#include "base/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace weir::logql {
namespace {

using gotext::JsonCursor;
using gotext::JsonValue;

constexpr std::size_t kNowhere = std::string_view::npos;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::size_t skip_space(std::string_view text, std::size_t i) {
  while (i < text.size() && is_space(text[i])) ++i;
  return i;
}

// Behind the closing quote of the string whose inside begins at `i`.
std::size_t string_end(std::string_view text, std::size_t i, bool& escaped) {
  while (true) {
    i = base::find_quote_or_backslash(text, i);
    if (i >= text.size()) return kNowhere;
    if (text[i] == '"') return i + 1;
    escaped = true;
    i += 2;
  }
}

// Behind the bracket that closes the one at `i`.
std::size_t block_end(std::string_view text, std::size_t i, char open, char close) {
  int depth = 0;
  for (; i < text.size(); ++i) {
    if (text[i] == '"') {
      bool escaped = false;
      const std::size_t end = string_end(text, i + 1, escaped);
      if (end == kNowhere) return kNowhere;
      i = end - 1;
    } else if (text[i] == open) {
      ++depth;
    } else if (text[i] == close && --depth == 0) {
      return i + 1;
    }
  }
  return kNowhere;
}

bool is_index(std::string_view step) { return step.size() > 2 && step.front() == '['; }

std::size_t index_of(std::string_view step) {
  std::size_t index = 0;
  std::from_chars(step.data() + 1, step.data() + step.size() - 1, index);
  return index;
}

// Calls element(index, value, place) for each element of the array that begins with `text`, and gives where it ends: at its `]`, or
// where it is broken.
template <typename Element>
std::size_t each_element(std::string_view text, Element element) {
  std::size_t at = 1;
  const std::size_t first = skip_space(text, at);
  if (first >= text.size()) return at;
  at = first;
  if (text[at] == ']') return at;
  for (std::size_t index = 0;; ++index) {
    JsonCursor cursor(text.substr(at));
    JsonValue value;
    if (!cursor.value(value)) return at;
    element(index, value, skip_space(text, at));
    at += cursor.position();
    const std::size_t next = skip_space(text, at);
    if (next >= text.size()) return at;
    at = next;
    if (text[at] != ',') return at;
    ++at;
  }
}

// Where the value lies in `text` to which `steps` lead.
std::size_t find_value(std::string_view text, std::span<const std::string> steps, gotext::Scratch& scratch) {
  if (steps.empty()) return 0;
  const auto count = static_cast<std::ptrdiff_t>(steps.size());
  std::ptrdiff_t level = 0, matched = 0;
  bool follows = true;  // the latest key was one of the path
  for (std::size_t i = 0; i < text.size(); ++i) {
    switch (text[i]) {
      case '"': {
        bool escaped = false;
        const std::size_t begin = i + 1;
        const std::size_t end = string_end(text, begin, escaped);
        if (end == kNowhere) return kNowhere;
        const std::size_t next = skip_space(text, end);
        if (next >= text.size()) return kNowhere;
        i = next;
        if (text[i] != ':') {
          --i;
          break;
        }
        if (level < 1) return kNowhere;
        const auto key = gotext::json_unescape(text.substr(begin, end - 1 - begin), escaped, scratch);
        if (!key || level > count) return kNowhere;
        follows = *key == steps[static_cast<std::size_t>(level - 1)];
        if (follows && matched == level - 1 && ++matched == count) return i + 1;
        break;
      }
      case '{':
        if (follows) {
          ++level;
        } else {
          const std::size_t end = block_end(text, i, '{', '}');
          if (end == kNowhere) return kNowhere;
          i = end - 1;
        }
        break;
      case '}':
        if (--level == matched) --matched;
        break;
      case '[': {
        if (level >= 0 && matched == level && steps[static_cast<std::size_t>(level)].front() == '[') {
          const auto step = static_cast<std::size_t>(level);
          if (!is_index(steps[step])) return kNowhere;
          std::size_t place = kNowhere;
          std::string_view found;
          each_element(text.substr(i), [&](std::size_t index, const JsonValue& value, std::size_t at) {
            if (index != index_of(steps[step])) return;
            place = i + at;
            const std::size_t quotes = value.type == JsonValue::Type::string ? 2 : 0;
            found = text.substr(place, value.text.size() + quotes);
          });
          if (place == kNowhere) return kNowhere;
          const std::size_t within = find_value(found, steps.subspan(step + 1), scratch);
          return within == kNowhere ? kNowhere : place + within;
        }
        const std::size_t end = block_end(text, i, '[', ']');
        if (end == kNowhere) return kNowhere;
        i = end - 1;
        break;
      }
      case ':':
        return kNowhere;
      default:
        break;
    }
  }
  return kNowhere;
}

// The words of a path. What Loki's lexer does not know ends the path, which the parser may complain of first.
struct PathLexer {
  explicit PathLexer(std::string_view path) : text(path) {}

  std::string_view text;
  std::size_t at = 0;
  std::string_view name;  // as Loki's errors call it
  std::string value;
  std::string error;

  void next() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n')) ++at;
    name = "$end";
    if (at >= text.size() || text[at] == '\0' || !error.empty()) return;
    const char c = text[at];
    if (is_digit(c)) return index();
    if (is_letter_byte(c)) {
      const std::size_t begin = at;
      while (at < text.size() && (is_letter_byte(text[at]) || is_digit(text[at]))) ++at;
      value = text.substr(begin, at - begin);
      name = "FIELD";
      return;
    }
    if (c == '"') {  // up to a quote or a bracket
      const std::size_t end = std::min(text.find_first_of(std::string_view("\"]\0", 3), at + 1), text.size());
      value = text.substr(at + 1, end - at - 1);
      at = std::min(end + 1, text.size());
      name = "STRING";
      return;
    }
    constexpr std::array<std::pair<char, std::string_view>, 3> kMarks = {{{'[', "LSB"}, {']', "RSB"}, {'.', "DOT"}}};
    for (const auto& [mark, called] : kMarks) {
      if (mark == c) name = called;
    }
    if (name == "$end") {
      error = fmt::format("unexpected char {}", text.substr(at, std::max<std::size_t>(base::utf8_length(text.substr(at)), 1)));
    } else {
      ++at;
    }
  }

 private:
  void index() {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    const bool ends = at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == ']');
    if (!ends || at - begin > 18) {
      error = "non-integer value";
      return;
    }
    value = std::to_string(std::stoull(std::string(text.substr(begin, at - begin))));
    name = "INDEX";
  }
};

}  // namespace

base::Result<JsonPaths::Path> JsonPaths::parse(std::string_view text) {
  // field { "." field | "[" ( string | index ) "]" }, where the first step may be in brackets, too.
  Path path;
  PathLexer lexer(text);
  auto refuse = [&](std::string_view why) { return base::fail(base::Code::parse, "cannot parse expression [{}]: {}", text, why); };
  auto unexpected = [&](std::string_view expecting) {
    return refuse(fmt::format("syntax error: unexpected {}{}{}", lexer.name, expecting.empty() ? "" : ", expecting ", expecting));
  };
  while (true) {
    lexer.next();
    const bool first = path.empty();
    if (lexer.name == "LSB") {
      lexer.next();
      if (lexer.name != "STRING" && lexer.name != "INDEX") return unexpected("STRING or INDEX");
      path.push_back(lexer.name == "INDEX" ? "[" + lexer.value + "]" : lexer.value);
      lexer.next();
      if (lexer.name != "RSB") return unexpected("RSB");
    } else if (lexer.name == "DOT" && !first) {
      lexer.next();
      if (lexer.name != "FIELD") return unexpected("FIELD");
      path.push_back(lexer.value);
    } else if (lexer.name == "FIELD" && first) {
      path.push_back(lexer.value);
    } else if (lexer.name == "$end" && !first) {
      if (!lexer.error.empty()) return refuse(lexer.error);
      return path;
    } else {
      return unexpected(first ? "LSB or FIELD" : "");
    }
  }
}

base::Result<JsonPaths> JsonPaths::compile(const std::vector<Extraction>& extractions) {
  JsonPaths paths;
  for (const Extraction& extraction : extractions) {
    auto path = parse(extraction.expression);
    if (!path) return std::move(path).error();
    paths.longest_ = std::max(paths.longest_, path->size());
    paths.paths_.push_back(std::move(*path));
  }
  return paths;
}

// One pass over one line.
struct JsonPaths::Search {
  const JsonPaths& in;
  std::string_view line;
  gotext::Scratch& scratch;
  Sink& sink;
  std::ptrdiff_t level = 0;
  std::size_t found = 0;

  [[nodiscard]] bool all() const { return found == in.paths_.size(); }

  void run() {
    for (std::size_t i = 0; i < line.size(); ++i) {
      switch (line[i]) {
        case '"':
          if (!text(i)) return;
          break;
        case '{':
          ++level;
          break;
        case '}':
        case ']':
          --level;
          break;
        case '[':
          if (!array(i)) return;
          break;
        default:
          break;
      }
    }
  }

  // A key or another string that begins at `i`, which moves to its colon or its end. False: the search is over.
  bool text(std::size_t& i) {
    bool escaped = false;
    const std::size_t begin = i + 1;
    const std::size_t end = string_end(line, begin, escaped);
    if (end == kNowhere) return false;
    const std::size_t next = skip_space(line, end);
    if (next >= line.size()) return false;
    if (line[next] != ':') {
      i = next - 1;
      return true;
    }
    i = next;
    const auto key = gotext::json_unescape(line.substr(begin, end - 1 - begin), escaped, scratch);
    if (!key) return false;
    const auto longest = static_cast<std::ptrdiff_t>(in.longest_);
    if (level <= longest) {
      if (level < 1) {
        sink.broken(gotext::kJsonMalformed);
        return false;
      }
      in.names_[static_cast<std::size_t>(level - 1)] = *key;
      if (this->key(i + 1)) return !all();
    }
    // A key at the end of the line: its last quote begins a string that does not end.
    return skip_space(line, i + 1) < line.size();
  }

  // Whether the key at hand ends a path; its value begins at `value_at`.
  bool key(std::size_t value_at) {
    bool matched = false;
    for (std::size_t p = 0; p < in.paths_.size(); ++p) {
      if (in.paths_[p].size() != static_cast<std::size_t>(level) || in.done_[p] || !leads_here(in.paths_[p])) continue;
      matched = true;
      in.done_[p] = true;
      ++found;
      value(p, line.substr(value_at));
      if (all()) break;
    }
    return matched;
  }

  // Whether the path and the names that lead here are the same as far as both go.
  [[nodiscard]] bool leads_here(const Path& path) const {
    const std::size_t common = std::min(path.size(), static_cast<std::size_t>(level));
    return std::equal(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(common), in.names_.begin());
  }

  void value(std::size_t path, std::string_view text) {
    JsonCursor cursor(text);
    JsonValue value;
    if (cursor.value(value)) {
      sink.found(path, value);
    } else {
      sink.broken(cursor.error());
    }
  }

  // An array that begins at `i`, which moves to its end. False: the search is over.
  bool array(std::size_t& i) {
    if (level < 0) {
      sink.broken(gotext::kJsonMalformed);
      return false;
    }
    const auto depth = static_cast<std::size_t>(level);
    bool any = false;
    for (std::size_t p = 0; p < in.paths_.size(); ++p) {
      const Path& path = in.paths_[p];
      in.in_array_[p] = path.size() > depth && !in.done_[p] && is_index(path[depth]) && leads_here(path);
      any = any || in.in_array_[p];
    }
    if (!any) {
      const std::size_t end = block_end(line, i, '[', ']');
      if (end == kNowhere) return false;
      i = end - 1;
      return true;
    }
    ++level;
    const std::size_t end = each_element(line.substr(i), [&](std::size_t index, const JsonValue& value, std::size_t) {
      for (std::size_t p = 0; p < in.paths_.size(); ++p) {
        if (in.in_array_[p] && index_of(in.paths_[p][depth]) == index) element(p, depth, value);
      }
    });
    if (all()) return false;
    i += end - 1;
    return true;
  }

  void element(std::size_t path, std::size_t depth, const JsonValue& value) {
    ++found;
    in.done_[path] = true;
    const std::size_t at = find_value(value.text, std::span(in.paths_[path]).subspan(depth + 1), scratch);
    if (at == kNowhere) return;
    if (value.type != JsonValue::Type::string) return this->value(path, value.text.substr(at));
    JsonValue part = value;
    part.text = value.text.substr(at);
    sink.found(path, part);
  }
};

void JsonPaths::search(std::string_view line, gotext::Scratch& scratch, Sink& sink) const {
  done_.assign(paths_.size(), false);
  in_array_.assign(paths_.size(), false);
  names_.assign(longest_, {});
  Search{*this, line, scratch, sink}.run();
}

}  // namespace weir::logql
