#include "tail/trace_shape.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace weir::tail {
namespace {

using Action = TraceStep::Action;

// What a line is, within its language.
enum class Kind : std::uint8_t {
  other,     // no part of a trace
  blank,     // nothing, or blanks alone
  indented,  // begins with a blank
  frame,     // of a stack
  header,    // names an exception, or says that a trace follows
  link,      // between an exception and its cause
  detail,    // what follows a message
};

constexpr TraceStep begin(TraceState state) { return {Action::begin, state, false}; }
constexpr TraceStep join(TraceState state, bool asks_head = false) { return {Action::join, state, asks_head}; }
constexpr TraceStep might(TraceState state, bool asks_head = false) { return {Action::might, state, asks_head}; }

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }

std::string_view without_blanks(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && is_blank(line[at])) ++at;
  return line.substr(at);
}

std::string_view without_end(std::string_view line) {
  while (!line.empty() && is_blank(line.back())) line.remove_suffix(1);
  return line;
}

// `text` is a name with dots, or `plain_too` without, that ends in an exception's usual ending, and then a colon or nothing.
bool names_exception(std::string_view text, bool plain_too) {
  std::size_t at = 0, last = 0;
  bool dotted = plain_too;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (is_letter(c) || is_digit(c) || c == '+' || c == '`' || (c == '/' && at > 0)) continue;  // module/a.b.C; Outer+Inner`1
    if (c != '.' || at == 0) break;
    dotted = true;
    last = at + 1;
  }
  if (!dotted || at == last || (at < text.size() && text[at] != ':' && text[at] != '\r')) return false;
  const std::string_view name = text.substr(last, at - last);
  constexpr std::array<std::string_view, 4> kEndings = {"Exception", "Error", "Throwable", "Failure"};
  const auto ends_name = [&](std::string_view ending) {
    // Exception`1 of a generic type, too
    return name.substr(0, name.find('`')).ends_with(ending);
  };
  return std::ranges::any_of(kEndings, ends_name);
}

// -- Java --

namespace java {

enum : TraceState { kHeader = 1, kTrace };

Kind kind_of(std::string_view line) {
  if (line.empty()) return Kind::blank;
  const bool indented = is_blank(line[0]);
  const std::string_view text = indented ? without_blanks(line) : line;
  if (text.empty()) return Kind::blank;
  switch (text[0]) {
    case 'a':
      if (indented && text.starts_with("at ")) return Kind::frame;
      break;
    case '.':
      if (text.size() > 4 && text.starts_with("... ") && is_digit(text[4])) return Kind::frame;  // 12 more; common frames omitted
      break;
    case 'C':
      if (text.starts_with("Caused by: ")) return Kind::link;
      break;
    case 'S':
      if (text.starts_with("Suppressed: ")) return Kind::link;
      break;
    case 'W':
      if (text.starts_with("Wrapped by: ")) return Kind::link;  // logback, the root cause first
      break;
    case '[':
      if (indented && text.starts_with("[CIRCULAR REFERENCE")) return Kind::frame;
      break;
    case 'n':
      if (text.starts_with("nested exception is:")) return Kind::link;
      break;
    default:
      break;
  }
  if (indented) return Kind::indented;
  return is_letter(line[0]) && names_exception(line, false) ? Kind::header : Kind::other;
}

TraceState start(Kind kind) {
  if (kind == Kind::header || kind == Kind::link) return kHeader;
  return kind == Kind::frame ? TraceState{kTrace} : kOrdinary;
}

TraceStep step(TraceState state, Kind kind) {
  const bool ordinary = state == kOrdinary;
  switch (kind) {
    case Kind::frame:
      return join(kTrace, ordinary);
    case Kind::link:
      return join(kHeader, ordinary);
    case Kind::header:
      return ordinary ? join(kHeader, true) : begin(kHeader);
    case Kind::indented:  // a message of several lines
    case Kind::blank:
      return state == kTrace ? begin(kOrdinary) : might(state, ordinary);
    default:
      return begin(kOrdinary);
  }
}

}  // namespace java

// -- Python --

namespace python {

enum : TraceState { kTrace = 1, kGroup, kMessage, kLink };

constexpr std::string_view kTraceback = "Traceback (most recent call last):";

bool is_message(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && (is_letter(line[at]) || is_digit(line[at]) || line[at] == '.')) ++at;
  return at > 0 && is_letter(line[0]) && (at == line.size() || line[at] == ':' || line[at] == '\r');
}

