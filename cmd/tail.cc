// weir tail: read log files as records.
#include "stages/line_regex.h"
#include "stages/tail_source.h"
#include "tail/stream_input.h"

#include "cli/output_options.h"
#include "cli/selection_options.h"
#include "cli/time_options.h"
#include "cli/value_options.h"
#include "cmd/commands.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

constexpr std::uint64_t kLinesOnTerminal = 10;
constexpr base::Duration kMaxAge = 7 * 24 * base::kHour;  // Loki's default for what it takes

class Tail : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option(
           "path", spec_.inputs,
           "files, folders, quoted globs, a FIFO or <(COMMAND); `-` for standard input (default: /var/log/pods). In a folder, tail "
           "reads *.log and the logs of pods")
        ->type_name("PATH|GLOB|DIR|-");
    app.add_flag("-f,--follow", spec_.read.follow, "keep reading new lines, new files and pods, across rotations");
    cli::add_size(app, "--hold-deleted", spec_.hold_deleted,
                  "with -f: how much of deleted files may stay on the disk until it is read; beyond that, the oldest are "
                  "abandoned and reported");
    cli::add_value(
        app, "--lines", [this](const std::string& text) { return read_lines(text); },
        "start with the last N lines of each file (default: all; 10 with -f on a terminal, without --checkpoint)")
        ->type_name("N|all");
    cli::add_value(
        app, "--from", [this](const std::string& text) { return read_from(text); },
        "where to start in files that exist already and have no position (default: start); in the journal also behind a cursor "
        "(journalctl --show-cursor)")
        ->type_name("start|end|TIME|CURSOR");
    cli::add_time(app, "--since", since_, "skip older records; the same as --from TIME")->type_name("DURATION|TIME");
    cli::add_duration(app, "--max-age", max_age_,
                      "in a log without a position, skip older lines; 0 for no limit (default: 7d with -f --checkpoint, else 0)");
    app.add_flag("--follow-links", spec_.follow_links, "follow symbolic links wherever they lead");
    app.add_option("--log-root", spec_.log_roots, "also follow symbolic links into this folder (repeatable)")
        ->type_name("DIR")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    using tail::Format;
    cli::add_choice<Format>(app, "--format", spec_.read.format,
                            {{"auto", Format::automatic},
                             {"cri", Format::cri},
                             {"docker", Format::docker},
                             {"raw", Format::raw},
                             {"journal", Format::journal},
                             {"rfc3339", Format::rfc3339}},
                            "format of the lines; `auto` finds cri, docker or raw by the first line of each file. journal: "
                            "journalctl -o json; rfc3339: kubectl logs --timestamps, docker logs -t")
        ->type_name("FORMAT");
    cli::add_size(app, "--max-line", spec_.read.max_line, "split longer lines into pieces with metadata weir_split",
                  {.least = 64, .most = 64 << 20});
    cli::add_value(
        app, "--multiline", [this](const std::string& text) { return read_multiline(text); },
        "join lines to one record: up to the next one that REGEX matches, or stack traces of a language")
        ->type_name("REGEX|java|python|go|ruby|dotnet");
    cli::add_duration(app, "--multiline-wait", multiline_wait_,
                      "with --multiline: how long a record waits for its next line (default: 1s)", cli::kMoreThanZero);
    cli::add_number(app, "--multiline-lines", multiline_lines_, "with --multiline: the most lines of one record (default: 2000)",
                    {.least = 2, .most = 1'000'000});
    cli::add_size(app, "--multiline-size", multiline_size_,
                  "with --multiline: the most bytes of one record (default: that of --max-line)", {.least = 64, .most = 64 << 20});
    using tail::FilenameMode;
    cli::add_choice<FilenameMode>(
        app, "--filename", spec_.read.filename, {{"label", FilenameMode::label}, {"metadata", FilenameMode::metadata}},
        "add the file's path as a label or as metadata (default: a label, only for files that belong to no pod)")
        ->type_name("WHERE");

    constexpr const char* journal = "The systemd journal";
    app.add_flag("--journal", spec_.journal.on, "read the systemd journal of this machine; beside files where PATH names some")
        ->group(journal);
    app.add_option("--journal-dir", spec_.journal.folder, "read the journal files in DIR, or in the folders of machines in it")
        ->type_name("DIR")
        ->group(journal);
    cli::add_value(
        app, "--unit", [this](const std::string& text) { return read_unit(text); },
        "of the journal, only this unit (repeatable); kubelet means kubelet.service", cli::Times::repeated)
        ->type_name("UNIT")
        ->group(journal);
    cli::add_value(
        app, "--priority", [this](const std::string& text) { return read_priority(text); },
        "of the journal, only entries that are at least so important, or of a range: err, warning..err")
        ->type_name("PRIORITY")
        ->group(journal);
    cli::add_value(
        app, "--journal-field", [this](const std::string& text) { return read_journal_field(text); },
        "add this field of the entries as metadata KEY (repeatable); _TRANSPORT is transport", cli::Times::repeated)
        ->type_name("NAME[=KEY]")
        ->group(journal);

    constexpr const char* selection = "Exclusion by name, before a file is opened (globs, repeatable)";
    cli::declare_selection(app, spec_.selection);
    app.add_option("--exclude-namespace", spec_.selection.exclude_namespaces, "skip the pods of these namespaces")
        ->type_name("GLOB")
        ->group(selection)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--exclude-pod", spec_.selection.exclude_pods, "skip these pods; `web` also means web-…")
        ->type_name("GLOB")
        ->group(selection)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--exclude-container", spec_.selection.exclude_containers, "skip these containers")
        ->type_name("GLOB")
        ->group(selection)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);

    constexpr const char* positions = "Positions";
    app.add_option("--checkpoint", spec_.checkpoint,
                   "start at the positions in FILE, which `buffer FILE` or `push --checkpoint FILE` keeps; `weir run` finds the "
                   "file by itself")
        ->type_name("FILE")
        ->group(positions);
    app.add_option(
           "--positions", spec_.foreign_positions,
           "where a log has no position yet, start where Promtail or Alloy stopped: FILE is its positions file (repeatable)")
        ->type_name("FILE")
        ->group(positions)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    cli::add_duration(app, "--wait", spec_.wait, "how long to wait for a busy checkpoint file")->group(positions);

    cli::declare_output(app, output_);
  }

  [[nodiscard]] Result<void> check() const override {
    for (const std::string& input : spec_.inputs) {
      if (input.size() < 2 || input[0] != '-' || input.find_first_not_of("0123456789", 1) != std::string::npos) continue;
      return base::fail(Code::usage, "unknown option '{}'", input)
          .with_hint(fmt::format("for the last lines: --lines {}", input.substr(1)));
    }
    const bool journal = spec_.journal.on || !spec_.journal.folder.empty();
    if (!journal && !spec_.journal.cursor.empty())
      return base::fail(Code::usage, "cannot use --from with the cursor of a journal without --journal");
    if (!journal && (!spec_.journal.units.empty() || spec_.journal.priorities != tail::kAllPriorities)) {
      return base::fail(Code::usage, "cannot use --unit and --priority without --journal")
          .with_hint("journalctl -u UNIT -o json | weir tail --format journal -");
    }
    const bool standard_input = std::find(spec_.inputs.begin(), spec_.inputs.end(), "-") != spec_.inputs.end();
    if (standard_input && spec_.inputs.size() > 1) {
      return base::fail(Code::usage, "cannot read standard input (-) together with files")
          .with_hint("use cat FILE | weir tail -, or a second weir tail");
    }
    if (standard_input && journal) {
      return base::fail(Code::usage, "cannot read standard input (-) together with the journal")
          .with_hint("journalctl -o json | weir tail --format journal - reads a journal from standard input");
    }
    if (standard_input && !spec_.checkpoint.empty()) {
      return base::fail(Code::usage, "cannot use --checkpoint with standard input: it has no positions");
    }
    if (standard_input && !spec_.foreign_positions.empty()) {
      return base::fail(Code::usage, "cannot use --positions with standard input: it has no positions");
    }
    if (const char* const option = of_files(); journal && spec_.inputs.empty() && option != nullptr) {
      return base::fail(Code::usage, "cannot use {} with the journal alone: it is for log files", option)
          .with_hint("PATH names files that are read beside the journal, such as /var/log/pods");
    }
    if (standard_input && needs_files() != nullptr) {
      return base::fail(Code::usage, "cannot use {} with standard input: it is read once", needs_files())
          .with_hint("use tail -n N FILE | weir tail -");
    }
    const char* const without = multiline_wait_ ? "--multiline-wait" : multiline_lines_ ? "--multiline-lines" : "--multiline-size";
    if (spec_.read.multiline.shape == tail::Shape::none && (multiline_wait_ || multiline_lines_ || multiline_size_)) {
      return base::fail(Code::usage, "cannot use {} without --multiline", without);
    }
    if (spec_.read.multiline.shape != tail::Shape::none &&
        (spec_.read.format == tail::Format::journal || (journal && spec_.inputs.empty()))) {
      return base::fail(Code::usage, "cannot use --multiline with {}: an entry is one record, however many lines it has",
                        spec_.read.format == tail::Format::journal ? "--format journal" : "the journal alone");
    }
    if (since_.has_value() + from_.has_value() + !spec_.journal.cursor.empty() + lines_.has_value() > 1) {
      return base::fail(Code::usage, "cannot use --lines, --from and --since together: each says where to start");
    }
    return {};
  }

  [[nodiscard]] stages::OutputOptions output() const override { return output_; }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    spec_.journal.on = spec_.journal.on || !spec_.journal.folder.empty();
    if (spec_.inputs.empty() && !spec_.journal.on) spec_.inputs.emplace_back("/var/log/pods");
    if (plan.fused && !spec_.checkpoint.empty() && !plan.keeper) {
      return base::fail(Code::config, "cannot keep positions in {}: no stage behind tail writes them", spec_.checkpoint)
          .with_hint(fmt::format("put `buffer {0}` behind it, or `push --checkpoint {0}`", spec_.checkpoint));
    }
    if (plan.keeper && !spec_.checkpoint.empty() && spec_.checkpoint != *plan.keeper) {
      return base::fail(Code::config, "cannot start at the positions in {}: this chain keeps them in {}", spec_.checkpoint,
                        *plan.keeper)
          .with_hint("leave --checkpoint out: weir run finds the file by itself");
    }
    const bool standard_input = spec_.inputs == std::vector<std::string>{"-"};
    const auto stream = std::ranges::find_if(spec_.inputs, tail::is_stream);
    if (stream != spec_.inputs.end()) {
      if (!spec_.checkpoint.empty())
        return base::fail(Code::usage, "cannot use --checkpoint with {}: it is not a file and has no positions", *stream);
      if (const char* option = needs_files(); option != nullptr)
        return base::fail(Code::usage, "cannot use {} with {}: it is read once", option, *stream);
    }
    const bool only_streams = !spec_.journal.on && (standard_input || std::ranges::all_of(spec_.inputs, tail::is_stream));
    if (plan.keeper && stream != spec_.inputs.end() && !only_streams) {
      return base::fail(Code::usage, "cannot read {} together with files whose positions are kept in {}: it has no positions",
                        *stream, *plan.keeper)
          .with_hint("read it with another tail, in a second pipeline");
    }
    if (plan.keeper && !only_streams) spec_.checkpoint = *plan.keeper;
    tail::Multiline& multiline = spec_.read.multiline;
    multiline.max_bytes = multiline_size_.value_or(spec_.read.max_line);
    multiline.wait = multiline_wait_.value_or(multiline.wait);
    multiline.max_lines = multiline_lines_.value_or(multiline.max_lines);
    spec_.start = start(context.clock->wall());
    if (max_age_) spec_.read.max_age = *max_age_;
    // In a pipe nobody knows what comes behind, so that it must not decide either. Who says where to begin has decided.
    const bool begins_at_start = !lines_ && spec_.start.kind == tail::Start::Kind::beginning;
    if (!max_age_ && spec_.read.follow && !spec_.checkpoint.empty() && begins_at_start) spec_.read.max_age = kMaxAge;
    if (plan.last && plan.stdout_is_terminal) {  // somebody watches
      spec_.times.spacing = spec_.times.gather;
      const bool begins_anywhere = !lines_ && !from_ && !since_;
      if (spec_.read.follow && begins_anywhere && spec_.checkpoint.empty() && stream == spec_.inputs.end()) {
        spec_.start = {tail::Start::Kind::lines, kLinesOnTerminal, 0};
        spec_.shortens = true;
      }
    }
    spec_.nothing_matched = &nothing_matched_;
    spec_.handover = plan.handover;
    // Not in spec_: the pods report to diagnostics that end with the chain, and this invocation lives on.
    stages::TailSpec spec = spec_;
    spec.pods = plan.pod_filter;
    spec.read_files = plan.read_files;
    return cli::Built{.source = stages::make_tail_source(std::move(spec), context), .stage = nullptr};
  }

  Result<cli::Built> rehearse(const cli::Plan& plan, const pipeline::Context& context) override {
    auto built = build(plan, context);
    if (!built) return built;
    if (auto ok = stages::rehearse_tail(spec_); !ok) return std::move(ok).error();
    return built;
  }

  [[nodiscard]] cli::Exit verdict(const pipeline::ChainResult&) const override {
    return nothing_matched_ ? cli::Exit::negative : cli::Exit::ok;
  }

 private:
  // The option that is given and makes no sense for what is read once.
  [[nodiscard]] const char* needs_files() const { return lines_ ? "--lines" : from_end() ? "--from end" : nullptr; }

  // The option that is given and says nothing of the journal.
  [[nodiscard]] const char* of_files() const {
    const tail::Selection& selection = spec_.selection;
    const stages::TailSpec unset;
    const std::pair<bool, const char*> given[] = {
        {!selection.namespaces.empty(), "--namespace"},
        {!selection.pods.empty(), "--pod"},
        {!selection.containers.empty(), "--container"},
        {!selection.exclude_namespaces.empty(), "--exclude-namespace"},
        {!selection.exclude_pods.empty(), "--exclude-pod"},
        {!selection.exclude_containers.empty(), "--exclude-container"},
        {spec_.read.format != unset.read.format, "--format"},
        {spec_.read.multiline.shape != tail::Shape::none, "--multiline"},
        {spec_.read.filename != unset.read.filename, "--filename"},
        {spec_.hold_deleted != unset.hold_deleted, "--hold-deleted"},
        {spec_.follow_links, "--follow-links"},
        {!spec_.log_roots.empty(), "--log-root"},
    };
    const auto* const found = std::ranges::find_if(given, [](const auto& one) { return one.first; });
    return found != std::end(given) ? found->second : nullptr;
  }

  [[nodiscard]] bool from_end() const { return from_ && from_->kind == tail::Start::Kind::end; }

  Result<void> read_unit(const std::string& text) {
    if (text.empty() || text.find_first_of("*?[") != std::string::npos)
      return base::fail(Code::usage, "it must be the name of a unit; globs are not read");
    spec_.journal.units.push_back(tail::unit_name(text));
    return {};
  }

  Result<void> read_priority(const std::string& text) {
    auto priorities = tail::parse_priorities(text);
    if (!priorities) return std::move(priorities).error();
    spec_.journal.priorities = *priorities;
    return {};
  }

  Result<void> read_journal_field(const std::string& text) {
    auto field = tail::parse_journal_field(text);
    if (!field) return std::move(field).error();
    spec_.read.journal_fields.push_back(std::move(field).value());
    return {};
  }

  Result<void> read_lines(const std::string& text) {
    if (text == "all") return lines_.emplace(), Result<void>();
    auto last = cli::read_number(text);
    if (!last) return base::fail(Code::usage, "it must be a whole number or all");
    lines_.emplace(Lines{*last});
    return {};
  }

  Result<void> read_multiline(const std::string& text) {
    using tail::Shape;
    constexpr std::array<std::pair<std::string_view, Shape>, 5> kShapes = {
        {{"java", Shape::java}, {"python", Shape::python}, {"go", Shape::go}, {"ruby", Shape::ruby}, {"dotnet", Shape::dotnet}}};
    tail::Multiline& multiline = spec_.read.multiline;
    for (const auto& [name, shape] : kShapes) {
      if (text == name) return multiline.shape = shape, Result<void>();
    }
    // A word alone is a language that is not known, hardly what every first line has.
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (std::ranges::all_of(text, is_letter))
      return base::fail(Code::usage, "it must be java, python, go, ruby, dotnet or a regular expression of the first line");
    auto matcher = stages::make_line_regex(text);
    if (!matcher) return base::fail(Code::usage, "{}", matcher.error().message);
    multiline.shape = Shape::regex;
    multiline.matcher = *std::move(matcher);
    return {};
  }

  Result<void> read_from(const std::string& text) {
    if (text == "start") return from_.emplace(From{tail::Start::Kind::beginning, {}}), Result<void>();
    if (text == "end") return from_.emplace(From{tail::Start::Kind::end, {}}), Result<void>();
    if (text.starts_with("s=")) {
      if (auto cursor = tail::parse_cursor(text); !cursor) return std::move(cursor).error();
      spec_.journal.cursor = text;
      return {};
    }
    auto time = cli::TimePoint::parse(text);
    if (!time) return std::move(time).error();
    from_.emplace(From{tail::Start::Kind::time, *std::move(time)});
    return {};
  }

  [[nodiscard]] tail::Start start(base::Timestamp now) const {
    tail::Start start;
    if (lines_ && lines_->last) return {tail::Start::Kind::lines, *lines_->last, 0};
    if (since_) return {tail::Start::Kind::time, 0, since_->at(now)};
    if (from_) start.kind = from_->kind;
    if (from_ && from_->time) start.time = from_->time->at(now);
    return start;
  }

  // --lines: nothing for all.
  struct Lines {
    std::optional<std::uint64_t> last;
  };

  // --from: `time` where `kind` is that.
  struct From {
    tail::Start::Kind kind;
    std::optional<cli::TimePoint> time;
  };

  stages::TailSpec spec_;
  stages::OutputOptions output_;
  std::optional<Lines> lines_;
  std::optional<From> from_;
  std::optional<cli::TimePoint> since_;
  std::optional<base::Duration> max_age_, multiline_wait_;
  std::optional<std::uint64_t> multiline_lines_, multiline_size_;
  bool nothing_matched_ = false;
};

