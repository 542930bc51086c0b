#include "httpd/access.h"

#include "base/base64.h"
#include "base/secrets.h"
#include "base/text_file.h"
#include "httpd/address.h"
#include "httpd/file_stamp.h"
#include "httpd/sha256.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <utility>

namespace weir::httpd {
namespace {

using base::Code;
using base::Result;

constexpr std::string_view kHashed = "{SHA256}";

bool same_text(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

// "host" and "host:443" are the same of https.
struct Authority {
  std::string_view host;
  std::string_view port;
};

std::optional<Authority> authority_of(std::string_view text, std::string_view default_port) {
  const auto host = host_of(text);
  if (!host) return std::nullopt;
  const std::size_t end = static_cast<std::size_t>(host->data() + host->size() - text.data());
  const std::size_t colon = text.find(':', end);
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  return Authority{*host, port.empty() ? default_port : port};
}

// What stands behind "Basic " or "Bearer ".
std::optional<std::string_view> credentials(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || !same_text(header.substr(0, scheme.size()), scheme) || header[scheme.size()] != ' ')
    return std::nullopt;
  header.remove_prefix(scheme.size());
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

std::optional<std::string> decode(std::string_view base64) {
  std::string bytes(base64.size() / 4 * 3, '\0');
  const auto size = base::decode_base64(bytes.data(), base64);
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

// A file of secrets, one a line.
class SecretFile {
 public:
  struct Entry {
    std::string name;  // of a user; "" of a token
    Digest secret{};
  };

  SecretFile(std::string path, std::string_view kind) : path_(std::move(path)), kind_(kind) {}
  virtual ~SecretFile() = default;

  [[nodiscard]] bool is_used() const { return !path_.empty(); }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

  // For the first time. What is no file (`<(…)` of a shell) is never read again.
  Result<void> open(base::Diagnostics& diagnostics) {
    if (!is_used()) return {};
    stamp_ = FileStamp::of(path_);
    is_read_once_ = stamp_.is_no_file();
    return load(diagnostics);
  }

  // Reads it again if it has changed.
  void refresh(base::Diagnostics& diagnostics) {
    if (!is_used() || is_read_once_) return;
    const FileStamp now = FileStamp::of(path_);
    if (now == stamp_) return;
    stamp_ = now;
    Result<void> loaded;
    if (now.is_no_file()) {
      loaded = base::cannot(Code::config, fmt::format("read {} '{}'", kind_, path_), "it is no file any more");
    } else {
      loaded = load(diagnostics);
    }
    if (!loaded) diagnostics.report(std::move(loaded).error().within("what was read before stays in force"));
  }

 protected:
  // What is wrong with the line, or "".
  virtual std::string_view read(std::string_view line, Entry& entry, base::Secrets* secrets) = 0;

 private:
  Result<void> load(base::Diagnostics& diagnostics) {
    auto text = base::read_text_file(path_, fmt::format("{} '{}'", kind_, path_));
    if (!text) {
      text.error().code = Code::config;
      return std::move(text).error();
    }
    std::vector<Entry> entries;
    std::string_view rest = *text;
    for (std::size_t number = 1; !rest.empty(); ++number) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty() || line.starts_with('#')) continue;
      Entry entry;
      if (const std::string_view fault = read(line, entry, diagnostics.secrets()); !fault.empty())
        return base::cannot(Code::config, fmt::format("read {} '{}', line {}", kind_, path_, number), fault);
      entries.push_back(std::move(entry));
    }
    if (entries.empty())
      return base::cannot(Code::config, fmt::format("read {} '{}'", kind_, path_),
                          "nothing stands in it but comments and empty lines");
    entries_ = std::move(entries);
    return {};
  }

  const std::string path_;
  const std::string_view kind_;
  FileStamp stamp_;
  bool is_read_once_ = false;
  std::vector<Entry> entries_;
};

class UserFile : public SecretFile {
 public:
  explicit UserFile(std::string path) : SecretFile(std::move(path), "the users in") {}

 protected:
  std::string_view read(std::string_view line, Entry& entry, base::Secrets* secrets) override {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return "it is not NAME:PASSWORD";
    entry.name = line.substr(0, colon);
    std::string_view password = line.substr(colon + 1);
    if (password.empty()) return "its password is empty";
    if (password.starts_with(kHashed)) {
      const auto digest = decode(password.substr(kHashed.size()));
      if (!digest || digest->size() != entry.secret.size()) return "what follows {SHA256} is not the base64 of 32 bytes";
      std::ranges::copy(*digest, reinterpret_cast<char*>(entry.secret.data()));
      return {};
    }
    if (secrets != nullptr) secrets->add_login(entry.name, password);
    entry.secret = sha256(password);
    return {};
  }
};

class TokenFile : public SecretFile {
 public:
  explicit TokenFile(std::string path) : SecretFile(std::move(path), "the tokens in") {}

