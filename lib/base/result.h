// Result<T>: a value or an Error. Every function of lib/ that can fail returns one; nothing in lib/ throws, prints or exits.
//
// Branch on Error::code, never on its text. The text reads "cannot <verb> <object>: <cause>", without a trailing full stop
// and without the name of the program; `hint` says what the user can do next and is printed on a line of its own.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
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
  corrupt,      // a file of ours that does not check out                          exit 4
  version,      // a file of ours written by another release                       exit 4
  interrupted,  // stopped by a signal or a deadline                               exit 130, 143 or 4
  bug,          // a broken invariant of ours                                      exit 4
};

struct Error {
  Code code = Code::bug;
  std::string message;
  std::string hint;

  // The same error seen from further out: "cannot start: cannot open …".
  [[nodiscard]] Error within(std::string_view outer) && {
    message = fmt::format("{}: {}", outer, message);
    return std::move(*this);
  }
  [[nodiscard]] Error with_hint(std::string text) && {
    hint = std::move(text);
    return std::move(*this);
  }
};

template <typename... Args>
[[nodiscard]] Error fail(Code code, fmt::format_string<Args...> text, Args&&... args) {
  return Error{code, fmt::format(text, std::forward<Args>(args)...), {}};
}

// "cannot <what>: <strerror(error_number)>" with Code::io (Code::full for ENOSPC, EDQUOT, EFBIG).
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
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }

  Error& error() & { return error_; }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace weir::base