constexpr std::string_view kManual = R"(On a terminal tail writes text for people. Into a pipe it writes JSON lines.

# Labels
The labels `namespace`, `pod`, `container` and `stream` and the metadata `pod_uid` come from the path of the file. Tail
knows the paths of `/var/log/pods`, of a pod's or a container's folder, of a copy of one, and names as in
`/var/log/containers`. Any other file gets the label `filename`.

# Selection
PATTERN of `-n`, `-p` and `-c` is a name or a glob: `*` stands for any text, `?` for one character. A pattern of `-p` is also the
beginning of a name up to a dash: `-p web` takes `web` and `web-7c9f-x2x1`, but not `webshop-1`. A log is read when one pattern
of each option that is given matches. Put a glob in quotes, or the shell replaces it.

# The journal
With --journal tail reads the systemd journal of this machine, alone or beside the files that PATH names. --journal-dir
DIR reads the journal files in DIR, or in the folders of machines in it: the journal of another machine, or that of the
node in a container (/var/log/journal). Tail reads with libsystemd, which it loads only then. It needs root or the group
systemd-journal.

The line of a record is the field MESSAGE, its time is that of the journal. The labels are `job` = systemd-journal,
`unit` (_SYSTEMD_UNIT) and `node_name` (_HOSTNAME). An entry that has no unit, such as one of the kernel, has no label
`unit`. The metadata `detected_level` comes from PRIORITY: fatal (emerg, alert), critical, error, warn, info (notice,
info), debug. --journal-field adds other fields as metadata. When an entry has a field several times, the first counts.
An entry without MESSAGE becomes an empty line. Bytes that are not UTF-8 are kept. Of a message longer than 16 MiB, the
rest is reported as lost.

