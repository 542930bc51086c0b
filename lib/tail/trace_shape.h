// Which lines of a program's output belong together: stack traces as the runtimes of five languages print them.
//
// Each language is a small state machine over whole lines. The first byte of a line decides for nearly every ordinary line that it
// belongs to nothing, and nothing else of it is looked at.
//
// Sources of the forms: java.lang.Throwable#printStackTrace and logback's and log4j's %ex; Python's traceback module (PEP 654 for
// exception groups) and what SQLAlchemy adds behind its messages; Go's runtime/panic.go and runtime/traceback.go; Ruby's error.c
// and Rails; .NET's Exception.ToString and its console logger. Fluent Bit's multi-line parsers and Google's
// fluent-plugin-detect-exceptions recognise much the same lines; unlike them, these machines take the log line with which an
// exception was logged as its head.
//
// A line that logs an exception is an ordinary line until the next one comes. So any line may turn out to be a head; but only one
// that may_head() is one. Whoever has an ordinary line and sees no next one asks may_head(), and passes the line on when it may
// not. So the outcome does not depend on when the next line is seen.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::tail {

enum class Shape : std::uint8_t { none, regex, java, python, go, ruby, dotnet };

// Where the machine of a group is. Its meaning is that of the language; 0: its only line so far is an ordinary one.
using TraceState = std::uint8_t;
inline constexpr TraceState kOrdinary = 0;

struct TraceStep {
  enum class Action : std::uint8_t {
    begin,  // the line does not belong to the group
    join,   // it does, and so do those before it that might
    might,  // it does if a later one joins and those between might, too
  };
  Action action = Action::begin;
  TraceState state = kOrdinary;  // of the group with the line; begin: of the one that begins with it
  bool asks_head = false;        // only if the group's first line may_head(); otherwise: begin
};

// A group begins with `line`.
[[nodiscard]] TraceState trace_start(Shape shape, std::string_view line);
// `line` comes behind a group.
[[nodiscard]] TraceStep trace_step(Shape shape, TraceState state, std::string_view line);
// Whether an ordinary line may be what an exception was logged with: it speaks of an error.
[[nodiscard]] bool may_head(std::string_view line);

}  // namespace weir::tail
