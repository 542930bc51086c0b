// Result<T>: a value or an Error. Every function of lib/ that can fail returns one; nothing in lib/ throws, prints or exits.
//
// Branch on Error::code, Error::system and Error::offset, never on a text. The message reads "cannot <verb> <object>: <cause>",
// without a trailing full stop and without the name of the program; `hint` says what the user can do next and is printed on a line
// of its own.
#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace weir::base {

enum class Code : std::uint8_t {
  usage,        // a wrong flag or argument                                       exit 2
  config,       // a wrong file, rule, query or pipeline text                      exit 2
  parse,        // outside bytes that do not have the expected form                exit 2 or counted, by context
  io,           // the operating system refused                                    exit 4
  network,      // a remote did not answer, or answered with trouble of its own    exit 4
  unreachable,  // there was no connection to a remote, or it was closed at once   exit 4
  rejected,     // a remote refused records                                        exit 3
  busy,         // somebody else holds it                                          exit 4
  full,         // no room                                                         exit 4
  forbidden,    // a rule of our own does not allow it                             exit 4
  corrupt,      // a file of ours that does not check out                          exit 4
  version,      // a file of ours written by another release                       exit 4
  interrupted,  // stopped by a signal or a deadline                               exit 130, 143 or 4
  bug,          // a broken invariant of ours                                      exit 4
};

struct Error {
  Code code = Code::bug;
  std::string message;
  std::string hint;
  int system = 0;                // errno of the system call that failed; 0: none did, or nobody branches on it
  std::uint32_t cause_size = 0;  // bytes of the cause at the end of `message`; 0: unknown
  // Of a text that somebody wrote and that cannot be parsed: the whole text, which is empty for all other errors, and the byte
  // where the error is. No offset: no such place.
  std::string text = {};
  std::optional<std::size_t> offset = {};

  // What stands behind "cannot <verb> <object>: ", for a message that repeats it; the whole message where that is unknown.
  [[nodiscard]] std::string_view cause() const {
    const std::string_view whole = message;
    return cause_size == 0 || cause_size > whole.size() ? whole : whole.substr(whole.size() - cause_size);
  }

  // The same error seen from further out: "cannot start: cannot open …".
  [[nodiscard]] Error within(std::string_view outer) && {
    message.insert(0, ": ").insert(0, outer);
    return std::move(*this);
  }
  [[nodiscard]] Error with_hint(std::string advice) && {
    hint = std::move(advice);
    return std::move(*this);
  }
};

[[nodiscard]] Error fail_with(Code code, fmt::string_view text, fmt::format_args args);

template <typename... Args>
[[nodiscard]] Error fail(Code code, fmt::format_string<Args...> text, Args&&... args) {
  return fail_with(code, text, fmt::make_format_args(args...));
}

// "cannot <what>: <cause>", with Error::cause().
[[nodiscard]] Error cannot(Code code, std::string_view what, std::string_view cause);
// The same with the system's word for `error_number`, which is kept, and Code::io (Code::full for ENOSPC, EDQUOT, EFBIG).
[[nodiscard]] Error io_error(int error_number, std::string_view what);

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : value_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return std::get<0>(value_); }
  const T& value() const& { return std::get<0>(value_); }
  T&& value() && { return std::get<0>(std::move(value_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  Error& error() & { return std::get<1>(value_); }
  const Error& error() const& { return std::get<1>(value_); }
  Error&& error() && { return std::get<1>(std::move(value_)); }

 private:
  std::variant<T, Error> value_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }

  Error& error() & { return *error_; }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace weir::base
