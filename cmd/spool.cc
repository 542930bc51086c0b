// weir spool: what is in a spool, whether it is sound, and what its administrator may do to it.
#include "base/count.h"
#include "cli/spool_report.h"
#include "cli/terminal.h"
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

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

namespace weir::cmd {
namespace {

using record::json_string;

using base::Code;
using base::Result;

constexpr base::Duration kRedrawEvery = 2 * base::kSecond;

Result<void> print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EPIPE) return {};
    if (written < 0 && errno != EINTR) return base::io_error(errno, "write to standard output");
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::string in_blocks(std::uint64_t records, std::uint64_t blocks) {
  return fmt::format("{} in {}", base::count_of(records, "record"), base::count_of(blocks, "block"));
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
    output_ =
        cli::add_choice<bool>(app, "-o,--output", json_, {{"text", false}, {"json", true}}, "text for people or JSON for programs");
    cli::add_duration(app, "--wait", wait_, "how long `compact` waits for the writer of the spool, or `copy` for a busy file");
    cli::add_duration(app, "--max-behind", max_behind_,
                      "`status` only exits with 1 when `behind` is longer; it shows the rest with -o");
    app.add_flag("-f,--follow", follow_, "`status` shows it again every two seconds");
  }

  void fill_in(const char* (*environment)(const char* name)) override {
    const char* named = environment("WEIR_SPOOL");
    if (named != nullptr) standard_ = named;
    output_given_ = output_->count() > 0;
  }

  [[nodiscard]] Result<void> check() const override {
    if (action_ != Action::status && (max_behind_ || follow_)) {
      return base::fail(Code::usage, "{} belongs to `weir spool status`", max_behind_ ? "--max-behind" : "--follow");
    }
    if (max_behind_ && follow_) {
      return base::fail(Code::usage, "cannot use --max-behind together with --follow")
          .with_hint("--max-behind answers once, with the exit code");
    }
    auto names = read_names();
    return names ? Result<void>() : Result<void>(std::move(names).error());
  }

