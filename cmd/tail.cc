// weir tail: read log files as records.
#include "stages/stream_input.h"
#include "stages/tail_source.h"

#include "cli/output_options.h"
#include "cli/selection_options.h"
#include "cmd/commands.h"
#include "record/timestamp.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

namespace weir::cmd {
namespace {

using base::Code;
using base::Result;

constexpr std::uint64_t kLinesOnTerminal = 10;
constexpr base::Duration kMaxAge = 7 * 24 * base::kHour;  // Loki's default for what it takes

class Tail : public cli::Invocation {
 public:
  void declare(CLI::App& app) override {
    app.add_option("path", spec_.inputs,
                   "files, folders, quoted globs, a FIFO or <(COMMAND); `-` for text on standard input (default: /var/log/pods). Of a folder: its "
                   "*.log files, and those of the pods in it")
        ->type_name("PATH|GLOB|DIR|-");
    app.add_flag("-f,--follow", spec_.read.follow, "go on for ever: read what is written, and files, pods and rotations that appear");
    app.add_option("--hold-deleted", hold_deleted_,
                   "with -f: how much of files that were deleted before they were read may stay on the disk; beyond, the oldest are given up and told")
        ->type_name("SIZE")
        ->capture_default_str();
    app.add_option("--lines", lines_, "begin with the last N lines of each file (default: all; with -f on a terminal 10, without --checkpoint)")
        ->type_name("N|all");
    app.add_option("--from", from_, "where to begin in files that are there at the start and have no position (default: start)")
        ->type_name("start|end|TIME");
    app.add_option("--since", since_, "leave out what is older, as --from TIME")->type_name("DURATION|TIME");
    app.add_option("--max-age", max_age_,
                   "of a log that has no position, leave out lines that are older; 0 for none (default: 7d with -f --checkpoint, else 0)")
        ->type_name("DURATION");
    app.add_flag("--follow-links", spec_.follow_links, "follow symbolic links wherever they lead");
    app.add_option("--log-root", spec_.log_roots, "follow symbolic links into this folder as well (repeatable)")
        ->type_name("DIR")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--format", format_, "form of the lines; `auto` decides by the first line of each file")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"auto", "cri", "docker", "raw"}))
        ->capture_default_str();
    app.add_option("--max-line", max_line_, "longer lines go on in pieces, with metadata weir_split")->type_name("SIZE")->capture_default_str();
    app.add_option("--filename", filename_,
                   "the file's path as a label or as metadata (default: a label, and only of files outside a pod layout)")
        ->type_name("WHERE")
        ->check(CLI::IsMember({"label", "metadata"}));

    constexpr const char* selection = "Selection, before a file is opened (globs, repeatable)";
    cli::declare_selection(app, selection_);
    app.add_option("--exclude-namespace", spec_.selection.exclude_namespaces, "leave out pods of these namespaces")
        ->type_name("GLOB")
        ->group(selection)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--exclude-pod", spec_.selection.exclude_pods, "leave out these pods; `web` is also web-…")
        ->type_name("GLOB")
        ->group(selection)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--exclude-container", spec_.selection.exclude_containers, "leave out these containers")
        ->type_name("GLOB")
        ->group(selection)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);

    constexpr const char* positions = "Positions";
    app.add_option("--checkpoint", spec_.checkpoint,
                   "begin at the positions in FILE, and let records carry theirs for the stage that keeps them there: `buffer FILE`, or "
                   "`push --checkpoint FILE`. weir run finds the file by itself")
        ->type_name("FILE")
        ->group(positions);
    app.add_option("--wait", wait_, "how long to wait for a checkpoint that is busy")
        ->type_name("DURATION")
        ->capture_default_str()
        ->group(positions);

    cli::declare_output(app, output_);
  }

