#include "http/url.h"

#include <arpa/inet.h>

#include "base/percent.h"

#include <cctype>
#include <charconv>
#include <system_error>

namespace weir::http {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool valid_port(std::string_view port) {
  constexpr int kHighest = 65535;
  int number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  return error == std::errc() && end == port.data() + port.size() && number > 0 && number <= kHighest;
}

bool valid_host(std::string_view host) {
  if (host.empty()) return false;
  if (host.front() == '[') {  // an IPv6 address, perhaps with a port
    const auto close = host.find(']');
    if (close == std::string_view::npos) return false;
    const auto rest = host.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && valid_port(rest.substr(1)));
  }
  const auto colon = host.find(':');
  const auto name = host.substr(0, colon);
  if (name.empty()) return false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || c == '{' ||
        c == '|' || c == '}')
      return false;
  }
  if (colon == std::string_view::npos) return true;
  const auto port = host.substr(colon + 1);
  return valid_port(port);
}

}  // namespace

std::string query_string(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += base::percent_encode(name);
    out += '=';
    out += base::percent_encode(value);
  }
  return out;
}

base::Result<Url> parse_url(std::string_view text) {
  Url url;
  // The text may hold a password. So an error shows it only up to its scheme, or without user information.
  const auto wrong = [](std::string_view shown, std::string_view cause) {
    return base::fail(base::Code::usage, "cannot use the URL \"{}\": {}", shown, cause)
        .with_hint("a URL looks like http://loki.example:3100 or https://logs.example/loki");
  };
  std::string scheme = "http";
  std::string_view rest = text;
  if (const auto colon = text.find("://"); colon != std::string_view::npos) {
    scheme = lower(text.substr(0, colon));
    rest = text.substr(colon + 3);
    if (scheme != "http" && scheme != "https") return wrong(scheme + "://…", "only http and https are supported");
  }
  if (const auto hash = rest.find('#'); hash != std::string_view::npos) rest = rest.substr(0, hash);
  if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
    url.query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  const auto slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const auto user = authority.substr(0, at);
    const auto colon = user.find(':');
    url.user = base::percent_decode(user.substr(0, colon));
    if (colon != std::string_view::npos) url.password = base::percent_decode(user.substr(colon + 1));
    authority = authority.substr(at + 1);
  }
  if (!valid_host(authority))
    return wrong(scheme + "://" + std::string(authority), authority.empty() ? "it has no host" : "its host is not valid");
  for (const char c : url.path + url.query)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      return wrong(scheme + "://" + std::string(authority), "it holds a space or a control byte");
  url.origin = scheme + "://" + lower(authority);
  return url;
}

bool is_loopback(const Url& url) {
  std::string_view host = std::string_view(url.origin).substr(url.origin.find("://") + 3);
  if (host.starts_with('[')) return host.starts_with("[::1]");
  host = host.substr(0, host.find(':'));
  in_addr address{};
  return host == "localhost" || (host.starts_with("127.") && ::inet_pton(AF_INET, std::string(host).c_str(), &address) == 1);
}

std::string join(const Url& base, std::string_view path, std::string_view query) {
  std::string out = base.origin + base.path;
  if (base.path.size() < path.size() || !std::string_view(base.path).ends_with(path)) out += path;
  if (!base.query.empty() || !query.empty()) {
    out += '?';
    out += base.query;
    if (!base.query.empty() && !query.empty()) out += '&';
    out += query;
  }
  return out;
}

}  // namespace weir::http