TraceState start(std::string_view line) {
  if (line.empty()) return kOrdinary;
  if (line[0] == 'T' && line.starts_with(kTraceback)) return kTrace;
  if (line[0] == 'D' && line.starts_with("During handling of the above exception")) return kLink;
  if (line[0] == 'T' && line.starts_with("The above exception was the direct cause")) return kLink;
  if (line[0] != ' ') return kOrdinary;
  if (line.starts_with("  + Exception Group Traceback")) return kGroup;
  return line.starts_with("  File \"") ? TraceState{kTrace} : kOrdinary;
}

TraceStep step(TraceState state, std::string_view line) {
  const std::string_view text = without_blanks(line);
  if (text.empty()) return state == kOrdinary || state == kGroup ? begin(start(line)) : might(state);
  const bool indented = text.size() < line.size();
  const TraceState begins = indented && state != kOrdinary ? kOrdinary : start(line);
  switch (state) {
    case kOrdinary:
      // "  File" without a header is the rest of one.
      return begins == kGroup || (begins == kTrace && !indented) ? join(begins, true) : begin(start(line));
    case kTrace:
      if (indented) return join(start(line) == kGroup ? TraceState{kGroup} : TraceState{kTrace});
      return begins == kOrdinary && is_message(line) ? join(kMessage) : begin(start(line));
    case kGroup:
      return indented ? join(kGroup) : begin(start(line));
    case kMessage:
      if (begins == kLink) return join(kLink);
      if (indented) return join(kMessage);
      // What SQLAlchemy and database drivers add to a message.
      return line.starts_with("DETAIL: ") || line.starts_with("HINT: ") || line.starts_with("LINE ") ||
                     line.starts_with("[SQL: ") || line.starts_with("[parameters: ") ||
                     line.starts_with("(Background on this error at: ")
                 ? join(kMessage)
                 : begin(start(line));
    case kLink:
      if (indented) return start(line) == kGroup ? join(kGroup) : begin(start(line));
      return begins == kTrace ? join(kTrace) : begin(start(line));
    default:
      return begin(start(line));
  }
}

}  // namespace python

// -- Go --

namespace go {

enum : TraceState { kPanic = 1, kGoroutine, kFunction, kFrame, kRegisters };

bool is_goroutine(std::string_view line) {
  if (line.starts_with("runtime stack:")) return true;
  constexpr std::string_view kWord = "goroutine ";
  return line.starts_with(kWord) && line.size() > kWord.size() && is_digit(line[kWord.size()]) && without_end(line).ends_with("]:");
}

// main.(*T).run(0xc000010000, {0x1, 0x2}) and `created by main.main in goroutine 1`.
bool is_function(std::string_view line) {
  if (!is_letter(line[0])) return false;
  if (line.starts_with("created by ")) return true;
  line = without_end(line);
  if (!line.ends_with(')')) return false;
  const std::size_t paren = line.find('(');
  return paren != std::string_view::npos && line.substr(0, paren).find(' ') == std::string_view::npos;
}

bool is_register(std::string_view line) {
  if (line[0] != 'r' && line[0] != 'c' && line[0] != 'f' && line[0] != 'g' && line[0] != 'e') return false;
  const std::size_t blank = line.find(' ');
  return blank != std::string_view::npos && blank < 8 && without_blanks(line.substr(blank)).starts_with("0x");
}

TraceState start(std::string_view line) {
  if (line.empty()) return kOrdinary;
  switch (line[0]) {
    case 'p':
      return line.starts_with("panic: ") ? TraceState{kPanic} : kOrdinary;
    case 'f':
      return line.starts_with("fatal error: ") ? TraceState{kPanic} : kOrdinary;
    case 'S':
      return line.starts_with("SIGQUIT: quit") || line.starts_with("SIGABRT: abort") ? TraceState{kPanic} : kOrdinary;
    case 'u':
      return line.starts_with("unexpected fault address ") ? TraceState{kPanic} : kOrdinary;
    case 'r':
      if (line.starts_with("runtime: goroutine stack exceeds ")) return kPanic;
      [[fallthrough]];
    case 'g':
      return is_goroutine(line) ? TraceState{kGoroutine} : kOrdinary;
    default:
      return kOrdinary;
  }
}

TraceStep step(TraceState state, std::string_view line) {
  if (state == kOrdinary) return start(line) == kGoroutine ? join(kGoroutine, true) : begin(start(line));
  if (without_blanks(line).empty()) return state == kFunction ? begin(start(line)) : might(state);
  if (is_goroutine(line)) return join(kGoroutine);
  const bool indented = is_blank(line[0]);
  switch (state) {
    case kPanic:
      if (indented || line.starts_with("[signal ") || line.starts_with("fatal error: ") || line.starts_with("PC="))
        return join(kPanic);
      // A value of several lines is printed as it is; "[recovered]" and "goroutine" follow.
      return line.starts_with("runtime: ") || line.starts_with("panic: ") || line.starts_with("sp=") ? join(kPanic)
                                                                                                     : begin(start(line));
    case kGoroutine:
    case kFrame:
      if (indented) return join(kFrame);
      if (line.starts_with("...")) return join(kFrame);  // additional frames elided
      if (is_function(line)) return might(kFunction);
      return is_register(line) ? join(kRegisters) : begin(start(line));
    case kFunction:
      return indented ? join(kFrame) : begin(start(line));
    case kRegisters:
      return is_register(line) ? join(kRegisters) : begin(start(line));
    default:
      return begin(start(line));
  }
}

}  // namespace go

