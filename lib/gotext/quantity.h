// Numbers, durations and byte sizes as Go programs and Loki write them: the constants of a query, and the label values that
// filters compare with them. They differ on purpose from the values of weir's own flags (record/timestamp.h). A label value
// `1d` or `5` is no duration here, because it is none for Loki.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gotext {

// Go strconv.ParseFloat: decimal, hexadecimal with p exponent, inf, nan, `_` between digits. No spaces. Out of range: nullopt.
[[nodiscard]] std::optional<double> parse_float(std::string_view text);
// Go strconv.FormatFloat with format 'g' (also its %v) or 'f', and the shortest text that reads back as the same number.
[[nodiscard]] std::string print_float_g(double value);
[[nodiscard]] std::string print_float_f(double value);

// Go time.ParseDuration ("1h30m", "-1.5s", "3µs", "0"), and the form of Duration.String ("1h30m0s").
[[nodiscard]] std::optional<base::Duration> parse_go_duration(std::string_view text);
[[nodiscard]] std::string print_go_duration(base::Duration duration);
// Duration.Seconds: whole seconds and the rest are converted apart, which decides about the last bit.
[[nodiscard]] double go_seconds(base::Duration duration);

// Durations of Prometheus, as in ranges: integers with y w d h m s ms, in this order. On failure `why` says what is wrong, in
// Prometheus' words.
[[nodiscard]] std::optional<base::Duration> parse_range_duration(std::string_view text, std::string* why = nullptr);
[[nodiscard]] std::string print_range_duration(base::Duration duration);

// Sizes of the Go package humanize: "1.5 KiB", "12MB", "300", "5k". Case and spaces do not matter.
// https://pkg.go.dev/github.com/dustin/go-humanize#ParseBytes
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);
// The form of humanize.Bytes, without the space: "2.1MB". Digits are lost.
[[nodiscard]] std::string print_bytes(std::uint64_t bytes);

// Why one of the three functions above refused a text, in the words of the Go packages. This is the content of
// __error_details__.
[[nodiscard]] std::string float_complaint(std::string_view text);
[[nodiscard]] std::string duration_complaint(std::string_view text);
[[nodiscard]] std::string bytes_complaint(std::string_view text);

}  // namespace weir::gotext