With the journal alone (no PATH), options that are for log files, such as --namespace, --format and --multiline, are
errors. With PATH they are for its files.

--unit and --priority select as `journalctl -u` and `-p` do. When no entry of the whole journal matches, and nothing
else is read, the exit code is 1, as with `--namespace nope`; with -f tail waits. --lines counts the entries of the
whole journal. Entries of several journals (of users, of machines) are read in the order of their times, as far as they
are there.

With --checkpoint, each journal has a position: the number of its entry. --unit and --priority may change at a restart;
what was left out before stays out. Files that were deleted before they were read are one lost part: a record with
`weir_gap_bytes` = unknown says how many entries that are at most. The same holds for damaged files. When all files of a
journal are gone, nothing is lost if they had been read to their ends and no program had them open for writing then.
Where no journal file at all is found, tail keeps the positions: a disk may not be mounted yet.

`journalctl -o json --all | weir tail --format journal -` gives the same records. Without --all, journalctl leaves out
fields of 4096 bytes and more: such an entry becomes the line as it came, with its labels, and is counted as malformed.

# Lines
Tail reads the format of CRI runtimes and joins the parts of a line. It reads the format of docker's json-file driver
and removes the one newline at the end. It reads plain text, whose records get the time of reading. A file whose name
ends in .gz is decompressed. A byte order mark at the start is removed. A UTF-16 file is reported and not read.