// -- Ruby --

namespace ruby {

enum : TraceState { kHeader = 1, kTrace };

// app/models/user.rb:12:in `name' and, since Ruby 3.4, 'User#name'; behind `from`, or a number in a trace that is printed
// backwards. Where the method's name begins; nothing for another line.
std::size_t method_of(std::string_view text) {
  std::size_t from = 0;
  if (is_digit(text[0])) {
    const std::size_t colon = text.find_first_not_of("0123456789");
    if (colon != std::string_view::npos && text.substr(colon).starts_with(": from ")) from = colon + 7;
  } else if (text.starts_with("from ")) {
    from = 5;
  } else {
    // Rails: tags in brackets, a gem and its version.
    while (text[from] == '[') {
      const std::size_t end = text.find("] ", from);
      if (end == std::string_view::npos || end + 2 >= text.size()) return std::string_view::npos;
      from = end + 2;
    }
    const std::size_t gem = text.find(' ', from);
    const bool has_version =
        gem != std::string_view::npos && gem + 2 < text.size() && text[gem + 1] == '(' && is_digit(text[gem + 2]);
    const std::size_t end = has_version ? text.find(") ", gem) : std::string_view::npos;
    if (end != std::string_view::npos) from = end + 2;
  }
  const std::size_t blank = text.find(' ', from);
  if (blank == std::string_view::npos || blank < from + 6 || blank + 1 >= text.size()) return std::string_view::npos;
  if (text[blank - 1] != 'n' || text[blank - 2] != 'i' || text[blank - 3] != ':' || !is_digit(text[blank - 4]))
    return std::string_view::npos;
  return text[blank + 1] == '`' || text[blank + 1] == '\'' ? blank + 1 : std::string_view::npos;
}

Kind kind_of(std::string_view line) {
  const std::string_view text = without_blanks(line);
  if (text.empty()) return Kind::blank;
  const bool indented = text.size() < line.size();
  const std::size_t method = method_of(text);
  if (method != std::string_view::npos) {
    // t.rb:1:in `run': the message (ArgumentError)
    const std::size_t end = text.find('\'', method + 1);
    return !indented && end != std::string_view::npos && text.substr(end).starts_with("': ") ? Kind::header : Kind::frame;
  }
  if (text.starts_with("... ") && text.ends_with(" levels...")) return Kind::frame;
  if (indented) return Kind::indented;
  return line[0] == 'T' && line.starts_with(python::kTraceback) ? Kind::link : Kind::other;
}

TraceState start(Kind kind) {
  if (kind == Kind::header) return kHeader;
  return kind == Kind::frame || kind == Kind::link ? TraceState{kTrace} : kOrdinary;
}

TraceStep step(TraceState state, Kind kind) {
  const bool ordinary = state == kOrdinary;
  switch (kind) {
    case Kind::frame:
      return join(kTrace, ordinary);
    case Kind::header:  // of the cause; behind a trace that is printed backwards
      return state == kTrace ? join(kHeader) : begin(kHeader);
    case Kind::blank:
    case Kind::indented:  // did_you_mean, error_highlight
      return might(state, ordinary);
    default:
      return begin(start(kind));
  }
}

}  // namespace ruby

