#include "stages/value_budget.h"

#include "base/count.h"
#include "base/own_file.h"
#include "base/percent.h"
#include "base/text_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>
#include <tuple>
#include <utility>

namespace weir::stages {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr auto kDemoted = metrics::counter(
    "weir_enrich_demoted_records_total", "records",
    "Records of which a label became metadata, because it has all the values of --max-values.", metrics::Account::none, "label");

constexpr std::string_view kBegin = "weir-values ";  // of every release
constexpr std::string_view kHeader = "weir-values 1\n";
constexpr std::int64_t kIdleHours = 48;                 // after which a value without a record gives its place back
constexpr std::int64_t kPlausibleHour = 54 * 365 * 24;  // about 2023-12: a clock before that was not set
constexpr std::size_t kMostFile = 256 << 20;            // bytes; all places of ten labels with long values have less

std::string line_of(std::string_view label, std::string_view value, std::int64_t hour) {
  return fmt::format("{} {} {}\n", hour, label, base::percent_encode(value));
}

}  // namespace

Result<void> check(const ValueBudgetSpec& spec) {
  std::set<std::string_view> seen;
  for (const auto& [label, most] : spec.limits) {
    if (most == 0 || most > kMostValues) {
      return base::fail(Code::usage, "cannot use '{}={}' for --max-values: the number must be from 1 to {}", label, most,
                        base::grouped(kMostValues));
    }
    if (!seen.insert(label).second) return base::fail(Code::usage, "--max-values names label \"{}\" twice", label);
  }
  if (spec.limits.empty() && !spec.file.empty()) {
    return base::fail(Code::usage, "--values-file needs --max-values").with_hint("for example --max-values pod=1000");
  }
  return {};
}

ValueBudget::ValueBudget(const ValueBudgetSpec& spec, const pipeline::Context& context)
    : file_(spec.file), context_(context), block_(context.metrics, context.driver), demoted_(block_.family(kDemoted)) {
  for (const auto& [label, most] : spec.limits) limits_.push_back({.label = label, .most = most, .places = {}});
  for (const Limit& limit : limits_) static_cast<void>(demoted_.at(limit.label));
  hour_ = now_hour();
}

Result<std::unique_ptr<ValueBudget>> ValueBudget::open(const ValueBudgetSpec& spec, const pipeline::Context& context) {
  std::unique_ptr<ValueBudget> budget(new ValueBudget(spec, context));
  if (spec.file.empty()) return budget;
  if (auto loaded = budget->load(); !loaded) return std::move(loaded).error();
  static_cast<void>(budget->expire());
  // Says at the start whether it can be written, and takes away what load() left out.
  if (auto replaced = budget->replace(); !replaced) return std::move(replaced).error();
  return budget;
}

std::int64_t ValueBudget::now_hour() const { return context_.clock == nullptr ? 0 : context_.clock->wall() / base::kHour; }

int ValueBudget::limit_of(std::string_view label) const {
  const auto found = std::ranges::find(limits_, label, &Limit::label);
  return found == limits_.end() ? -1 : static_cast<int>(found - limits_.begin());
}

ValueBudget::Place* ValueBudget::find_place(int limit, std::string_view value) {
  Limit& of = limits_[static_cast<std::size_t>(limit)];
  if (const auto found = of.places.find(value); found != of.places.end()) return &found->second;
  if (of.places.size() < of.most) {
    if (!file_.empty()) fresh_ += line_of(of.label, value, hour_);
    return &of.places.emplace(value, Place{hour_}).first->second;
  }
  if (!std::exchange(of.reported, true) && context_.diagnostics != nullptr) {
    context_.diagnostics->say(fmt::format(
        "label \"{}\" has {}, which is all that --max-values lets it have: a record with another value gets it as metadata",
        of.label, base::count_of(of.most, "value")));
  }
  return nullptr;
}

bool ValueBudget::begin() {
  const std::int64_t hour = now_hour();
  if (hour == hour_) return false;
  hour_ = hour;
  const bool freed = expire();
  if (!file_.empty()) {
    if (auto replaced = replace(); !replaced) complain(replaced.error());
  }
  return freed;
}

bool ValueBudget::expire() {
  if (hour_ < kPlausibleHour) return false;
  bool freed = false;
  for (Limit& limit : limits_) {
    // A time ahead is that of a clock that was wrong; left alone it would keep its place for years.
    for (auto& [value, place] : limit.places) place.hour = std::min(place.hour, hour_);
    freed = std::erase_if(limit.places, [this](const auto& one) { return one.second.hour + kIdleHours < hour_; }) > 0 || freed;
  }
  return freed;
}

void ValueBudget::end() {
  for (Limit& limit : limits_) {
    if (limit.demoted > 0) demoted_.at(limit.label).add(std::exchange(limit.demoted, 0));
  }
  if (!fresh_.empty()) append();
}

void ValueBudget::close() {
  if (file_.empty()) return;
  if (auto replaced = replace(); !replaced) complain(replaced.error());
  open_.reset();
}