  Result<void> check() override {
    if (spec_.inputs.empty()) spec_.inputs.emplace_back("/var/log/pods");
    for (const std::string& input : spec_.inputs) {
      if (input.size() < 2 || input[0] != '-' || input.find_first_not_of("0123456789", 1) != std::string::npos) continue;
      return base::fail(Code::usage, "unknown option '{}'", input).with_hint(fmt::format("for the last lines: --lines {}", input.substr(1)));
    }
    const bool standard_input = std::find(spec_.inputs.begin(), spec_.inputs.end(), "-") != spec_.inputs.end();
    if (standard_input && spec_.inputs.size() > 1) {
      return base::fail(Code::usage, "standard input (-) cannot be read together with files")
          .with_hint("cat FILE | weir tail -, or a second weir tail");
    }
    if (standard_input && !spec_.checkpoint.empty()) {
      return base::fail(Code::usage, "standard input has no positions: --checkpoint needs files");
    }
    if (standard_input && needs_files() != nullptr) {
      return base::fail(Code::usage, "{} needs files: standard input is read once", needs_files())
          .with_hint("tail -n N FILE | weir tail -");
    }
    if (!since_.empty() + !from_.empty() + !lines_.empty() > 1) {
      return base::fail(Code::usage, "--lines, --from and --since each say where to begin: give one of them");
    }
    const std::map<std::string, tail::Format> formats = {
        {"auto", tail::Format::automatic}, {"cri", tail::Format::cri}, {"docker", tail::Format::docker}, {"raw", tail::Format::raw}};
    spec_.read.format = formats.at(format_);
    if (filename_ == "label") spec_.read.filename = tail::FilenameMode::label;
    if (filename_ == "metadata") spec_.read.filename = tail::FilenameMode::metadata;
    auto max_line = record::parse_size(max_line_);
    if (!max_line) return std::move(max_line).error().within("--max-line");
    constexpr std::uint64_t kLeast = 64, kMost = 64 << 20;
    if (*max_line < kLeast || *max_line > kMost) return base::fail(Code::usage, "--max-line must lie between 64 bytes and 64 MiB");
    spec_.read.max_line = *max_line;
    auto hold_deleted = record::parse_size(hold_deleted_);
    if (!hold_deleted) return std::move(hold_deleted).error().within("--hold-deleted");
    spec_.hold_deleted = *hold_deleted;
    if (!max_age_.empty()) {
      auto max_age = record::parse_duration(max_age_);
      if (!max_age) return std::move(max_age).error().within("--max-age");
      spec_.read.max_age = *max_age;
    }
    auto wait = record::parse_duration(wait_);
    if (!wait) return std::move(wait).error().within("--wait");
    spec_.wait = *wait;
    spec_.selection.namespaces = selection_.namespaces;
    spec_.selection.pods = selection_.pods;
    spec_.selection.containers = selection_.containers;
    return start(base::Clock::system().wall());
  }

  [[nodiscard]] std::string output() const override { return output_.format; }

