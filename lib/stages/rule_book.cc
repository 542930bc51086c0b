#include "stages/rule_book.h"

#include "base/count.h"
#include "base/path.h"
#include "base/stable_hash.h"
#include "base/text_file.h"
#include "rules/check.h"
#include "rules/file.h"
#include "rules/parser.h"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <variant>

namespace weir::stages {
namespace {

using base::Code;
using base::Error;
using base::Result;

// In a kept text, in front of that of a file.
std::string heading(const std::string& file) { return fmt::format("# {}\n", base::escape_control(file)); }

// The same in every process: which files it is that a kept text belongs to.
std::uint32_t name_hash(const std::vector<std::string>& files) {
  base::Hash128 hash;
  for (const std::string& file : files) {
    hash = base::stable_hash(kube::is_config_map(file) ? file : base::absolute_path(file), hash);
  }
  return static_cast<std::uint32_t>(hash.low);
}

// Whoever opens a FIFO waits for somebody who writes, and the chain with it. `<(COMMAND)` is a link to a pipe that is open.
bool is_fifo(const std::string& file) {
  struct stat status = {};
  return ::lstat(file.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
}

Result<rules::RuleSet> empty_set() { return rules::RuleSet::compile({}); }

}  // namespace

RuleBook::RuleBook(RuleBookSpec spec, RuleMaps maps, const pipeline::Context& context)
    : spec_(std::move(spec)), context_(context), maps_(std::move(maps)), watch_(plain_files()), set_(*empty_set()) {}

std::vector<std::string> RuleBook::plain_files() const {
  std::vector<std::string> files = spec_.files;
  std::erase_if(files, [](const std::string& file) { return kube::is_config_map(file); });
  return files;
}

Result<RuleBook::Text> RuleBook::read() const {
  std::vector<rules::NamedText> texts;
  std::string whole;
  std::vector<bool> written;
  for (std::size_t i = 0; i < spec_.files.size(); ++i) {
    const std::string& file = spec_.files[i];
    const bool is_map = maps_.has(i);
    if (!is_map && is_fifo(file)) {
      return base::fail(Code::config, "cannot read rules '{}': it is a FIFO", base::escape_control(file))
          .with_hint("put the rules in a file");
    }
    auto text = is_map ? maps_.text(i) : rules::read_file(file);
    if (!text) {
      // A file that says how to work: a start without it is a mistake of configuration.
      if (text.error().system == ENOENT) {
        text.error().code = Code::config;
        text.error().hint = fmt::format("to begin a file of rules: echo '# rules' > {}", base::escape_control(file));
      }
      return std::move(text).error();
    }
    // Half a write looks like this, and would drop nothing any more. An API server shows no half writes.
    written.push_back(!rules::is_blank(*text));
    if (!is_map && !written.back() && written_[i]) {
      return base::fail(Code::config, "cannot use the rules '{}': the file is empty", file)
          .with_hint("to have no rules, leave a comment in it");
    }
    whole += fmt::format("{}{}{}", heading(file), *text, text->ends_with('\n') ? "" : "\n");
    texts.push_back({file, *std::move(text)});
  }
  auto rules = rules::parse(texts, context_.clock->wall());
  if (!rules) return std::move(rules).error();
  auto set = rules::RuleSet::compile(*std::move(rules));
  if (!set) return std::move(set).error();
  if (set->holds() && !spec_.buffer_behind.value_or(true)) {
    return base::fail(Code::config, "cannot use rules that hold records here: no buffer behind this filter stores them")
        .with_hint("put `buffer SPOOL` behind it, or drop the records");
  }
  return Text{std::move(whole), std::move(written), *std::move(set)};
}

// Of all files, as far as they can be read.
base::Hash128 RuleBook::contents() const {
  base::Hash128 hash;
  for (std::size_t i = 0; i < spec_.files.size(); ++i) {
    const std::string& file = spec_.files[i];
    const auto text = maps_.has(i)    ? maps_.text(i)
                      : is_fifo(file) ? base::Result<std::string>(std::string())
                                      : rules::read_file(file);
    hash = base::stable_hash(text ? *text : text.error().message, hash);
  }
  return hash;
}

// Of a kept text: what it has of each file; nothing where it has not the file.
std::vector<std::optional<std::string_view>> RuleBook::sections_in(std::string_view kept) const {
  std::vector<std::optional<std::string_view>> sections;
  std::size_t at = 0;
  for (std::size_t i = 0; i < spec_.files.size(); ++i) {
    const std::string begin = heading(spec_.files[i]);
    at = kept.find(begin, at);
    if (at == std::string_view::npos) break;
    at += begin.size();
    const std::size_t end = i + 1 < spec_.files.size() ? kept.find(heading(spec_.files[i + 1]), at) : std::string_view::npos;
    sections.emplace_back(kept.substr(at, end == std::string_view::npos ? end : end - at));
  }
  sections.resize(spec_.files.size());
  return sections;
}

// Waits for the API server, or begins with what is kept of its ConfigMaps.
Result<void> RuleBook::hear_of_maps(const Result<std::string>& kept) {
  if (maps_.empty()) return {};
  const bool has_kept = kept && !kept->empty() && !spec_.strict;
  maps_.wait(has_kept ? RuleMaps::kPatienceWithText : RuleMaps::kPatience, true);
  for (std::size_t i = 0; i < spec_.files.size() && !has_kept && !maps_.all_known(); ++i) {
    if (!maps_.has(i) || maps_.is_known(i)) continue;
    // To wait gives nobody a right; a server may come back.
    if (auto why = maps_.why_unknown(i); why.code == Code::config) return why;
    maps_.wait(RuleMaps::kPatience, false);
  }
  const auto sections = has_kept ? sections_in(*kept) : std::vector<std::optional<std::string_view>>(spec_.files.size());
  for (std::size_t i = 0; i < spec_.files.size(); ++i) {
    if (!maps_.has(i) || maps_.is_known(i)) continue;
    if (!sections[i]) return maps_.why_unknown(i);
    maps_.use_kept(i, *sections[i]);
    context_.diagnostics->say(fmt::format("{}; the rules of '{}' that ran last are used until it does; they are in '{}'",
                                          maps_.trouble(i), spec_.files[i], kept_path()));
  }
  maps_.take();
  return {};
}

// What is most likely a mistake, and works.
void RuleBook::warn() const {
  const rules::Surroundings where{
      .now = context_.clock->wall(), .levels_known = spec_.levels_known, .behind_buffer = spec_.behind_buffer};
  for (const rules::Finding& one : rules::check(set_.rules(), where)) {
    if (one.severity != rules::Severity::warning) continue;
    context_.diagnostics->say(fmt::format("{}: warning: {}", rules::print(one.place), one.message));
    if (!one.hint.empty()) context_.diagnostics->say(one.hint);
  }
}

std::string RuleBook::kept_path() const {
  return spec_.keep_beside.empty() ? std::string() : fmt::format("{}-rules-{:08x}", spec_.keep_beside, name_hash(spec_.files));
}

// A disk that is full costs only what the next start may need: the files themselves are there.
void RuleBook::keep(const std::string& text) const {
  const std::string path = kept_path();
  if (path.empty()) return;
  const auto before = base::read_own_file(path, "the rules that are kept");
  if (before && *before == text) return;
  if (auto kept = base::replace_text_file(path, text); !kept) {
    context_.diagnostics->warn(
        "rules-keep",
        fmt::format("{}; if the rules have a mistake at the next start, these cannot replace them", kept.error().message));
  }
}

void RuleBook::note_removed_releases(const std::string& before) {
  const auto rules = rules::parse(before, {}, context_.clock->wall());
  if (!rules) return;
  for (const rules::Rule& rule : *rules) {
    if (!std::holds_alternative<rules::Release>(rule.action)) continue;
    const auto has_id = [id = rule.text_id()](const rules::Rule& other) { return other.text_id() == id; };
    if (std::ranges::none_of(set_.rules(), has_id)) removed_releases_.push_back(rule.text_id());
  }
}

// A kill or a new pipeline text may start a chain while somebody edits a file in place. Whoever writes on and on is not waited for.
void RuleBook::wait_for_whole_files() {
  const base::Monotonic deadline = base::after(context_.clock->monotonic(), 2 * base::FileWatch::kSettle);
  while (true) {
    watch_.remember();
    const base::Duration wait = watch_.unsettled(context_.clock->wall());
    const base::Monotonic now = context_.clock->monotonic();
    if (wait <= 0 || now >= deadline || (context_.stop != nullptr && context_.stop->stopped())) return;
    struct pollfd asked_to_end = {context_.stop != nullptr ? context_.stop->fd() : -1, POLLIN, 0};
    ::poll(&asked_to_end, 1, base::poll_timeout(now, std::min(deadline, base::after(now, wait))));
  }
}

Result<std::unique_ptr<RuleBook>> RuleBook::open(const RuleBookSpec& spec, const pipeline::Context& context) {
  auto maps = RuleMaps::start(spec.files, spec.kube, context);
  if (!maps) return std::move(maps).error();
  std::unique_ptr<RuleBook> book(new RuleBook(spec, *std::move(maps), context));
  book->wait_for_whole_files();
  book->read_at_ = context.clock->wall();
  if (context.stop != nullptr) book->reloads_asked_ = context.stop->reloads();
  const std::string kept = book->kept_path();
  const auto before =
      kept.empty() ? base::Result<std::string>(std::string()) : base::read_own_file(kept, "the rules that are kept");
  for (const auto& section : book->sections_in(before ? std::string_view(*before) : std::string_view())) {
    book->written_.push_back(section && !rules::is_blank(*section));
  }
  if (auto heard = book->hear_of_maps(before); !heard) return std::move(heard).error();
  auto text = book->read();
  if (text) {
    book->broken_ = !book->maps_.all_known();
    book->set_ = std::move(text->set);
    book->written_ = std::move(text->written);
    book->warn();
    if (before) book->note_removed_releases(*before);
    book->keep(text->whole);
    return book;
  }
  if (kept.empty() || !before || spec.strict) return std::move(text).error();
  auto rules = rules::parse(*before, kept, context.clock->wall());
  if (!rules) return std::move(text).error();
  auto set = rules::RuleSet::compile(*std::move(rules));
  if (!set) return std::move(text).error();
  book->set_ = *std::move(set);
  book->broken_ = true;
  ++book->failures_;
  book->failure_ = text.error().message;
  context.diagnostics->report(std::move(text).error());
  context.diagnostics->say(fmt::format("the rules that ran last are used until the mistake is corrected; they are in '{}'", kept));
  return book;
}

Result<void> RuleBook::attach(base::Wake& wake) {
  if (auto heard = maps_.attach(wake); !heard) return heard;
  if (!has_files()) {
    // No inotify instance, of which there are few.
  } else if (auto watched = watch_.attach(wake); !watched) {
    return watched;
  }
  if (context_.stop == nullptr) return {};
  return wake.watch_event(context_.stop->reload_fd());
}

bool RuleBook::refresh(base::Monotonic now) {
  const bool asked = context_.stop != nullptr && context_.stop->reloads() != reloads_asked_;
  if (asked) {
    reloads_asked_ = context_.stop->reloads();
    watch_.expect();
    failure_.clear();  // whoever asks gets an answer
  }
  // While a file is being written, a change of a ConfigMap waits.
  if (has_files() && maps_.changed()) watch_.expect();
  if (has_files() ? !watch_.changed(now) : !asked && !maps_.changed()) return false;
  maps_.take();
  auto text = read();
  if (!text) {
    ++failures_;
    broken_ = true;
    // Each write of an editor is a change; the same mistake is reported once.
    if (std::exchange(failure_, text.error().message) == failure_) {
      // Where another file was changed meanwhile, somebody waits for that change.
      if (std::exchange(refused_, contents()) != refused_) {
        context_.diagnostics->warn("rules-broken", fmt::format("no change of the rules takes effect: {}", failure_));
      }
      return false;
    }
    refused_ = contents();
    Error error = std::move(text).error();
    error.message += "; the rules from before stay in use";
    context_.diagnostics->report(error);
    return false;
  }
  text->set.take_state_of(set_);
  set_ = std::move(text->set);
  written_ = std::move(text->written);
  failure_.clear();
  broken_ = !maps_.all_known();
  read_at_ = context_.clock->wall();
  ++reloads_;
  keep(text->whole);
  warn();
  context_.diagnostics->say(fmt::format("the rules were read again: {}", base::count_of(set_.rules().size(), "rule")));
  return true;
}

}  // namespace weir::stages