  Result<cli::Exit> act(const pipeline::Context& context) override {
    auto names = read_names();
    if (!names) return std::move(names).error();
    const std::string& file = names->spool;
    const std::string& consumer = names->consumer;
    if (action_ == Action::status) return show_status(file, context);
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

  Result<cli::Exit> show_status(const std::string& file, const pipeline::Context& context) const {
    const bool redraws = follow_ && !json_ && cli::is_terminal(STDOUT_FILENO);
    for (bool first = true;; first = false) {
      auto report = cli::read_spool_report(file, *context.clock);
      if (!report) return std::move(report).error();
      // A job of cron sends a mail for whatever it prints.
      if (max_behind_ && !output_given_) return judge(*report, context);
      const std::string text = json_ ? cli::spool_report_json(*report) : cli::spool_report_text(*report);
      auto taken = cli::write_all(STDOUT_FILENO, redraws ? cli::in_place(text) : !first && !json_ ? "\n" + text : text);
      if (!taken) return std::move(taken).error();
      if (!follow_) return judge(*report, context);
      pollfd stopped = {context.stop->fd(), POLLIN, 0};
      if (*taken) ::poll(&stopped, 1, static_cast<int>(kRedrawEvery / base::kMillisecond));
      if (!*taken || context.stop->stopped()) return cli::exit_of_signal(context.stop->signal(), cli::Exit::ok);
    }
  }

  // --max-behind.
  Result<cli::Exit> judge(const cli::SpoolReport& report, const pipeline::Context& context) const {
    if (!max_behind_) return cli::Exit::ok;
    auto behind = cli::is_behind(report, *max_behind_);
    if (!behind) return std::move(behind).error();
    if (!*behind) return cli::Exit::ok;
    context.diagnostics->say(fmt::format("'{}' is {} behind, which is more than {} (--max-behind)", report.path,
                                         record::in_words(report.behind()), cli::duration_text(*max_behind_)));
    return cli::Exit::negative;
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
  CLI::Option* output_ = nullptr;  // valid until fill_in()
  bool output_given_ = false;
  std::vector<std::string> arguments_;
  base::Duration wait_ = 60 * base::kSecond;
  std::optional<base::Duration> max_behind_;
  bool follow_ = false;
};

constexpr std::string_view kManual = R"(# status
`weir spool status` asks no running process: it reads the spool, what the processes noted beside it, and the log files. So it
also works when nothing runs. It shows, as far as it applies:

`writer`, `delivers`: the process that writes the spool and the one that delivers out of it, with its command; or the last one,
and when it ended. `last success`: when Loki last took records. `blocked`: what a process waits for, and since when, the writer
first. `last error`: the latest trouble, also if it is over. A process notes these at most every two seconds.

`behind`: how late delivery is. Of a record in the spool that is not delivered, it is the time since the record was stored, or
the age of the record by its own time, whichever is less. So old lines that weir has just stored are not late at once; the age
by the record's own time stands beside it when it differs. Of a line that is not read, it is the age of the line: a weir that
has just started on old logs is behind. The longest of these counts. `weir_buffer_oldest_undelivered_seconds`, in
weir-metrics(7), goes by the time since records were stored. `unread`: how many bytes of the log files are not
read, and which logs are the furthest behind. Their age is that of the first unread line; where lines have no time, the log is at
least as far behind as the last change of its file. Rotated and compressed files count. A line without its end counts as bytes
only. While a chain runs, up to three seconds of what it has read count as unread. Only logs with a stored position count: not a
log of which tail has read nothing yet, nor one that appeared while no chain runs. `gone`: files that were removed before their
end was read. `trouble`: files that cannot be read; how far their logs are behind is not known.

`journal`: the last entry of a journal that is safe, its time, and how many entries behind it are not read. Numbers of entries
may have holes, so that it says `up to`. Entries that --unit and --priority leave out count, too, for up to a minute, and
so does a journal that no tail reads any more. Weir finds a journal by the folder in its position, and reads it with libsystemd.

`full`: the writer waits for room. `full in`: how long it takes until the spool is full when nothing is delivered, at the rate of
the last five minutes. It is left out while less than a minute was seen.

`lost`: what will not be delivered, since the spool was made: logs of which a part was lost before it was read (each loss was also
reported by a record with the metadata `weir_gap_bytes`), undelivered records that were evicted to make room
(gap records tell of them as well), rejected records that were evicted, held records that had no room, and damaged blocks.

Then come the size, the number of records in each state, the oldest and the newest record, how far each consumer is behind, and
how many logs have a position. Where rules hold records, it shows how many the spool holds, how much of the disk they take, and
how old the oldest is.

A file of `weir push --checkpoint` has a status as well; it holds no records.

A spool without a consumer is a ring of recent records: the oldest are evicted when they are older than
`weir buffer --retain` or when --max-size is reached. Only a `weir buffer` that forwards evicts none before it has passed
them on, unless it may drop the oldest.

It also shows each release of held records (weir-replay(1)): how many records matched, how many are released so far, how
many of those were sent, refused by Loki or lost, how many are pending, and how many were left out, because they were
evicted, cancelled or released before.

With `-o json` it prints one object with everything. Times are in RFC 3339, `null` stands for what is unknown or does not apply.
The names stay as they are in later releases; new ones may be added. For alerts: `running`, `behind_seconds`, `unread_bytes`,
`unread_seconds`, `undelivered_seconds` (the part of the spool in `behind_seconds`), `oldest_undelivered`, `last_success`,
`last_error`, `last_error_at`, `blocked` and `blocked_since` (of the writer, when several processes wait),
`full_in_seconds`, and `lost`, an object with `gaps`, `gap_bytes`, `gaps_of_unknown_size`, `evicted_undelivered`,
`damaged_records`, `held_not_stored`, `held_evicted` and `logs`. `writer` and the `process` of each of `consumers` say `running`,
`pid`, `command`, `started`, `ended` and what the process noted. `unread` lists the logs of which something is unread, gone or
unreadable, the furthest behind first: `log`, `path`, `unread_bytes`, `unread_files`, `oldest`, `oldest_is_of_file`, `seconds`,
`gone_files`, `trouble`. `journals` lists the journals that have a position: `journal` (its id), `folder`, `entry`, `time`,
`unread_entries`, `oldest`, `seconds`, `trouble`. `unread_bytes` does not count them.

When a log or a journal cannot be read, `behind_seconds`, `unread_seconds` and, unless its size is known, `unread_bytes` are `null`.

With --max-behind the exit code is 1 when `behind` is longer, for a probe or a job of cron. It is 4 when a log cannot be read and
what is known is not longer. In both cases a message on standard error says so; otherwise nothing is printed. With -o as well,
the status is always printed. With --follow the status is shown again every two seconds, on a terminal in place of the last one.

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
    .usual = {"--output", "--max-behind", "--follow", "--wait"},
    .role = cli::Role::action,
    .examples = {{"see how far behind Loki is", "weir spool status spool.db"},
                 {"for a script", "weir spool status spool.db -o json | jq .behind_seconds"},
                 {"for a probe", "weir spool status spool.db --max-behind 5m"},
                 {"check it after a power cut", "weir spool check spool.db"},
                 {"copy it to look at it on another machine", "weir spool copy spool.db copy.db"},
                 {"end a target that is gone for good", "weir spool forget archive spool.db"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Spool>()); },
    // Behind `forget` stands the name of a consumer, behind `cancel` that of a release, and then the spool.
    .following =
        [](std::string_view first) {
          return first == "forget" || first == "cancel" ? std::optional(cli::Following()) : std::nullopt;
        },
};

}  // namespace weir::cmd
