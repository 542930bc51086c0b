// weir spool: what is in a spool, whether it is sound, and what its administrator may do to it.
#include "base/count.h"
#include "cli/value_options.h"
#include "cmd/commands.h"
#include "record/age.h"
#include "record/json.h"
#include "record/timestamp.h"
#include "show/progress.h"
#include "spool/administration.h"
#include "spool/copy.h"
#include "spool/inspection.h"
#include "spool/release.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cerrno>
#include <vector>

namespace weir::cmd {
namespace {

using record::json_string;

using base::Code;
using base::Result;

Result<void> print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EPIPE) return {};
    if (written < 0 && errno != EINTR) return base::io_error(errno, "write to standard output");
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::string time_or_null(base::Timestamp time) { return time == 0 ? "null" : json_string(record::to_rfc3339(time)); }

// Of a range of time, which may be open.
std::string end_or_null(base::Timestamp time) {
  return time == base::TimeRange::kBeginning || time == base::TimeRange::kForever ? "null" : json_string(record::to_rfc3339(time));
}

std::string to_json(const std::string& path, const spool::SpoolStatus& status) {
  std::string out = fmt::format(
      R"({{"spool":{},"id":"{:016x}","format":{},"created":{},"file_bytes":{},"log_bytes":{},"free_bytes":{},"reserve_bytes":{},)"
      R"("blocks":{},"records":{},)"
      R"("line_bytes":{},"body_bytes":{},"undelivered":{},"delivered":{},"held":{},"held_bytes":{},"oldest_held":{},"rejected":{},)"
      R"("evicted_undelivered":{},"evicted_rejected":{},"damaged_blocks":{},"damaged_records":{},)"
      R"("oldest":{},"newest":{},"writing":{},"missing":{},"consumers":[)",
      json_string(path), status.id, status.format, time_or_null(status.created), status.file_bytes, status.log_bytes,
      status.free_bytes, status.reserve_bytes, status.blocks, status.records, status.line_bytes, status.body_bytes,
      status.undelivered, status.delivered, status.held, status.held_bytes, time_or_null(status.oldest_held), status.rejected,
      status.evicted_undelivered, status.evicted_rejected, status.damaged_blocks, status.damaged_records,
      time_or_null(status.oldest), time_or_null(status.newest), status.writing,
      status.missing.empty() ? "null" : json_string(status.missing));
  for (std::size_t i = 0; i < status.consumers.size(); ++i) {
    const spool::ConsumerStatus& one = status.consumers[i];
    out += fmt::format(
        R"({}{{"name":{},"match":{},"block":{},"ordinal":{},"behind_records":{},"oldest":{},"updated":{},"connected":{}}})",
        i == 0 ? "" : ",", json_string(one.name), json_string(one.match), one.place.block, one.place.ordinal, one.behind_records,
        time_or_null(one.oldest), time_or_null(one.updated), one.connected);
  }
  out += R"(],"releases":[)";
  for (std::size_t i = 0; i < status.releases.size(); ++i) {
    const spool::ReleaseStatus& one = status.releases[i];
    out += fmt::format(
        R"({}{{"id":{},"query":{},"asked":{},"from":{},"to":{},"state":{},"matched":{},"released":{},"pending":{},"left_out":{},)"
        R"("sent":{},"refused":{},"lost":{}}})",
        i == 0 ? "" : ",", json_string(one.id), json_string(one.query), time_or_null(one.created), end_or_null(one.from),
        end_or_null(one.to), json_string(one.state), one.matched, one.released, one.pending, one.left_out, one.sent, one.refused,
        one.lost);
  }
  out += R"(],"set_aside":[)";
  for (std::size_t i = 0; i < status.set_aside.size(); ++i) out += (i == 0 ? "" : ",") + json_string(status.set_aside[i]);
  out += R"(],"positions":[)";
  bool first = true;
  for (const auto& [log, position] : status.positions) {
    out += fmt::format(R"({}{{"log":{},"generation":{},"offset":{}}})", first ? "" : ",", json_string(log),
                       position.resume.generation, position.resume.offset);
    first = false;
  }
  return out + "]}\n";
}

std::string in_blocks(std::uint64_t records, std::uint64_t blocks) {
  return fmt::format("{} in {}", base::count_of(records, "record"), base::count_of(blocks, "block"));
}

std::string age(base::Timestamp time, base::Timestamp now) {
  if (time == 0) return "-";
  return fmt::format("{} ({})", record::to_rfc3339(time), record::age_in_words(time, now));
}

// Without a consumer, no record waits for delivery. Most spools never have held records.
std::string states(const spool::SpoolStatus& status) {
  std::string text = status.consumers.empty() ? base::grouped(status.undelivered + status.delivered) + " kept (no consumer)"
                                              : fmt::format("{} undelivered, {} delivered", base::grouped(status.undelivered),
                                                            base::grouped(status.delivered));
  if (status.held > 0) text += fmt::format(", {} held", base::grouped(status.held));
  return text + fmt::format(", {} rejected", base::grouped(status.rejected));
}

std::string to_text(const std::string& path, const spool::SpoolStatus& status, base::Timestamp now) {
  std::string out;
  const auto line = [&out](std::string_view name, std::string_view value) { out += fmt::format("{:<13} {}\n", name, value); };
  line("spool", base::escape_control(path));
  if (!status.missing.empty()) line("incomplete", base::escape_control(status.missing));
  line("identity", fmt::format("{:016x}, format {}{}", status.id, status.format, status.writing ? ", being written" : ""));
  // One number for both: the write-ahead log is part of the spool and is copied into the file later.
  line("size", fmt::format("{} ({} of it unused), and a reserve of {}", record::print_size(status.file_bytes + status.log_bytes),
                           record::print_size(status.free_bytes), record::print_size(status.reserve_bytes)));
  line("records", fmt::format("{}, {} of lines in {}", in_blocks(status.records, status.blocks),
                              record::print_size(status.line_bytes), record::print_size(status.body_bytes)));
  line("states", states(status));
  if (status.oldest_held != 0) {
    line("held", fmt::format("{}, {} on disk, from {}", base::count_of(status.held, "record"),
                             record::print_size(status.held_bytes), age(status.oldest_held, now)));
  }
  if (status.evicted_undelivered > 0) {
    line("lost", fmt::format("{} evicted",
                             base::count_of(status.evicted_undelivered, "undelivered record was", "undelivered records were")));
  }
  if (status.evicted_rejected > 0) {
    line("", fmt::format("{} evicted", base::count_of(status.evicted_rejected, "rejected record was", "rejected records were")));
  }
  if (status.damaged_blocks > 0) line("damaged", in_blocks(status.damaged_records, status.damaged_blocks));
  for (const std::string& file : status.set_aside) line("set aside", base::escape_control(file));
  line("oldest", age(status.oldest, now));
  line("newest", age(status.newest, now));
  if (status.consumers.empty()) line("consumers", "none: the spool is a ring of recent records; the oldest are evicted first");
  for (const spool::ConsumerStatus& one : status.consumers) {
    line("consumer", fmt::format("{}: {} behind{}{}{}", one.name, base::count_of(one.behind_records, "record"),
                                 one.oldest != 0 ? ", from " + age(one.oldest, now) : std::string(),
                                 one.match.empty() ? std::string() : ", takes " + base::escape_control(one.match),
                                 one.connected ? "" : ", nobody connected"));
  }
  for (const spool::ReleaseStatus& one : status.releases) {
    const auto part = [](std::uint64_t count, std::string_view what) {
      return count == 0 ? std::string() : fmt::format(", {} {}", base::grouped(count), what);
    };
    line("release",
         fmt::format("{}: {}, {} matched, {} released{}{}{}{}{}, asked {}", one.id, one.state, base::grouped(one.matched),
                     base::grouped(one.released), part(one.sent, "sent"), part(one.refused, "refused"), part(one.lost, "lost"),
                     part(one.pending, "pending"), part(one.left_out, "left out"), age(one.created, now)));
  }
  line("positions", base::count_of(status.positions.size(), "log"));
  return out;
}

Result<std::string> status_of(const std::string& spool, bool json, base::Timestamp now) {
  auto status = spool::read_status(spool);
  if (!status) return std::move(status).error();
  return json ? to_json(spool, *status) : to_text(spool, *status, now);
}

std::string to_text(const std::string& spool, const spool::SpoolCheck& checked, bool json) {
  std::string out;
  if (json) {
    out = fmt::format(R"({{"spool":{},"blocks":{},"records":{},"problems":[)", json_string(spool), checked.blocks, checked.records);
    for (std::size_t i = 0; i < checked.problems.size(); ++i) out += (i == 0 ? "" : ",") + json_string(checked.problems[i]);
    return out + "]}\n";
  }
  for (const std::string& problem : checked.problems) out += base::escape_control(problem) + "\n";
  return out + fmt::format("{}: {}\n", in_blocks(checked.records, checked.blocks),
                           checked.problems.empty() ? "sound" : base::count_of(checked.problems.size(), "problem"));
}

constexpr base::Duration kBusy = 30 * base::kSecond;  // for a spool that another process has locked for a moment

// Shows how far long work on a spool is, and ends it on a signal.
class Follow {
 public:
  Follow(std::string_view verb, const pipeline::Context& context)
      : progress_(verb, *context.diagnostics, *context.clock), stop_(*context.stop) {}
  spool::Watch watch() {
    return [this](std::uint64_t done, std::uint64_t all) {
      if (progress_.due()) progress_.show({.bytes = done, .done = done, .all = all});
      return !stop_.stopped();
    };
  }