--format rfc3339 reads lines with their time in front, as `kubectl logs --timestamps` and `docker logs -t` print them. A
prefix `[pod/NAME/CONTAINER] ` (kubectl logs --prefix) becomes the labels `pod` and `container`. In this format and in
`journal`, a carriage return at the end of a line is not part of it.

A line that does not have the format of its file becomes a record as it is, with the time of reading, and is counted. A
file that cannot be read is counted, too. Either makes the exit code 3. When no file at all could be read, the exit code
is 4.

# Lines that belong together
With --multiline, lines that belong together become one record, with newlines between them. It has the time of the first
line. Tail joins lines of one log and of one of stdout and stderr, after it has joined the parts of a CRI line.

With a regular expression (RE2), a line that it matches begins a record, and every other line belongs to the record
before it: `--multiline '^\d{4}-\d\d-\d\d'`, `--multiline '^\S'`. The words java, python, go, ruby and dotnet stand for
the stack traces of these languages, with their causes (`Caused by:`, `During handling of the above exception …`,
` ---> `), and all other lines stay alone. A log line that speaks of an error, warning or exception takes in the trace
that follows it. `dotnet` also joins the entries of .NET's console logger.

A record waits 1 s for its next line (--multiline-wait). Lines whose times are further apart are never joined. A record
has at most 2000 lines (--multiline-lines) and as many bytes as --max-line allows (--multiline-size); what exceeds that
begins the next record. A line that is longer than --max-line stays alone. So do an
entry of the journal, which is one record, however many lines it has, and a line with the prefix of a pod (--format
rfc3339): lines of several pods may stand among each other. A group of lines may begin in one file and go
on in the next one after a rotation. With --checkpoint, a kill in the middle of a group neither loses nor splits it.
All records that wait may take 8 MiB of memory together (or four times --multiline-size, if that is more). Above that the
largest ones are passed on before their last lines have come, which a message says once; the rest of such a group is one
more record.
--lines counts lines, not records; where reading begins in the middle of a trace, the rest of it is one record.

