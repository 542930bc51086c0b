#include "loki/push_reader.h"

#include "loki/push_decoding.h"
#include "loki/push_taker.h"
#include "loki/push_unpack.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace weir::loki {
namespace {

constexpr std::size_t kKeep = 4 << 20;  // bytes of memory that stay for the next request

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    return lower(x) == lower(y);
  });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

bool is_token(char c) { return c > ' ' && c < 0x7f && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos; }

// As Go's mime.ParseMediaType checks parameters. `rest` begins at the first `;`.
void check_parameters(std::string_view rest) {
  const auto wrong = [] { return PushRefused{400, "mime: invalid media parameter"}; };
  while (!(rest = trimmed(rest)).empty()) {
    if (rest == ";") return;
    if (rest.front() != ';') throw wrong();
    rest = trimmed(rest.substr(1));
    const auto name = std::ranges::find_if_not(rest, is_token) - rest.begin();
    rest.remove_prefix(static_cast<std::size_t>(name));
    rest = trimmed(rest);
    if (name == 0 || !rest.starts_with('=')) throw wrong();
    rest = trimmed(rest.substr(1));
    std::size_t end = 0;
    if (rest.starts_with('"')) {
      for (end = 1; end < rest.size() && rest[end] != '"'; ++end) end += rest[end] == '\\' ? 1 : 0;
      if (end >= rest.size()) throw wrong();
      ++end;
    } else {
      end = static_cast<std::size_t>(std::ranges::find_if_not(rest, is_token) - rest.begin());
      if (end == 0) throw wrong();
    }
    rest.remove_prefix(end);
  }
}

// As Go's mime.ParseMediaType reads it.
std::string_view media_type(std::string_view header) {
  const std::string_view type = trimmed(header.substr(0, header.find(';')));
  if (type.empty() || type.starts_with('/')) throw PushRefused{400, "mime: no media type"};
  const std::size_t slash = type.find('/');
  if (slash + 1 == type.size()) throw PushRefused{400, "mime: expected token after slash"};
  if (const std::size_t rest = header.find(';'); rest != std::string_view::npos) check_parameters(header.substr(rest));
  return type;
}

// On a request that cannot be read.
std::string advice_on_type(const PushRequest& request) {
  const std::string_view type = trimmed(request.content_type.substr(0, request.content_type.find(';')));
  const std::size_t begin = request.body.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || request.body[begin] != '{' || equal_in_any_case(type, "application/json")) return {};
  return fmt::format("a push request looks like JSON, but its Content-Type is {}: it must be application/json",
                     type.empty() ? "missing" : fmt::format("'{}'", type.substr(0, 100)));
}

}  // namespace

struct PushReader::State {
  explicit State(const PushReaderOptions& wanted) : options(wanted), taker(wanted) {}

  void read(const PushRequest& request, record::Batch& out) {
    const bool is_json = equal_in_any_case(media_type(request.content_type), "application/json");
    std::string_view bytes = request.body;
    if (request.content_encoding == "gzip" || request.content_encoding == "deflate") {
      const bool is_gzip = request.content_encoding == "gzip";
      const auto unpacked =
          is_gzip ? unpack_gzip(bytes, options.most_unpacked, inflated) : unpack_deflate(bytes, options.most_unpacked, inflated);
      if (unpacked == Unpacked::bad_header) throw PushRefused{400, "gzip: invalid header"};
      if (unpacked == Unpacked::broken) throw PushRefused{400, is_json ? "EOF" : "unexpected EOF"};
      if (unpacked == Unpacked::too_large) {
        throw PushRefused{
            400, fmt::format("decompressed message size too large: it exceeds the limit of {} bytes", options.most_unpacked)};
      }
      if (is_json) inflated.reserve(inflated.size() + PushJsonDecoder::kPadding);
      bytes = inflated;
    } else if (!request.content_encoding.empty() && request.content_encoding != "snappy") {
      throw PushRefused{400, fmt::format("Content-Encoding \"{}\" not supported", request.content_encoding)};
    }
    if (is_json) return json.decode(bytes, bytes.data() == inflated.data(), request.old_endpoint, taker, out);
    const auto unpacked = unpack_snappy(bytes, options.most_unpacked, message);
    if (unpacked == Unpacked::too_large) {
      throw PushRefused{413, fmt::format("message size too large than max (it exceeds the limit of {} bytes once it is unpacked)",
                                         options.most_unpacked)};
    }
    if (unpacked != Unpacked::fine) throw PushRefused{400, "snappy: corrupt input"};
    try {
      decode_push_protobuf(message, taker);
    } catch (const PushRefused&) {
      throw;
    } catch (const std::exception&) {
      throw PushRefused{400, "unexpected EOF"};
    }
  }

  // Memory that a large request took.
  bool shrink() {
    bool shrunk = false;
    for (std::string* const one : {&inflated, &message}) {
      if (one->capacity() <= kKeep) continue;
      one->clear();
      one->shrink_to_fit();
      shrunk = true;
    }
    return shrunk;
  }

  const PushReaderOptions options;
  PushTaker taker;
  PushJsonDecoder json;
  std::string inflated, message;
};

PushReader::PushReader(const PushReaderOptions& options) : state_(std::make_unique<State>(options)) {}
PushReader::~PushReader() = default;

bool PushReader::trim() {
  const bool shrunk = state_->shrink(), parsed = state_->json.trim(), taken = state_->taker.trim();
  return shrunk || parsed || taken;
}

PushVerdict PushReader::read(const PushRequest& request, base::Timestamp now, record::Batch& out) {
  state_->taker.begin(request.tenant, now, out);
  try {
    state_->read(request, out);
    return state_->taker.end();
  } catch (PushRefused& refused) {
    state_->taker.undo();
    return {.status = refused.status, .text = std::move(refused.text) + "\n", .advice = advice_on_type(request)};
  }
}

}  // namespace weir::loki