 private:
  show::Progress progress_;
  const base::Stop& stop_;
};

enum class Action : std::uint8_t { status, check, copy, forget, cancel, compact };

class Spool : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    cli::add_choice<Action>(app, "action", action_,
                            {{"status", Action::status},
                             {"check", Action::check},
                             {"copy", Action::copy},
                             {"forget", Action::forget},
                             {"cancel", Action::cancel},
                             {"compact", Action::compact}},
                            "`status` shows what the spool holds, `check` looks for damage, `copy` makes a copy, `forget` ends a "
                            "consumer, `cancel` ends a release, `compact` gives unused space back")
        ->type_name("status|check|copy|forget|cancel|compact")
        ->default_str("")
        ->required();
    app.add_option("spool", arguments_,
                   "the spool (default: WEIR_SPOOL); also `forget NAME SPOOL`, where NAME is the consumer, `cancel ID SPOOL`, and "
                   "`copy SPOOL DEST`")
        ->type_name("SPOOL")
        ->expected(1, 2);
    cli::add_choice<bool>(app, "-o,--output", json_, {{"text", false}, {"json", true}}, "text for people or JSON for programs");
    cli::add_duration(app, "--wait", wait_, "how long `compact` waits for the writer of the spool, or `copy` for a busy file");
  }

  void fill_in(const char* (*environment)(const char* name)) override {
    const char* named = environment("WEIR_SPOOL");
    if (named != nullptr) standard_ = named;
  }

  [[nodiscard]] Result<void> check() const override {
    auto names = read_names();
    return names ? Result<void>() : Result<void>(std::move(names).error());
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    auto names = read_names();
    if (!names) return std::move(names).error();
    const std::string& file = names->spool;
    const std::string& consumer = names->consumer;
    if (action_ == Action::status) {
      auto text = status_of(file, json_, context.clock->wall());
      return text ? finish(*text, cli::Exit::ok) : Result<cli::Exit>(std::move(text).error());
    }
    if (action_ == Action::check) {
      auto checked = [&] {
        Follow follow("checked", context);
        return spool::check_spool(file, kBusy, follow.watch());
      }();
      if (!checked) return std::move(checked).error();
      return finish(to_text(file, *checked, json_), checked->problems.empty() ? cli::Exit::ok : cli::Exit::incomplete);
    }
    if (action_ == Action::copy) return copy(*names, context);
    if (action_ == Action::cancel) {
      auto left = spool::cancel_release(file, consumer);
      if (!left) return std::move(left).error();
      return finish(
          json_ ? fmt::format("{{\"spool\":{},\"cancelled\":{},\"records\":{}}}\n", json_string(file), json_string(consumer), *left)
                : fmt::format("release '{}' {}\n", base::escape_control(consumer),
                              *left == 0 ? "has nothing left to release"
                                         : "is cancelled: " + base::count_of(*left, "record stays held", "records stay held")),
          cli::Exit::ok);
    }
    if (action_ == Action::forget) {
      if (auto done = spool::forget_consumer(file, consumer, *context.clock); !done) return std::move(done).error();
      return finish(json_ ? fmt::format("{{\"spool\":{},\"forgotten\":{}}}\n", json_string(file), json_string(consumer))
                          : fmt::format("consumer '{}' is forgotten: the spool keeps no records for it any more\n", consumer),
                    cli::Exit::ok);
    }
    auto done = [&] {
      Follow follow("gave back", context);
      return spool::compact(file, wait_, *context.clock, follow.watch());
    }();
    if (!done) return std::move(done).error();
    return finish(json_ ? fmt::format("{{\"spool\":{},\"before_bytes\":{},\"after_bytes\":{},\"by_writer\":{}}}\n",
                                      json_string(file), done->before, done->after, done->by_writer)
                        : fmt::format("{} before, {} now\n", record::print_size(done->before), record::print_size(done->after)),
                  cli::Exit::ok);
  }

 private:
  struct Names {
    std::string spool, consumer, target;  // consumer: or release
  };

  // [SPOOL]; for `forget` CONSUMER [SPOOL], for `cancel` RELEASE [SPOOL], for `copy` [SPOOL] DEST.
  [[nodiscard]] Result<Names> read_names() const {
    Names names;
    std::vector<std::string> rest = arguments_;
    if (action_ == Action::cancel) {
      if (rest.empty()) {
        return base::fail(Code::usage, "ID is missing")
            .with_hint("which release? `weir spool status` shows them: weir spool cancel ID SPOOL");
      }
      names.consumer = rest.front();
      rest.erase(rest.begin());
    }
    if (action_ == Action::forget) {
      if (rest.empty())
        return base::fail(Code::usage, "NAME is missing").with_hint("which consumer is gone? weir spool forget NAME SPOOL");
      names.consumer = rest.front();
      rest.erase(rest.begin());
    }
    if (action_ == Action::copy) {
      if (rest.size() < 2) {
        return base::fail(Code::usage, "{} missing", rest.empty() ? "SPOOL and DEST are" : "DEST is")
            .with_hint("name the spool and the file to make: weir spool copy SPOOL DEST");
      }
      names.target = rest.back();
      rest.pop_back();
    }
    if (rest.size() > 1) return base::fail(Code::usage, "'{}' is one argument too many", rest[1]);
    names.spool = rest.empty() ? standard_ : rest.front();
    if (names.spool.empty()) {
      return base::fail(Code::usage, "SPOOL is missing")
          .with_hint(action_ == Action::forget   ? "name the consumer and the spool: weir spool forget NAME SPOOL"
                     : action_ == Action::cancel ? "name the release and the spool: weir spool cancel ID SPOOL"
                                                 : "name a file, or set WEIR_SPOOL");
    }
    return names;
  }

  static Result<cli::Exit> finish(const std::string& text, cli::Exit exit) {
    if (auto done = print(text); !done) return std::move(done).error();
    return exit;
  }

  Result<cli::Exit> copy(const Names& names, const pipeline::Context& context) const {
    auto copied = [&] {
      Follow follow("copied", context);
      return spool::copy_spool(names.spool, names.target, wait_, *context.clock, context.stop, follow.watch());
    }();
    if (!copied) return std::move(copied).error();
    if (copied->missing) context.diagnostics->say(*copied->missing);
    if (copied->evicted > 0) {
      context.diagnostics->say(fmt::format("{} missing in the copy: the process that writes the spool evicted {} during the copy",
                                           base::count_of(copied->evicted, "record is", "records are"),
                                           copied->evicted == 1 ? "it" : "them"));
    }
    const std::string text = json_ ? fmt::format(R"({{"spool":{},"copy":{},"blocks":{},"records":{},"bytes":{},"evicted":{}}})"
                                                 "\n",
                                                 json_string(names.spool), json_string(names.target), copied->blocks,
                                                 copied->records, copied->bytes, copied->evicted)
                                   : fmt::format("{} copied to '{}', {}\n", in_blocks(copied->records, copied->blocks),
                                                 base::escape_control(names.target), record::print_size(copied->bytes));
    return finish(text, copied->missing ? cli::Exit::incomplete : cli::Exit::ok);
  }

  Action action_ = Action::status;
  std::string standard_;  // WEIR_SPOOL
  bool json_ = false;
  std::vector<std::string> arguments_;
  base::Duration wait_ = 60 * base::kSecond;
};

