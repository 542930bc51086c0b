// The text of weir-query(1) behind its options.
#pragma once

#include <string_view>

namespace weir::cmd {

inline constexpr std::string_view kQueryManual = R"(# Selection
LOGQL is a log query or a metric query of weir-logql(7). `-n`, `-p` and `-c` select by namespace, pod and container; they are
joined with the selector of LOGQL. PATTERN is a name or a glob: `*` stands for any text, `?` for one character. A pattern of
`-p` is also the beginning of a name up to a dash: `-p web` takes `web` and `web-7c9f-x2x1`, but not `webshop-1`. Put a glob in
quotes, or the shell replaces it.

# Output
Text shows for each record its local time, its pod and container, the line, and the labels in which the records differ.
Labels that all records share are shown once: on a terminal beside the day, else on standard error. In text, raw and table
query shows the newest 1000 records, and standard error says when there are more. `-q` leaves out what stands on standard error,
but for errors and warnings.

Query writes text into a pipe, too. There each record is one line: a line break within it is shown as `\n`, and other control
characters as escapes such as `\x1b`. `-o raw` writes the lines of records as they are.

On a terminal, lines are wrapped under themselves (`--no-wrap`: the terminal wraps them), errors are red, warnings yellow and
debug lines dim. The day and the time zone stand in a line of their own, and again when the day changes. A histogram above
the records shows when they were written, with a row for errors and one for warnings; each row has its own scale. It counts
the records that are shown, no others, so `--limit` limits it, too. When the records take more than a second to come, or
4 MiB, they are shown at once and the histogram comes below them. Where the locale is not UTF-8, it is drawn in ASCII.

On a terminal, samples of a metric query are a table when they have one time, else a chart. The chart draws the five series with
the largest sums; its legend names fifteen. When there are more than a million samples, each is a line. Into a pipe, text shows
each sample as a line.

`-o table` shows labels, metadata and parsed labels as columns. The columns are those in which the first 1000 records (or
1 MiB of them) differ; labels that only later records have stand behind the line. Into a pipe nothing is cut, and samples over
time become a row for each series.

Samples come oldest first, in every format and from Loki as from a spool; those of one time come in the order of the series.

`-o csv` writes RFC 4180 with line feeds. The columns are `timestamp` (RFC 3339, in the time zone shown), a column for each
label, metadata and parsed label of the first 1000 records (or 1 MiB), sorted by name, then `line`, or `value` for samples;
each sample is a row. `other_labels` holds, as a JSON object, labels that only later records have. A label with one of these
names gets `label_` in front.

Labels, series, stats, volume, fields and values are shown as text, raw or jsonl.

`-o jsonl` gives all records as JSON lines. It keeps stream labels, structured metadata and parsed labels apart, and can
be piped into `weir push`.

# From Loki
Query reads the whole answer page by page. It misses no record and shows none twice, also where thousands share one
timestamp. A record at `--from` is shown, one at `--to` is not. Both times are fixed when the command starts. A request that
fails is made again up to five times; a connection that fails is an error at once as long as Loki has not answered yet. A
metric query has a point every `--step` of this time.

Loki takes at most 30 days and an hour at once as it comes (max_query_length). Records of a longer time are asked for in parts, one
after the other. Labels, series, stats, volume, fields and metric queries of so much are refused; with `--with-spool` a metric
query is not.

# From a spool
With `--spool`, or when WEIR_SPOOL names a spool and neither --addr nor LOKI_ADDR names a Loki, query reads the records
that the spool still holds, delivered or not. Held records are marked `[held]`. The stream selector may be left out. The
records of several spools are merged in the order of time. Those of all tenants are shown, or with `--tenant` those of one;
`-o jsonl` gives the tenant of each record. LOKI_ORG_ID is not used here.

`weir replay` selects records with the same options, for a chain. It passes them on as they are stored; query shows what the
query makes of them. Replay gives held records only with `--held`; query always shows them.

A metric query counts them, too. It is evaluated at points that are `--step` apart and lie at multiples of the step, as in
Loki; without `--step` there are about 250 points, at least a second apart. Its series may take 64 MiB of memory. approx_topk
and variants are not supported.

# From Loki and a spool
`--with-spool SPOOL` asks Loki, and takes from the spool what Loki does not have: records that are not delivered yet, or that
Loki has lost. Both are read in the order of time, side by side. Two records are the same when their stream, time, line and
metadata are; where Loki takes no metadata, the other three count. Each is shown once. Where Loki or the spool holds the same
record several times, the larger number counts. A record of the spool gets what it would have in Loki: the labels as push sends
them, the label service_name and the metadata detected_level. Records of other tenants are left out.

Whatever else a query does is applied here, to the merged records: Loki is asked for its selector, for the filters on labels in
front of the first parser, label_format, drop or keep, and for the line filters in front of the first line_format, decolorize or
unpack. So behind a parser, lines travel from Loki that are not shown: a line filter saves them, also one behind the parser.

A metric query is evaluated here, over the merged records. So lines travel from Loki for it: all that its ranges need, which are
those from the beginning of the time, less the longest range and offset, to its end. Loki filters them as above. Line filters, and
a short time, save most. Series have the labels that they have in Loki, without `__stream_shard__`, by which Loki divides a
stream that grows fast. `--limit` does not limit a metric.

`--expect` counts the records of both, without `--wait`. Stats, volume and fields are not answered this way.

# From standard input
`--stdin` asks the records on standard input, JSON lines of weir: `weir tail FILE | weir query --stdin stats`. They may come in
any order. Query stores them in a spool below TMPDIR (/tmp), asks that spool, and removes it at the end. So it answers only when
the input has ended; a signal ends it at once, without an answer. `weir filter` selects from records that keep
coming. A line that is no record is an error.

# One time
`--instant` evaluates a metric query at one time, the end of the range, and gives one value for each series. Log queries have no
such answer, as in Loki. `--now TIME` is the end of the range and the time from which `--since 15m` counts back, for a look at
the past: `--now 09:30 --since 15m`.

# Following
`-f` shows the newest records first: 10 of the last hour, or what --since, --from and --limit say. Then it shows each new
record once, until a signal ends it or nobody reads its output. Records that arrive late stand where they arrive.

Query does not use Loki's own tail, which drops records and ends when Loki does. About once a second it asks Loki for the
records of the last seconds. So a new record shows within about two seconds.

Some records reach Loki late. For these, query also looks back by `--late`. A record that is late by at most `--late` shows
within a quarter of `--late` after it arrives, at most 15 s. A record that is later than that is not shown. After a burst, many
records match within `--late`, and Loki needs time to give them again. When records show later than promised, a message says by
how much, and another one says when they are in time again.

When Loki does not answer, or not within five seconds, query says so once and goes on asking. Afterwards it looks back by the
length of the outage, because agents deliver late then. At most 250,000 records may match within `--late`. When there are more,
query looks back less far, and a message says how far. A metric query is not followed.

From a spool, records show within a second after they are stored, however old they are. Only one spool can be followed.

# Context
`-A N`, `-B N` and `-C N` show the records around each match, as grep does: N records of the same log. The log is what has
the same labels but for `stream`, so stderr and stdout of a container belong together. Context that overlaps or adjoins is one
group. Groups come in the order of their first records (of each 8 MiB, when there is more). In text `--` stands between them;
as JSON lines each record has the metadata `weir_group`, its number, and context has `weir_context`, `before` or `after`. Records
are shown as they are stored: the query only selects. `--limit` counts matches. Context lies within --from and --to, too.

Query asks Loki for the matches first, then for the records around each. From a spool it reads all records of the streams.

# Expectations
With `--expect N`, `--expect-min N`, `--expect-max N` or `--expect-none` the exit code is 0 when as many records match, else 1. One
line on standard error names what was expected and found, and where none was found, why: a name that is misspelt also gives 0
with `--expect-none`. Records are shown as usual, up to the first one too many.

With `--wait TIME` query goes on looking, as when following. `--expect-min` ends as soon as there are enough. `--expect` ends when
there are enough and one more look finds no further one. `--expect-max` and `--expect-none` wait for the whole time, because one
more record may come. When Loki does not answer at the end of the time there is no verdict, and the exit code is 4.

# Rules
`--rules FILE` evaluates the alerting and recording rules of FILE over a spool, or with `--stdin` over records of standard input.
FILE has the format of Loki's ruler:
groups of rules with LogQL expressions. (The rules of weir-rules(5) are others: `weir rules test` tries those.) The
answer says which alerts would be pending or firing at `--at`, since when, with their labels, value and annotations,
and what recording rules give.

Without `--at`, that is the time of the newest record; `--now` and `--to` mean the same. Each rule is evaluated at that time,
and at each multiple of its group's interval (1m) before it, back to the oldest record or to `--from` or `--since`, which
count back from there; at most 11,000 times. All rules read the records once. Before the oldest record there is
nothing: an alert on missing logs is pending from there on. Where the spool does not reach back far enough for `for`,
an alert is pending that fires in Loki. As in Prometheus, an alert without `for` fires in the evaluation that finds
it; one evaluation without it ends a pending one; `limit` and two alerts with the same labels are errors. Templates
have the functions and variables of Prometheus; `query` is not among them. A rule whose query fails is shown with its
error, and the exit code is 2. Of a rule that gives nothing, the answer names the label or value of its selector that no stream
has.

`-o jsonl` gives a JSON object a line: for each pending or firing alert, each recorded series, and each rule without any. The exit
code is 1 when no alert fires; of files that have no alerts, when no recording rule has a series.

# Labels and series
`weir query labels` lists the names of labels, `weir query labels NAME` the values of one, and `weir query series` the
streams. Each takes an optional stream selector. Loki refuses stages behind it; over a spool they change nothing here, and
`stats` counts the records that pass them.

# How much, and what
`weir query stats` says how many streams, chunks (of a spool: blocks with such streams in this time), bytes and entries there
are. `weir query volume` lists the streams with the most bytes, added up by the labels of the selector, or by those of --by. Loki
answers from its index, roughly; of a spool the numbers are exact, count the bytes of lines, and LOGQL may be any log query.

`weir query fields LOGQL` lists what the newest --line-limit records have beside labels: structured metadata, and what json, or else
logfmt, finds in their lines; with the type of the values and how many there are. `weir query values FIELD LOGQL` lists the
values. With `-o jsonl` each line is a JSON value.

# Format
`weir query fmt LOGQL` prints the query as Loki formats it: spread over several lines where it is long. Without LOGQL, or with `-`,
it reads the query from standard input, as logcli does. Neither Loki nor a spool is asked. What Loki's format_query would change
in meaning (it loses parentheses, an `or` of line filters, and `by ()`) is kept. A mistake is shown with its place, and the exit
code is 2. With `-o jsonl` the text is a JSON string.

# Memory
Reading spools takes up to about 32 MiB. `--memory` allows more, so that blocks which overlap in time are read less often.

# Coming from logcli
weir-guide-logcli(7) lists the commands, options and variables of logcli. Most work as they are. --log.level, --labels-length,
--colored-output, --include-common-labels, --parallel-duration, --parallel-max-workers, --compress and --envproxy are taken and
have no effect.)";

}  // namespace weir::cmd
