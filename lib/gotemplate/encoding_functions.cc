#include "base/base64.h"
#include "gotemplate/functions.h"
#include "gotemplate/query_escape.h"
#include "gotext/unicode.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <utility>

namespace weir::gotemplate {
namespace {

Value b64enc(FunctionCall& call) {
  std::string out;
  base::append_base64(out, call.text(0));
  return call.result(std::move(out));
}

// On bad input Loki's function gives the text of the error. Go passes over newlines, so this is not decode_base64().
Value b64dec(FunctionCall& call) {
  const std::string_view text = call.text(0);
  const auto corrupt = [&](std::size_t at) { return call.result(fmt::format("illegal base64 data at input byte {}", at)); };
  const auto skip_newlines = [text](std::size_t& i) {
    while (i < text.size() && (text[i] == '\n' || text[i] == '\r')) ++i;
  };
  std::string out;
  std::uint32_t bits = 0;
  std::size_t held = 0;  // characters of a group of four
  std::size_t i = 0;
  for (skip_newlines(i); i < text.size(); skip_newlines(i)) {
    if (text[i] == '=') {
      if (held < 2) return corrupt(i);
      ++i;
      if (held == 2) {
        skip_newlines(i);
        if (i >= text.size()) return corrupt(text.size());
        if (text[i] != '=') return corrupt(i - 1);
        ++i;
      }
      skip_newlines(i);
      if (i < text.size()) return corrupt(i);
      out += static_cast<char>(bits >> (held == 2 ? 4 : 10) & 0xff);
      if (held == 3) out += static_cast<char>(bits >> 2 & 0xff);
      return call.result(std::move(out));
    }
    const int value = base::base64_digit(text[i]);
    if (value < 0) return corrupt(i);
    ++i;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if (++held < 4) continue;
    for (const int shift : {16, 8, 0}) out += static_cast<char>(bits >> shift & 0xff);
    bits = 0;
    held = 0;
  }
  return held == 0 ? call.result(std::move(out)) : corrupt(text.size() - held);
}

bool is_unreserved(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
}

}  // namespace

std::string query_escape(std::string_view text, std::size_t limit) {
  std::string out;
  for (const char c : text) {
    if (out.size() > limit) break;
    if (c == ' ')
      out += '+';
    else if (is_unreserved(c))
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

namespace {

Value urlencode(FunctionCall& call) { return call.result(query_escape(call.text(0), call.room())); }

Value urldecode(FunctionCall& call) {
  const std::string_view text = call.text(0);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      const std::string digits(text.substr(i + 1, 2));
      if (digits.size() < 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
        return call.fail(fmt::format("invalid URL escape {}", gotext::quote(text.substr(i, 3))));
      }
      out += static_cast<char>(std::stoul(digits, nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return call.result(std::move(out));
}

Value from_json(FunctionCall& call) { return value_from_json(call.text(0), call.pool); }

constexpr std::array<Function, 5> kTable = {{
    {"fromJson", "s", from_json},
    {"b64enc", "s", b64enc},
    {"b64dec", "s", b64dec},
    {"urlencode", "s", urlencode},
    {"urldecode", "s", urldecode},
}};

}  // namespace

std::span<const Function> encoding_functions() { return kTable; }

}  // namespace weir::gotemplate
