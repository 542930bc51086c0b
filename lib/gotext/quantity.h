// Numbers, durations and byte sizes as Go programs and Loki write them: the constants of a query and the values of labels that
// filters compare with them. These differ on purpose from what weir's own flags take (record/timestamp.h): a label value `1d`
// or a bare `5` is no duration here, since Loki says so.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gotext {

// Go strconv.ParseFloat: decimal, hexadecimal with p exponent, inf, nan, `_` between digits. No spaces. Out of range: nullopt.
[[nodiscard]] std::optional<double> parse_float(std::string_view text);
// Go strconv.FormatFloat with format 'g' (also its %v) or 'f' and the shortest text that reads back as the same number.
[[nodiscard]] std::string print_float_g(double value);
[[nodiscard]] std::string print_float_f(double value);

// Go time.ParseDuration ("1h30m", "-1.5s", "3µs", "0"), and how Duration.String prints it ("1h30m0s").
[[nodiscard]] std::optional<base::Duration> parse_go_duration(std::string_view text);
[[nodiscard]] std::string print_go_duration(base::Duration duration);

// Prometheus' durations, in which ranges are written: integers with y w d h m s ms in this order. On failure `why` says what
// is wrong, in Prometheus' words.
[[nodiscard]] std::optional<base::Duration> parse_range_duration(std::string_view text, std::string* why = nullptr);
[[nodiscard]] std::string print_range_duration(base::Duration duration);

// Sizes of the Go package humanize: "1.5 KiB", "12MB", "300", "5k"; case and spaces do not matter.
// https://pkg.go.dev/github.com/dustin/go-humanize#ParseBytes
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);
// As humanize.Bytes, without the space: "2.1MB". Loses digits.
[[nodiscard]] std::string print_bytes(std::uint64_t bytes);

// Why one of the three above refused a text, in the words of the Go packages: what __error_details__ holds.
[[nodiscard]] std::string float_complaint(std::string_view text);
[[nodiscard]] std::string duration_complaint(std::string_view text);
[[nodiscard]] std::string bytes_complaint(std::string_view text);

}  // namespace weir::gotext