  Result<cli::Built> build(const cli::Plan& plan, const pipeline::Context& context) override {
    if (plan.fused && !spec_.checkpoint.empty() && !plan.keeper) {
      return base::fail(Code::config, "nothing behind tail keeps the positions in {}", spec_.checkpoint)
          .with_hint(fmt::format("put `buffer {0}` behind it, or `push --checkpoint {0}`", spec_.checkpoint));
    }
    if (plan.keeper && !spec_.checkpoint.empty() && spec_.checkpoint != *plan.keeper) {
      return base::fail(Code::config, "tail is to begin at the positions in {}, but this chain keeps them in {}", spec_.checkpoint, *plan.keeper)
          .with_hint("leave --checkpoint out: weir run finds the file by itself");
    }
    const bool standard_input = spec_.inputs == std::vector<std::string>{"-"};
    const auto stream = std::ranges::find_if(spec_.inputs, stages::is_stream);
    if (stream != spec_.inputs.end()) {
      if (!spec_.checkpoint.empty()) return base::fail(Code::usage, "{} is no file and has no positions: --checkpoint needs files", *stream);
      if (const char* option = needs_files(); option != nullptr) return base::fail(Code::usage, "{} needs files: {} is read once", option, *stream);
    }
    const bool only_streams = standard_input || std::ranges::all_of(spec_.inputs, stages::is_stream);
    if (plan.keeper && stream != spec_.inputs.end() && !only_streams) {
      return base::fail(Code::usage, "cannot read {} together with files whose positions are kept in {}: it has none", *stream, *plan.keeper)
          .with_hint("a tail of its own, in a second pipeline");
    }
    if (plan.keeper && !only_streams) spec_.checkpoint = *plan.keeper;
    if (auto started = start(context.clock->wall()); !started) return std::move(started).error();
    // In a pipe nobody knows what comes behind, so that it must not decide either. Who says where to begin has decided.
    const bool begins_at_start = lines_.empty() && spec_.start.kind == tail::Start::Kind::beginning;
    if (max_age_.empty() && spec_.read.follow && !spec_.checkpoint.empty() && begins_at_start) spec_.read.max_age = kMaxAge;
    if (plan.last && plan.stdout_is_terminal) {  // somebody watches
      spec_.times.spacing = spec_.times.gather;
      const bool begins_anywhere = lines_.empty() && from_.empty() && since_.empty();
      if (spec_.read.follow && begins_anywhere && spec_.checkpoint.empty() && stream == spec_.inputs.end()) {
        spec_.start = {tail::Start::Kind::lines, kLinesOnTerminal, 0};
        spec_.shortens = true;
      }
    }
    spec_.nothing_matched = &nothing_matched_;
    return cli::Built{.source = stages::make_tail_source(spec_, context), .stage = nullptr};
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
  [[nodiscard]] const char* needs_files() const { return !lines_.empty() ? "--lines" : from_ == "end" ? "--from end" : nullptr; }

  Result<void> start(base::Timestamp now) {
    if (lines_ == "all") return {};
    if (!lines_.empty()) {
      spec_.start = {tail::Start::Kind::lines, std::stoull(lines_), 0};
    } else if (from_ == "end") {
      spec_.start.kind = tail::Start::Kind::end;
    } else if (!since_.empty() || (!from_.empty() && from_ != "start")) {
      auto time = record::parse_time(since_.empty() ? from_ : since_, now);
      if (!time) return std::move(time).error().within(since_.empty() ? "--from" : "--since");
      spec_.start = {tail::Start::Kind::time, 0, *time};
    }
    return {};
  }

  stages::TailSpec spec_;
  cli::Selection selection_;
  cli::OutputFlags output_;
  std::string lines_, from_, since_, filename_, max_age_;
  bool nothing_matched_ = false;
  std::string format_ = "auto", max_line_ = "256KiB", wait_ = "30s", hold_deleted_ = "1GiB";
};

}  // namespace

const cli::Command tail_command = {
    .name = "tail",
    .summary = "read log files as records",
    .description =
        "Reads the logs of all pods of a Kubernetes node, or any log files, once or for ever (-f). On a terminal it writes text for people, into a "
        "pipe JSON lines.\n\n"
        "The labels `namespace`, `pod`, `container` and `stream` and the metadata `pod_uid` come from the path: `/var/log/pods`, a "
        "pod's or a container's folder, a copy of one, or a name as in `/var/log/containers`. Any other file gets the label `filename`. "
        "Lines are those of CRI runtimes (parts are joined), of docker's json-file driver (the one newline at the end is "
        "taken off), or plain text, which gets the time of reading. Files whose names end in .gz are decompressed. A byte order mark "
        "at the start is left out; a UTF-16 file is reported and not read. Of a folder "
        "only live files are read, no rotated ones, unless PATH or GLOB names them. A FIFO or a character device is read as a stream, to its end, "
        "where PATH names it; of a folder it is never opened.\n\n"
        "A symbolic link is followed to what is a log anyway: below the folders that are named, to a pod's log, and to the files of container runtimes "
        "(*.log in /var/lib/docker/containers, /var/snap/docker/common/var-lib-docker/containers, /var/lib/containers/storage/overlay-containers). "
        "Any other is refused and reported once, since whoever can write to one log folder could have files read that only root may read. "
        "--log-root DIR adds a folder, such as docker's data-root, --follow-links allows all. A PATH that is given may be a link itself.\n\n"
        "With -f, lines of 100 ms are gathered. While they keep coming and no terminal shows them it is 400 ms, and up to 1 s where a `push` (--batch-wait) "
        "or a `buffer` in the same process (`weir run`) would let them wait as long. A rotated file is read to its end before the new one, "
        "whatever happens to its name. Files that appear later are read whole. Of a file that was truncated, what was not read yet is read from its copy, if a rotated file beside it is "
        "one (logrotate's copytruncate), and then the file from its start. A file is followed once, however many names it has: a rotated file whose "
        "name is that of a log (server-2026-01-02.log, server.1.log), a renamed one, a hard link and a second path to its folder are known by inode and "
        "first bytes, also over a restart with --checkpoint. Who writes on to a file under another name is read on there.\n\n"
        "Where there are more files than tail may open (ulimit -n), those that were written last stay open, and the others are opened when they are "
        "written to. Some descriptors are left to the rest of the chain.\n\n"
        "On a terminal only the last 10 lines of each file that is there are shown "
        "first, and standard error says so; `--lines all` shows everything. Into a pipe and with --checkpoint it is everything.\n\n"
        "A line without its newline, or a part of a line of a CRI runtime, goes on as it is when nothing more of it is to be expected: its container has "
        "a next log, nothing was added for 5 seconds, or tail ends. With --checkpoint only the first counts, and the end of the log.\n\n"
        "While what is behind it is blocked, by an outage or a full disk, `tail -f` opens every file that appears, so that what is rotated and "
        "deleted meanwhile is read afterwards. Such files keep their place on the disk although nobody sees them: at most --hold-deleted of what "
        "was not read yet, 1 GiB by default, which is hours of most nodes' logs and a twentieth of a disk of 20 GiB. Beyond that a file is "
        "exchanged for its compressed copy, where there is one, and then the oldest are given up.\n\n"
        "With --checkpoint FILE a restart goes on where the chain had got to: the stage that makes records safe keeps the "
        "positions in FILE, `tail` only reads them. Files that were renamed, copied or compressed meanwhile are found by their first bytes; a log "
        "that appeared meanwhile is read with its rotated files. A line whose end was not written yet is left for the next time.\n\n"
        "On the first start on a node, and whenever a log has no position, --max-age leaves out what Loki would not take: lines that are older than 7 days, "
        "by their own times, or by the file's when they have none. They are skipped, not read, so that the first start on an old node costs nothing; how much it "
        "was is said. It is no loss, and no record tells of it. This is so with -f and --checkpoint (or a `buffer` or `push --checkpoint` in the same `weir run`), "
        "whatever stands behind, and not where --lines, --since or --from TIME say where to begin. `--max-age 0` reads all. A log with a position "
        "is read from there, however old its lines are.\n\n"
        "What could not be read is told by a record with the labels of its log and metadata `weir_gap_bytes`: the number of bytes, or `unknown`. Its "
        "line says of which file, from where on and why: given up as above, truncated without a copy, gone or cut short before a restart, deleted "
        "while tail itself was stopped, on a bad spot of a disk, zeros where lines should be (a loss of power leaves them), in a damaged compressed file. It is told once, also over restarts, and on standard error; no filter drops it, and the "
        "exit code becomes 3.\n\n"
        "A line that does not have the form of its file goes on as it is, with the time of reading, and is counted; so is a file that cannot be read. Both make the exit "
        "code 3; it is 4 when no file at all could be read.",
    .role = cli::Role::source,
    .examples = {{"what all pods of this node wrote", "weir tail"},
                 {"follow the pods of one workload", "weir tail -f -n checkout -p web --lines 10"},
                 {"a folder that was copied from another node", "weir tail ./pods --since 1h"},
                 {"the rotated files of a container too", "weir tail '/var/log/pods/checkout_web-*/app/*'"},
                 {"page through it, in colour", "weir tail ./pods -o text --color always | less -R"},
                 {"plain text", "dmesg | weir tail - | weir enrich --label job=kernel"},
                 {"follow and lose nothing over restarts",
                  "weir tail -f --checkpoint spool.db | weir enrich | weir buffer spool.db | weir push"}},
    .exits = {cli::Exit::ok, cli::Exit::negative, cli::Exit::usage, cli::Exit::incomplete, cli::Exit::failed, cli::Exit::interrupted, cli::Exit::terminated},
    .make = [] { return std::unique_ptr<cli::Invocation>(std::make_unique<Tail>()); },
    .foreign_options = {{"--tail", "for the last lines: --lines {}"}},
};

}  // namespace weir::cmd