# Files
In a folder tail reads only live files. It reads a rotated file only when PATH or GLOB names it. It reads a FIFO or a
character device as a stream, to its end, when PATH names it; it never opens one that it finds in a folder.

When there are more files than tail may open (ulimit -n), it keeps those open that were written last, and opens the
others when they are written to. It leaves some descriptors to the rest of the chain.

# Symbolic links
Tail follows a symbolic link to a log: below the folders that PATH names, to a pod's log, and to the files of container
runtimes (*.log in /var/lib/docker/containers, /var/snap/docker/common/var-lib-docker/containers,
/var/lib/containers/storage/overlay-containers). It refuses any other link and reports it once. Otherwise, whoever can
write to one log folder could make tail read files that only root may read. --log-root DIR adds a folder, such as
docker's data-root. --follow-links follows every link. A PATH that is given may itself be a link.

# Following
With -f, tail gathers lines for 100 ms. While lines keep coming and no terminal shows them, it gathers for 400 ms. In
one process with `push` or `buffer` (`weir run`), it gathers for up to 1 s, as long as that stage would let them wait
(push --batch-wait).

Tail reads a rotated file to its end before the new one, whatever its name becomes. It reads a file that appears later
from its start. When a file is truncated, tail looks for its copy among the rotated files beside it (logrotate's
copytruncate). It reads the missing lines from the copy, then the file from its start.

