#include "logql/ip_filter.h"

#include "base/hex.h"
#include "gotext/unicode.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace weir::logql {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// How many characters from `from` on satisfy `wanted`.
template <typename Wanted>
std::size_t run(std::string_view text, std::size_t from, Wanted wanted) {
  std::size_t end = from;
  while (end < text.size() && wanted(text[end])) ++end;
  return end - from;
}

// A digit, and a dot within the three bytes behind it.
bool begins_v4(std::string_view text) {
  return text.size() > 3 && is_digit(text[0]) && (text[1] == '.' || text[2] == '.' || text[3] == '.');
}

// One to four hexadecimal digits and a colon, or two colons and a digit; five bytes at least.
bool begins_v6(std::string_view text) {
  if (text.size() < 5) return false;
  if (text[0] == ':') return text[1] == ':' && base::is_hex_digit(text[2]);
  std::size_t digits = 0;
  while (digits < 4 && base::is_hex_digit(text[digits])) ++digits;
  return digits > 0 && text[digits] == ':';
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char buffer[64];
  IpAddress address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  if (address.is_v6) text = text.substr(0, text.find('%'));
  if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  if (::inet_pton(address.is_v6 ? AF_INET6 : AF_INET, buffer, address.bytes.data()) != 1) return std::nullopt;
  return address;
}

base::Result<IpFilter> IpFilter::compile(std::string_view pattern) {
  const base::Error invalid{base::Code::parse, "ip: invalid pattern: " + gotext::quote(pattern), {}};
  IpFilter filter;
  if (const std::size_t slash = pattern.find('/'); slash != std::string_view::npos) {
    const auto address = IpAddress::parse(pattern.substr(0, slash));
    const std::string_view digits = pattern.substr(slash + 1);
    if (!address || pattern.find('%') != std::string_view::npos || digits.empty() || digits.size() > 3 ||
        (digits.size() > 1 && digits[0] == '0') || !std::all_of(digits.begin(), digits.end(), is_digit))
      return invalid;
    std::size_t bits = 0;
    for (const char c : digits) bits = bits * 10 + static_cast<std::size_t>(c - '0');
    const std::size_t width = address->is_v6 ? 128 : 32;
    if (bits > width) return invalid;
    filter.low_ = filter.high_ = *address;
    for (std::size_t bit = bits; bit < width; ++bit) {
      const auto mask = static_cast<std::uint8_t>(0x80 >> (bit % 8));
      filter.low_.bytes[bit / 8] &= static_cast<std::uint8_t>(~mask);
      filter.high_.bytes[bit / 8] |= mask;
    }
    return filter;
  }
  if (pattern.find('%') != std::string_view::npos) {
    // An address with a zone is one of its own, and none that stands in a text has a zone.
    if (!IpAddress::parse(pattern)) return invalid;
    filter.nothing_ = true;
    return filter;
  }
  const std::size_t dash = pattern.find('-');
  const auto low = IpAddress::parse(pattern.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : IpAddress::parse(pattern.substr(dash + 1));
  if (!low || !high || low->is_v6 != high->is_v6 || high->bytes < low->bytes) return invalid;
  filter.low_ = *low;
  filter.high_ = *high;
  return filter;
}

bool IpFilter::covers(const IpAddress& address) const {
  return !nothing_ && address.is_v6 == low_.is_v6 && !(address.bytes < low_.bytes) && !(high_.bytes < address.bytes);
}

// Loki looks at every place where an address may begin, by its next few bytes; what it has tried it passes over, with the byte
// behind. An address in the last four bytes of a text, such as ::1, is therefore not seen.
bool IpFilter::found_in(std::string_view text) const {
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t length = 0;
    if (begins_v4(text.substr(i))) {
      length = run(text, i, [](char c) { return is_digit(c) || c == '.'; });
    } else if (begins_v6(text.substr(i))) {
      length = run(text, i, [](char c) { return base::is_hex_digit(c) || c == ':' || c == '.'; });
    } else {
      continue;
    }
    const auto address = IpAddress::parse(text.substr(i, length));
    if (address && covers(*address)) return true;
    i += length;
  }
  return false;
}

}  // namespace weir::logql