constexpr std::string_view kManual = R"(# status
`weir spool status` shows the size, the number of records in each state, the oldest and the newest record, how far each
consumer is behind, what was damaged and set aside, and how many logs have a position. Where rules hold records, it
shows how many the spool holds, how much of the disk they take, and how old the oldest is.

A spool without a consumer is a ring of recent records: the oldest are evicted when they are older than
`weir buffer --retain` or when --max-size is reached. Only a `weir buffer` that forwards evicts none before it has passed
them on, unless it may drop the oldest.

It also shows each release of held records (weir-replay(1)): how many records matched, how many are released so far, how
many of those were sent, refused by Loki or lost, how many are pending, and how many were left out, because they were
evicted, cancelled or released before.

# check
`weir spool check` reads everything: SQLite's own integrity check, the checksum and the form of every block, positions
and acknowledgements. It changes nothing. It prints a line for each damage and exits with 3. The `weir buffer` that
writes the spool sets aside what is damaged.

# copy
`weir spool copy SPOOL DEST` copies the whole spool into one file, while the spool is in use. A copy that `cp`
makes without SPOOL-wal lacks the newest records; `status` and `check` report that. DEST must not exist. The copy never
blocks the writer. Records that the writer evicts meanwhile are not copied; they are counted.

# cancel
`weir spool cancel ID` ends a release. Records that it has not released yet stay held. Records that it has released are
delivered.

