// ip("10.0.0.0/8"): an address, a network, or a range `a-b`, IPv4 or IPv6, and finding addresses in lines.
#pragma once

#include "base/result.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::logql {

struct IpAddress {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // IPv4: the first four
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  // The whole text; a zone (`%eth0`) is cut.
  static std::optional<IpAddress> parse(std::string_view text);
};

// Immutable.
class IpFilter {
 public:
  // The error is Loki's, `ip: invalid pattern: "999"`, with Code::parse.
  static base::Result<IpFilter> compile(std::string_view pattern);

  // Whether any address that stands in the text is meant.
  [[nodiscard]] bool found_in(std::string_view text) const;

 private:
  [[nodiscard]] bool covers(const IpAddress& address) const;
  IpAddress low_;  // one address is the range from itself to itself
  IpAddress high_;
  bool nothing_ = false;
};

}  // namespace weir::logql