 protected:
  std::string_view read(std::string_view line, Entry& entry, base::Secrets* secrets) override {
    // RFC 6750, 2.1: what a header can carry.
    if (!std::ranges::all_of(line, [](char c) { return c > ' ' && c < 0x7f; })) return "a token has no spaces and is ASCII";
    if (secrets != nullptr) secrets->add(line);
    entry.secret = sha256(line);
    return {};
  }
};

class FileAccess : public Access {
 public:
  FileAccess(const AccessFiles& files, std::vector<std::string> hosts, base::Diagnostics& diagnostics)
      : users_(files.users), tokens_(files.tokens), hosts_(std::move(hosts)), diagnostics_(diagnostics) {}

  Result<void> load() {
    if (auto loaded = users_.open(diagnostics_); !loaded) return loaded;
    return tokens_.open(diagnostics_);
  }

  std::optional<Response> check(Request& request, const std::string& listens_on) override {
    if (!is_own_host(request.host, listens_on, hosts_))
      return Response{.status = 403, .body = "the request names a host that is not known here\n"};
    if (!is_own_origin(request)) return Response{.status = 403, .body = "a page of another origin may not do this\n"};
    if (!users_.is_used() && !tokens_.is_used()) return std::nullopt;
    users_.refresh(diagnostics_);
    tokens_.refresh(diagnostics_);
    const std::string_view header = request.header("Authorization");
    if (users_.is_used() && is_user(header, request.user)) return std::nullopt;
    if (tokens_.is_used() && is_token(header)) {
      request.user = "token";
      return std::nullopt;
    }
    Response refused{.status = 401, .body = "Unauthorized\n"};
    if (users_.is_used()) refused.headers.emplace_back("WWW-Authenticate", "Basic realm=\"weir\", charset=\"UTF-8\"");
    if (tokens_.is_used()) refused.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"weir\"");
    return refused;
  }

 private:
  // Looks at every entry, whatever it found before.
  bool is_user(std::string_view header, std::string& user) const {
    const auto base64 = credentials(header, "Basic");
    const auto login = base64 ? decode(*base64) : std::nullopt;
    const std::size_t colon = login ? login->find(':') : std::string::npos;
    if (colon == std::string::npos) return false;
    const Digest name = sha256(std::string_view(*login).substr(0, colon));
    const Digest secret = sha256(std::string_view(*login).substr(colon + 1));
    unsigned found = 0;
    for (const auto& entry : users_.entries())
      found |=
          static_cast<unsigned>(same_digest(name, sha256(entry.name))) & static_cast<unsigned>(same_digest(secret, entry.secret));
    if (found != 0) user = login->substr(0, colon);
    return found != 0;
  }

  bool is_token(std::string_view header) const {
    const auto token = credentials(header, "Bearer");
    if (!token) return false;
    const Digest secret = sha256(*token);
    unsigned found = 0;
    for (const auto& entry : tokens_.entries()) found |= static_cast<unsigned>(same_digest(secret, entry.secret));
    return found != 0;
  }

  UserFile users_;
  TokenFile tokens_;
  const std::vector<std::string> hosts_;
  base::Diagnostics& diagnostics_;
};

}  // namespace

bool is_own_host(std::string_view host, std::string_view listens_on, std::span<const std::string> hosts) {
  if (listens_on.empty() || is_ip_address(host) || same_text(host, "localhost") || same_text(host, listens_on)) return true;
  return std::ranges::any_of(hosts, [&](const std::string& one) { return same_text(host, one); });
}

bool is_own_origin(const Request& request) {
  std::string_view origin = request.header("Origin");
  if (origin.empty()) return true;
  std::string_view default_port;
  for (const auto& [scheme, port] : {std::pair("http://", "80"), std::pair("https://", "443")}) {
    if (!origin.starts_with(scheme)) continue;
    origin.remove_prefix(std::string_view(scheme).size());
    default_port = port;
    break;
  }
  if (default_port.empty()) return false;  // "null", or of a program that is no browser's page
  const auto from = authority_of(origin, default_port);
  const auto to = authority_of(request.header("Host"), default_port);
  return from && to && same_text(from->host, to->host) && from->port == to->port && same_text(to->host, request.host);
}

Result<std::unique_ptr<Access>> Access::create(const AccessFiles& files, std::vector<std::string> hosts,
                                               base::Diagnostics& diagnostics) {
  auto access = std::make_unique<FileAccess>(files, std::move(hosts), diagnostics);
  if (auto loaded = access->load(); !loaded) return std::move(loaded).error();
  return std::unique_ptr<Access>(std::move(access));
}

}  // namespace weir::httpd