void ValueBudget::append() {
  // After a failure the next replace() writes everything.
  if (stored_ && open_) {
    std::string_view rest = fresh_;
    while (!rest.empty()) {
      const ssize_t wrote = ::write(open_.get(), rest.data(), rest.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) {
        stored_ = false;
        complain(base::io_error(errno, fmt::format("write values '{}'", base::escape_control(file_))));
        break;
      }
      rest.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }
  fresh_.clear();
}

// Once, until it works again.
void ValueBudget::complain(const Error& error) {
  if (std::exchange(complained_, true) || context_.diagnostics == nullptr) return;
  context_.diagnostics->say(
      fmt::format("{}; until that works, a restart may give places of --max-values to other values", error.message));
}

std::string ValueBudget::text() const {
  std::string out(kHeader);
  for (const Limit& limit : limits_) {
    for (const auto& [value, place] : limit.places) out += line_of(limit.label, value, place.hour);
  }
  return out;
}

Result<void> ValueBudget::replace() {
  fresh_.clear();
  stored_ = false;
  if (auto written = base::replace_text_file(file_, text()); !written) return written;
  if (auto locked = lock(); !locked) return locked;
  stored_ = true;
  complained_ = false;
  return {};
}

Result<void> ValueBudget::lock() {
  auto fd = base::open_own(file_, O_RDWR | O_APPEND, fmt::format("open values '{}'", base::escape_control(file_)));
  if (!fd) return std::move(fd).error();
  if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    const int cause = errno;
    if (cause != EWOULDBLOCK) return base::io_error(cause, fmt::format("lock values '{}'", base::escape_control(file_)));
    return base::cannot(Code::busy, fmt::format("use values '{}'", base::escape_control(file_)), "another enrich uses the file")
        .with_hint("give each its own --values-file");
  }
  open_ = *std::move(fd);
  return {};
}

Result<void> ValueBudget::load() {
  const std::string what = fmt::format("use values '{}'", base::escape_control(file_));
  const auto target = base::replaceable(file_, what);
  if (!target) return target.error();
  if (auto locked = lock(); !locked) return locked.error().system == ENOENT ? Result<void>() : locked;
  auto text = base::read_text(open_.get(), fmt::format("values '{}'", base::escape_control(file_)), kMostFile);
  if (!text) return std::move(text).error();
  if (text->empty()) return {};  // a file that somebody made to say where it is to be
  if (!text->starts_with(kBegin)) {
    return base::cannot(Code::config, what, "it is a file of somebody else: it does not begin with \"weir-values\"")
        .with_hint("name another --values-file; this one is left as it is");
  }
  if (text->starts_with(kHeader)) {
    read(std::string_view(*text).substr(kHeader.size()));
    return {};
  }
  const std::string aside = *target + "-unreadable";
  if (auto other = base::replaceable(aside, what); !other) return std::move(other).error();
  if (::rename(target->c_str(), aside.c_str()) != 0) {
    return base::io_error(errno, fmt::format("rename values '{}'", base::escape_control(file_)));
  }
  if (context_.diagnostics != nullptr) {
    context_.diagnostics->say(
        fmt::format("cannot read values '{}': they have no form that this release knows; the file is now '{}', and "
                    "places are given anew",
                    base::escape_control(file_), base::escape_control(aside)));
  }
  return {};
}

// The lines behind the header. Where there are more values than places, those that came last keep theirs.
void ValueBudget::read(std::string_view text) {
  std::size_t unreadable = 0;
  std::vector<std::tuple<std::int64_t, std::size_t, std::string>> found;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    std::int64_t hour = 0;
    const auto [after, error] = std::from_chars(line.data(), line.data() + line.size(), hour);
    const auto label_at = static_cast<std::size_t>(after - line.data()) + 1;
    const std::size_t label_end = line.find(' ', std::min(label_at, line.size()));
    if (error != std::errc() || label_end == std::string_view::npos || *after != ' ') {
      ++unreadable;
      continue;
    }
    const int limit = limit_of(line.substr(label_at, label_end - label_at));
    std::string value = base::percent_decode(line.substr(label_end + 1));
    if (limit >= 0 && !value.empty()) found.emplace_back(hour, static_cast<std::size_t>(limit), std::move(value));
  }
  std::ranges::stable_sort(found, std::ranges::greater(), [](const auto& one) { return std::get<0>(one); });
  for (auto& [hour, limit, value] : found) {
    Limit& of = limits_[limit];
    if (of.places.size() < of.most) of.places.emplace(std::move(value), Place{hour});
  }
  if (context_.diagnostics == nullptr) return;
  const std::string name = base::escape_control(file_);
  if (unreadable > 0) {
    context_.diagnostics->say(fmt::format("values '{}': {} no form that this release knows, and {} left out", name,
                                          base::count_of(unreadable, "line has", "lines have"), unreadable == 1 ? "is" : "are"));
  }
  if (!text.empty()) {
    context_.diagnostics->say(fmt::format("values '{}' break off within their last line, which is left out", name));
  }
}

}  // namespace weir::stages