# forget
`weir spool forget NAME` ends a consumer (`weir push --as NAME`) that will not come back. The spool then keeps no
records for it. The command fails while a process acknowledges under that name.

# compact
`weir spool compact` gives the unused space of the file back to the file system. While a `weir buffer` writes the spool,
it asks that process to do so and waits for it.)";

}  // namespace

const cli::Command spool_command = {
    .name = "spool",
    .summary = "show what a spool holds, check it, and maintain it",
    .description =
        "Shows what a spool holds, checks it, copies it, ends a consumer, or gives unused space back. Every action may "
        "run while other processes write and read the spool.",
    .manual = kManual,
    .usual = {"--output", "--wait"},
    .role = cli::Role::action,
    .examples = {{"see how far behind Loki is", "weir spool status spool.db"},
                 {"for a script", "weir spool status spool.db -o json | jq .undelivered"},
                 {"check it after a power cut", "weir spool check spool.db"},
                 {"copy it to look at it on another machine", "weir spool copy spool.db copy.db"},
                 {"end a target that is gone for good", "weir spool forget archive spool.db"}},
    .exits = {cli::Exit::ok, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed, cli::Exit::interrupted,
              cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Spool>()); },
    // Behind `forget` stands the name of a consumer, behind `cancel` that of a release, and then the spool.
    .following =
        [](std::string_view first) {
          return first == "forget" || first == "cancel" ? std::optional(cli::Following()) : std::nullopt;
        },
};

}  // namespace weir::cmd
