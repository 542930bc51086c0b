#include "rules/printer.h"

#include "base/utf8.h"
#include "gotext/unicode.h"
#include "logql/printer.h"
#include "record/timestamp.h"

#include <fmt/format.h>

namespace weir::rules {
namespace {

std::string print_by(const std::vector<std::string>& labels) {
  return labels.empty() ? std::string() : fmt::format(" by ({})", fmt::join(labels, ", "));
}

std::string print_percent(std::uint32_t per_million) {
  std::string out = fmt::format("{}", per_million / 10'000);
  if (const std::uint32_t fraction = per_million % 10'000; fraction != 0) {
    out += fmt::format(".{:04}", fraction);
    out.erase(out.find_last_not_of('0') + 1);
  }
  return out + '%';
}

std::string print_amount(std::uint64_t amount, Limit::Unit unit) {
  if (unit == Limit::Unit::records) {
    return amount % 1000 == 0 && amount >= 10'000 ? fmt::format("{}k", amount / 1000) : fmt::format("{}", amount);
  }
  constexpr std::string_view kBinary[] = {"B", "KiB", "MiB", "GiB"};
  constexpr std::string_view kDecimal[] = {"B", "KB", "MB", "GB"};
  const std::uint64_t factor = amount % 1024 == 0 ? 1024 : 1000;
  std::size_t step = 0;
  for (; step < 3 && amount % factor == 0; ++step) amount /= factor;
  return fmt::format("{}{}", amount, factor == 1024 ? kBinary[step] : kDecimal[step]);
}

// A pattern or replacement: in backquotes where these can hold it, because there a backslash is itself.
std::string print_text(std::string_view text) {
  for (const char c : text) {
    if (c == '`' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return gotext::quote(text);
  }
  const bool plain = text.find_first_of("\\\"") == std::string_view::npos;
  return plain || !base::is_utf8(text) ? gotext::quote(text) : fmt::format("`{}`", text);
}

struct ActionPrinter {
  std::string operator()(const Redact& redact) const {
    return fmt::format(" {} with {}", print_text(redact.pattern), print_text(redact.replacement));
  }
  std::string operator()(const Keep& keep) const {
    if (!keep.lifetime) return {};
    return fmt::format(" for {} from {}", record::print_duration(keep.lifetime->length), record::to_rfc3339(keep.lifetime->from));
  }
  std::string operator()(const Drop&) const { return {}; }
  std::string operator()(const Hold&) const { return {}; }
  std::string operator()(const Release& release) const {
    return fmt::format(" from {} to {}", record::to_rfc3339(release.from), record::to_rfc3339(release.to));
  }
  std::string operator()(const Sample& sample) const { return " " + print_percent(sample.per_million); }
  std::string operator()(const Limit& limit) const {
    const std::string_view per = limit.per == base::kHour ? "h" : limit.per == base::kMinute ? "m" : "s";
    std::string out = fmt::format(" {}/{}", print_amount(limit.amount, limit.unit), per);
    if (limit.burst != limit.amount) out += fmt::format(" burst {}", print_amount(limit.burst, limit.unit));
    return out + print_by(limit.by);
  }
  std::string operator()(const Dedup& dedup) const {
    return fmt::format(" {}{}", record::print_duration(dedup.within), print_by(dedup.by));
  }
  std::string operator()(const Tenant& tenant) const { return " " + tenant.name; }
};

// LogQL prints some regular expressions in backquotes, as they are. Those that hold control characters do not fit on one line so.
std::string on_one_line(const std::string& query) {
  std::string out;
  for (std::size_t i = 0; i < query.size(); ++i) {
    const char mark = query[i];
    out += mark;
    if (mark != '"' && mark != '`') continue;
    std::size_t end = i + 1;
    bool plain = true;
    for (; end < query.size() && query[end] != mark; ++end) {
      if (mark == '"' && query[end] == '\\') ++end;
      if (end < query.size() && static_cast<unsigned char>(query[end]) < 0x20) plain = false;
    }
    const std::string_view inside = std::string_view(query).substr(i + 1, end - i - 1);
    if (plain) {
      out += inside;
      out += mark;
    } else {
      out.pop_back();
      out += gotext::quote(inside);
    }
    i = end;
  }
  return out;
}

std::string print_match(const logql::LogExpr& match) {
  std::string out = match.matchers.empty() ? std::string() : " " + logql::print_selector(match.matchers);
  for (const logql::StageExpr& stage : match.stages) out += " " + logql::print(stage);
  return on_one_line(out);
}

}  // namespace

std::string print(const Rule& rule) {
  std::string out = rule.name.empty() ? std::string() : fmt::format("name {}: ", rule.name);
  out += word_of(rule.action);
  out += std::visit(ActionPrinter{}, rule.action);
  return out + print_match(rule.match);
}

}  // namespace weir::rules