Tail follows a file once, however many names it has. It knows a file by its inode and its first bytes; with
--checkpoint, also after a restart. So it recognises a rotated file with the name of a log (server-2026-01-02.log,
server.1.log), a renamed file, a hard link, and a second path to its folder. When a program goes on writing to a renamed
file, tail goes on reading it.

# On a terminal
With -f on a terminal, tail shows only the last 10 lines of each file that exists, and says so on standard error.
`--lines all` shows everything. Into a pipe, and with --checkpoint, tail starts with everything.

# Unfinished lines
A line without its newline, or a part of a line of a CRI runtime, becomes a record when no more of it is expected: its
container has a next log, nothing was added for 5 seconds, or tail ends. With --checkpoint, only the first of these
counts, and the end of the log. At a restart tail reads an unfinished line again.

# Deleted files
While the next stage is blocked by an outage or a full disk, `tail -f` opens every file that appears. So it can still
read a file that is rotated and deleted meanwhile. Such a file uses disk space although no folder shows it.
--hold-deleted limits what is not read yet; its default of 1 GiB is hours of logs on most nodes, and a twentieth of a
disk of 20 GiB. Beyond the limit, tail exchanges a file for its compressed copy, if there is one. Then it abandons the
oldest files and reports them.

In `weir run FILE` with `push --checkpoint`, a file that was read stays open until Loki has taken all of its records. So
they are not lost when FILE is read again during an outage and the file was deleted. These files count towards
--hold-deleted, and are closed first.

