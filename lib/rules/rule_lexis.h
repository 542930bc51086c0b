// The smallest parts of a line of rules: characters, blanks, words, quoted texts and comments, and how messages show them. All
// views are parts of what was passed in; offsets are bytes.
#pragma once

#include "base/clock.h"

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace weir::rules {

inline constexpr std::size_t kMostName = 63;  // of the name of a rule
inline constexpr std::string_view kBlank = " \t";
inline constexpr std::string_view kWordStops = " \t{|\"`";  // a blank, or what begins a query or a quoted text

// ---- characters

[[nodiscard]] inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
// Whether `text` begins with a quotation mark of a word processor, which quotes nothing here.
[[nodiscard]] bool is_typographic_quote(std::string_view text);
// Where the first byte is that is not UTF-8; text.size() where there is none.
[[nodiscard]] std::size_t first_invalid(std::string_view text);

// ---- words

[[nodiscard]] bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words);
[[nodiscard]] std::string lower(std::string_view text);                 // of ASCII letters
[[nodiscard]] std::string_view trimmed(std::string_view text);          // without blanks around it
[[nodiscard]] std::string_view leading_letters(std::string_view text);  // ASCII letters and _
[[nodiscard]] std::string_view leading_word(std::string_view text, std::string_view stops = kWordStops);

// ---- quoted texts and what stands outside of them

// Bytes of the quoted text that `text` begins with, its quotes included; npos when it does not end.
[[nodiscard]] std::size_t quoted_length(std::string_view text);
// Where the first comment begins, those of LogQL (`//` and `/*`) too; line.size() where there is none.
[[nodiscard]] std::size_t first_comment(std::string_view line);
// Where the first character stands that looks like a blank and is none; line.size() where there is none.
[[nodiscard]] std::size_t first_false_blank(std::string_view line);

// ---- what messages show

[[nodiscard]] std::string shown(std::string_view text);  // cut where it is long
[[nodiscard]] base::Timestamp whole_seconds(base::Timestamp time);
// The beginning of a lifetime that a hint proposes: `now` in whole seconds, or an example.
[[nodiscard]] std::string proposed_beginning(std::optional<base::Timestamp> now);

}  // namespace weir::rules