// -- .NET --

namespace dotnet {

enum : TraceState { kHeader = 1, kTrace, kConsole };

constexpr std::string_view kConsoleIndent = "      ";

// The first line of an entry of the console logger, `fail: Shop.Orders[0]`, whose text follows indented.
bool is_console(std::string_view line) {
  if (line.size() < 8 || line[4] != ':' || line[5] != ' ' || without_end(line).back() != ']') return false;
  constexpr std::array<std::string_view, 6> kLevels = {"info", "warn", "fail", "dbug", "trce", "crit"};
  return std::ranges::find(kLevels, line.substr(0, 4)) != kLevels.end();
}

Kind kind_of(std::string_view line) {
  const std::string_view text = without_blanks(line);
  if (text.empty()) return Kind::blank;
  const bool indented = text.size() < line.size();
  switch (text[0]) {
    case 'a':
      if (indented && text.starts_with("at ")) return Kind::frame;
      break;
    case '-':
      if (text.starts_with("---> ")) return Kind::link;
      if (text.starts_with("--- End of ")) return Kind::frame;
      break;
    default:
      break;
  }
  if (indented) return Kind::indented;
  return is_letter(line[0]) && names_exception(line, false) ? Kind::header : Kind::other;
}

TraceState start(std::string_view line, Kind kind) {
  if (kind == Kind::header || kind == Kind::link) return kHeader;
  if (kind == Kind::frame) return kTrace;
  return kind == Kind::other && is_console(line) ? TraceState{kConsole} : kOrdinary;
}

TraceStep step(TraceState state, std::string_view line) {
  const Kind kind = kind_of(line);
  if (state == kConsole) return line.starts_with(kConsoleIndent) ? join(kConsole) : begin(start(line, kind));
  const bool ordinary = state == kOrdinary;
  switch (kind) {
    case Kind::frame:
      return join(kTrace, ordinary);
    case Kind::link:
      return join(kHeader, ordinary);
    case Kind::header:
      return ordinary ? join(kHeader, true) : begin(kHeader);
    case Kind::indented:
    case Kind::blank:
      return state == kTrace ? begin(kOrdinary) : might(state, ordinary);
    default:
      return begin(start(line, kind));
  }
}

}  // namespace dotnet

}  // namespace

TraceState trace_start(Shape shape, std::string_view line) {
  switch (shape) {
    case Shape::java:
      return java::start(java::kind_of(line));
    case Shape::python:
      return python::start(line);
    case Shape::go:
      return go::start(line);
    case Shape::ruby:
      return ruby::start(ruby::kind_of(line));
    case Shape::dotnet:
      return dotnet::start(line, dotnet::kind_of(line));
    case Shape::none:
    case Shape::regex:
      break;
  }
  return kOrdinary;
}

TraceStep trace_step(Shape shape, TraceState state, std::string_view line) {
  switch (shape) {
    case Shape::java:
      return java::step(state, java::kind_of(line));
    case Shape::python:
      return python::step(state, line);
    case Shape::go:
      return go::step(state, line);
    case Shape::ruby:
      return ruby::step(state, ruby::kind_of(line));
    case Shape::dotnet:
      return dotnet::step(state, line);
    case Shape::none:
    case Shape::regex:
      break;
  }
  return {};
}

bool may_head(std::string_view line) {
  // In lower case. Each begins with a letter that no other begins with, but for e and f.
  constexpr std::array<std::string_view, 12> kWords = {"error", "exception", "err]",   "err ",     "warn",  "fatal",
                                                       "ftl",   "fail",      "severe", "critical", "panic", "throwable"};
  constexpr std::size_t kLooked = 16 << 10;
  line = line.substr(0, kLooked);
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char first = lower(line[at]);
    if (first != 'e' && first != 'w' && first != 'f' && first != 's' && first != 'c' && first != 'p' && first != 't') continue;
    for (const std::string_view word : kWords) {
      if (word[0] != first || line.size() - at < word.size()) continue;
      std::size_t same = 1;
      while (same < word.size() && lower(line[at + same]) == word[same]) ++same;
      if (same == word.size()) return true;
    }
  }
  // wrn, as Serilog has it
  return line.find("WRN]") != std::string_view::npos;
}

}  // namespace weir::tail