# Pods that are left out
In one process with `enrich --kubernetes api` or kubelet (`weir run`), tail does not open the logs of pods that are not
to be collected. weir-enrich(1) says which those are. When that changes, tail stops reading a log, or reads it from then
on. `weir_tail_left_alone_logs` counts them.

# Positions
With --checkpoint FILE, a restart continues where the chain stopped. The stage that makes records safe (`buffer`, `push
--checkpoint`) keeps the positions in FILE; tail only reads them. Tail finds a file that was renamed, copied or
compressed meanwhile by its first bytes. It reads a log that appeared meanwhile with its rotated files.

# Taking over from Promtail or Alloy
Stop the other agent first, in good order and while Loki takes its records. Then start weir with --positions FILE, where
FILE is what it wrote last: Promtail's positions.yaml, or the positions.yml in Alloy's folder of a loki.source.file
component (one --positions for each component). A log then goes on at that place: no line is lost, and none is delivered
twice. Of several positions of one path, which Alloy keeps for each set of labels, the smallest counts.

Tail reads FILE once, at the start, and never writes it. A log that has a position in the checkpoint goes on from there,
so that --positions may stay where it is. A FILE that does not exist is none: a new node never had another agent. A FILE
that cannot be read ends the first start; later it is only reported.

These positions do not say which file they mean, so tail looks at its age. When a file was created after FILE was
written, it is new: tail goes on in the file that was rotated, and reads the new one from its start. So keep the time of
FILE when you copy it (cp -p). When the offset does not fit any file, the file is gone or was truncated: a gap record says
so. --max-age, --from and --since do not count for a log with such a position. Parts of a line of a CRI runtime that the
other agent had read, without the end of the line, are read again.

An agent that was killed has positions that are up to ten seconds old: what it delivered since then is delivered again.
Positions of compressed files are not taken over: these count lines.

With --journal, reading of the journal begins behind the cursor in FILE: Promtail writes it under the key `cursor-JOB`,
Alloy in the positions.yml of a loki.source.journal component. Of several cursors the oldest counts. Where the journal
of the cursor is gone, its time counts. A position in the checkpoint and --from CURSOR count more. A cursor that names
no place ends the first start.

# Old lines
Loki refuses lines that are too old. --max-age skips them in a log that has no position, as on the first start on a
node. A line's age is that of its own time, or that of the file when the lines have none. Tail skips old lines without
reading them, so that the first start on an old node costs nothing. It reports how much it skipped. That is no loss, and
no gap record is written.

The limit of 7 days applies with -f and --checkpoint (or with a `buffer` or `push --checkpoint` in the same `weir run`),
unless --lines, --since or --from TIME says where to start. `--max-age 0` reads everything. A log with a position is
read from there, however old its lines are.

# Gaps
A record reports what could not be read. It has the labels of the log and the metadata `weir_gap_bytes`: the number of
bytes, or `unknown`. Its line names the file, the place and the cause. The causes are: an abandoned file (see Deleted
files); a file that was truncated without a copy; one that was gone or shorter after a restart; one that was deleted
while tail was stopped; a bad spot of the disk; zeros in place of lines (a loss of power leaves them); a damaged
compressed file. Each gap is reported once, also after a restart, and on standard error. No filter drops the record. The
exit code becomes 3.)";

}  // namespace

const cli::Command tail_command = {
    .name = "tail",
    .summary = "read log files as records",
    .description =
        "Reads the logs of all pods on a Kubernetes node, any log files or the journal, and writes one record for each line. It "
        "ends "
        "when all is read; with -f it keeps following. With --checkpoint, a restart continues where the chain stopped.",
    .manual = kManual,
    .usual = {"--follow", "--lines", "--since", "--from", "--namespace", "--pod", "--container", "--exclude-namespace",
              "--checkpoint", "--max-age", "--format", "--multiline", "--journal", "--output"},
    .role = cli::Role::source,
    .examples = {{"show what all pods of this node wrote", "weir tail"},
                 {"follow the pods of one workload", "weir tail -f -n checkout -p web --lines 10"},
                 {"read a folder that was copied from another node", "weir tail ./pods --since 1h"},
                 {"read the rotated files of a container, too", "weir tail '/var/log/pods/checkout_web-*/app/*'"},
                 {"page through it, in colour", "weir tail ./pods -o text --color always | less -R"},
                 {"keep the stack traces of Java together", "weir tail -f --multiline java"},
                 {"read plain text", "dmesg | weir tail - | weir enrich --label job=kernel"},
                 {"follow the pods and the journal of this node", "weir tail -f --journal /var/log/pods"},
                 {"follow, and lose nothing at a restart",
                  "weir tail -f --checkpoint spool.db | weir enrich | weir buffer spool.db | weir push"},
                 {"go on where Promtail stopped",
                  "weir run -c 'tail -f --positions /run/promtail/positions.yaml | enrich | buffer spool.db | push'"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed,
              cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Tail>()); },
    .foreign_options = {{"--tail", "for the last lines: --lines {}"}},
};

}  // namespace weir::cmd
