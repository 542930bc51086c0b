# Completion of weir for fish; printed by `weir docs completion fish`.

# The command is the second word; options of others are not offered.
function __weir_command
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = $argv[1]
end

# The words behind the command that are no options; the arguments are the options that take a value.
function __weir_given
    set -l words (commandline -opc)
    test (count $words) -ge 3; or return
    set -l skip 0
    for word in $words[3..-1]
        if test $skip -eq 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- $word $argv; and set skip 1
        else
            echo $word
        end
    end
end

# __weir_place N WORDS OPTIONS…: the Nth of them is completed (`N-`: or a later one), unless it comes right behind one of the words.
function __weir_place
    set -l given (__weir_given $argv[3..-1])
    set -l count (count $given)
    test $count -eq 1; and contains -- $given[1] (string split ' ' -- $argv[2]); and return 1
    string match -q -- '*-' $argv[1]; and test $count -ge (string replace -- - '' $argv[1]); and return
    test $count = $argv[1]
end

# __weir_behind WORD OPTIONS…: the argument right behind this first one is completed.
function __weir_behind
    set -l given (__weir_given $argv[2..-1])
    test (count $given) -eq 1; and test $given[1] = $argv[1]
end

# Folders and what has the name of a spool; where there is neither, any file.
function __weir_spools
    set -l begun (commandline -ct | string replace -r '^~/' "$HOME/")
    set -l found $begun*/ $begun*.db
    test (count $found) -gt 0; or set found $begun*
    string join -- \n $found
end

# Not what stands beside a spool and belongs to it.
function __weir_files
    __fish_complete_path (commandline -ct) | string match -rv '\.db-[^/]*$'
end

# What the command prints that was typed so far.
function __weir_listed
    set -l words (commandline -opc)
    command $words[1] $words[2..-1] --timeout 2s 2>/dev/null </dev/null
end

function __weir_no_command
    test (count (commandline -opc)) -eq 1
end

complete -c weir -f
complete -c weir -n __weir_no_command -s h -l help -d 'show help and exit'
complete -c weir -n __weir_no_command -s V -l version -d 'show the version and exit'
complete -c weir -n __weir_no_command -a tail -d 'read log files as records'
complete -c weir -n __weir_no_command -a enrich -d 'add labels, the level, the service\'s name and the tenant'
complete -c weir -n __weir_no_command -a filter -d 'pass the records that match LogQL'
complete -c weir -n __weir_no_command -a buffer -d 'store records in a spool on disk, then forward them'
complete -c weir -n __weir_no_command -a push -d 'deliver records to Loki'
complete -c weir -n __weir_no_command -a replay -d 'read records back out of a spool'
complete -c weir -n __weir_no_command -a query -d 'read records back with LogQL, from Loki or from a spool'
complete -c weir -n __weir_no_command -a run -d 'run pipelines of stages in one process'
complete -c weir -n __weir_no_command -a rules -d 'check, list, edit and try files of rules'
complete -c weir -n __weir_no_command -a spool -d 'show what a spool holds, check it, and maintain it'
complete -c weir -n __weir_no_command -a top -d 'show which pods and namespaces log most'
complete -c weir -n __weir_no_command -a docs -d 'print the man pages and shell completions of this binary'
complete -c weir -n __weir_no_command -a help -d 'show the help of a command'
complete -c weir -n '__weir_command help' -a 'tail enrich filter buffer push replay query run rules spool top docs help'
complete -c weir -n '__weir_command tail' -s f -l follow -d 'keep reading new lines, new files and pods, across rotations'
complete -c weir -n '__weir_command tail' -l hold-deleted -x -d 'with -f: how much of deleted files may stay on the disk until it is read; beyond that, the oldest are abandoned and reported'
complete -c weir -n '__weir_command tail' -l lines -x -d 'start with the last N lines of each file (default: all; 10 with -f on a terminal, without --checkpoint)'
complete -c weir -n '__weir_command tail' -l from -x -d 'where to start in files that exist already and have no position (default: start)'
complete -c weir -n '__weir_command tail' -l since -x -d 'skip older records; the same as --from TIME'
complete -c weir -n '__weir_command tail' -l max-age -x -d 'in a log without a position, skip older lines; 0 for no limit (default: 7d with -f --checkpoint, else 0)'
complete -c weir -n '__weir_command tail' -l follow-links -d 'follow symbolic links wherever they lead'
complete -c weir -n '__weir_command tail' -l log-root -r -F -d 'also follow symbolic links into this folder (repeatable)'
complete -c weir -n '__weir_command tail' -l format -x -a 'auto cri docker raw' -d 'format of the lines; `auto` decides by the first line of each file'
complete -c weir -n '__weir_command tail' -l max-line -x -d 'split longer lines into pieces with metadata weir_split'
complete -c weir -n '__weir_command tail' -l filename -x -a 'label metadata' -d 'add the file\'s path as a label or as metadata (default: a label, only for files that belong to no pod)'
complete -c weir -n '__weir_command tail' -s n -l namespace -x -d 'only records of these namespaces (repeatable)'
complete -c weir -n '__weir_command tail' -s p -l pod -x -d 'only records of these pods; `web` also means web-… (repeatable)'
complete -c weir -n '__weir_command tail' -s c -l container -x -d 'only records of these containers (repeatable)'
complete -c weir -n '__weir_command tail' -s o -l output -x -a 'auto text raw jsonl' -d 'text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text on a terminal and jsonl into a pipe'
complete -c weir -n '__weir_command tail' -l color -x -a 'auto always never' -d 'colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: on a terminal, unless NO_COLOR is set'
complete -c weir -n '__weir_command tail' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command tail' -l exclude-namespace -x -d 'skip the pods of these namespaces'
complete -c weir -n '__weir_command tail' -l exclude-pod -x -d 'skip these pods; `web` also means web-…'
complete -c weir -n '__weir_command tail' -l exclude-container -x -d 'skip these containers'
complete -c weir -n '__weir_command tail' -l checkpoint -r -F -d 'start at the positions in FILE, which `buffer FILE` or `push --checkpoint FILE` keeps; `weir run` finds the file by itself'
complete -c weir -n '__weir_command tail' -l wait -x -d 'how long to wait for a busy checkpoint file'
complete -c weir -n '__weir_command tail' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command tail' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command tail; and __weir_place 0- "" --hold-deleted --lines --from --since --max-age --log-root --format --max-line --filename -n --namespace -p --pod -c --container -o --output --color -h --help --exclude-namespace --exclude-pod --exclude-container --checkpoint --wait --metrics --metrics-file' -a '(__weir_files)'
complete -c weir -n '__weir_command enrich' -l label -x -d 'set the label NAME, also where the record has one (repeatable)'
complete -c weir -n '__weir_command enrich' -l label-from-env -x -d 'set the label NAME to the value of an environment variable (repeatable)'
complete -c weir -n '__weir_command enrich' -l keep-labels -x -d 'keep only these labels, separated by commas; the others become metadata'
complete -c weir -n '__weir_command enrich' -l level -x -d 'detect the level of each line, and add it as metadata detected_level (`metadata`, the default) or as a label (`label:NAME`)'
complete -c weir -n '__weir_command enrich' -l kubernetes -x -a 'path none' -d 'how to find the pod of a record: `path`, by the path of its file, or `none`'
complete -c weir -n '__weir_command enrich' -l no-service-name -d 'do not add the label service_name'
complete -c weir -n '__weir_command enrich' -l tenant-from -x -d 'use the value of the label or metadata NAME as tenant'
complete -c weir -n '__weir_command enrich' -s o -l output -x -a 'auto text raw jsonl' -d 'text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text on a terminal and jsonl into a pipe'
complete -c weir -n '__weir_command enrich' -l color -x -a 'auto always never' -d 'colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: on a terminal, unless NO_COLOR is set'
complete -c weir -n '__weir_command enrich' -l strict -d 'stop at the first input line that is not a record'
complete -c weir -n '__weir_command enrich' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command enrich' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command enrich' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command filter' -l drop -x -d 'drop records that match (repeatable)'
complete -c weir -n '__weir_command filter' -l rules -r -F -d 'apply the rules of this file, and read it again when it changes (repeatable)'
complete -c weir -n '__weir_command filter' -l explain -d 'drop nothing; the metadata weir_rule says what the rules would do with each record'
complete -c weir -n '__weir_command filter' -s o -l output -x -a 'auto text raw jsonl' -d 'text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text on a terminal and jsonl into a pipe'
complete -c weir -n '__weir_command filter' -l color -x -a 'auto always never' -d 'colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: on a terminal, unless NO_COLOR is set'
complete -c weir -n '__weir_command filter' -l strict -d 'stop at the first input line that is not a record'
complete -c weir -n '__weir_command filter' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command filter' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command filter' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command buffer' -l store -d 'store only; forward nothing'
complete -c weir -n '__weir_command buffer' -l spill -d 'forward at once; store only records that push has not acknowledged after 5 s or that do not fit into 6 MiB of memory'
complete -c weir -n '__weir_command buffer' -l sync -x -a 'off normal full' -d 'what survives a power cut: with `full` every commit, with `normal` all but the last commits; with `off` the spool may be damaged'
complete -c weir -n '__weir_command buffer' -l wait -x -d 'how long to wait until another writer of this spool ends'
complete -c weir -n '__weir_command buffer' -s o -l output -x -a 'auto text raw jsonl' -d 'text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text on a terminal and jsonl into a pipe'
complete -c weir -n '__weir_command buffer' -l color -x -a 'auto always never' -d 'colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: on a terminal, unless NO_COLOR is set'
complete -c weir -n '__weir_command buffer' -l strict -d 'stop at the first input line that is not a record'
complete -c weir -n '__weir_command buffer' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command buffer' -l max-size -x -d 'largest size of SPOOL; a full spool first evicts delivered records, the oldest first'
complete -c weir -n '__weir_command buffer' -l min-free -x -d 'while less of the file system is free, SPOOL does not grow beyond 16 MiB'
complete -c weir -n '__weir_command buffer' -l rejected-max -x -d 'most bytes of records that Loki refused, the oldest are evicted first (default: a tenth of --max-size)'
complete -c weir -n '__weir_command buffer' -l retain -x -d 'how long to keep delivered records'
complete -c weir -n '__weir_command buffer' -l hold -x -d 'how long to keep held records'
complete -c weir -n '__weir_command buffer' -l hold-max -x -d 'most disk space of held records, the oldest are evicted first (default: a quarter of --max-size)'
complete -c weir -n '__weir_command buffer' -l on-full -x -a 'block drop-oldest' -d 'when undelivered records fill SPOOL: `block` makes the stages in front wait; `drop-oldest` evicts the oldest and reports them as lost'
complete -c weir -n '__weir_command buffer' -l release-rate -x -d 'bytes of held records to release in a second, on average; a block of up to 2 MiB is released at once; 0 for no limit'
complete -c weir -n '__weir_command buffer' -l release-jitter -x -d 'before a `release` rule takes effect, wait a random time up to this, because all nodes get it at once'
complete -c weir -n '__weir_command buffer' -l max-behind -x -d 'how far a record may be behind the newest of its stream in Loki; released records that may be further get the label weir_release (default: 1h)'
complete -c weir -n '__weir_command buffer' -l as -x -d 'the name of the consumer behind buffer; records that it has not acknowledged are forwarded first'
complete -c weir -n '__weir_command buffer' -l only-new -d 'forward only what arrives from now on'
complete -c weir -n '__weir_command buffer' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command buffer' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command buffer; and __weir_place 0 "" --sync --wait -o --output --color -h --help --max-size --min-free --rejected-max --retain --hold --hold-max --on-full --release-rate --release-jitter --max-behind --as --metrics --metrics-file' -a '(__weir_spools)'
complete -c weir -n '__weir_command push' -l checkpoint -r -F -d 'keep the positions of `tail --checkpoint FILE` in FILE, in a chain without a buffer'
complete -c weir -n '__weir_command push' -l spool -x -a '(__weir_spools)' -d 'instead of standard input: send the spool\'s records, then keep following it'
complete -c weir -n '__weir_command push' -l as -x -d 'the consumer whose progress the spool keeps; use one name for each target'
complete -c weir -n '__weir_command push' -l match -x -d 'deliver only records that match'
complete -c weir -n '__weir_command push' -l once -d 'with --spool: stop when all of its records are delivered'
complete -c weir -n '__weir_command push' -l metadata -x -a 'auto keep drop' -d 'structured metadata: `auto` leaves it out when Loki does not accept it, `keep` then rejects the record, `drop` never sends it'
complete -c weir -n '__weir_command push' -l give-up -x -d 'stop after this long without success, 0 for never (default: 5m; never with a spool or checkpoint)'
complete -c weir -n '__weir_command push' -l check -d 'ask the target whether it accepts records with these options; send no record'
complete -c weir -n '__weir_command push' -l strict -d 'stop at the first input line that is not a record'
complete -c weir -n '__weir_command push' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command push' -l drain-rate -x -d 'most bytes of a backlog to send in a second, on top of new records; 0 for no limit (default: 1MiB behind a spool or with a checkpoint, no limit with --once)'
complete -c weir -n '__weir_command push' -l start-jitter -x -d 'before the first request of a backlog, wait a random time up to this (default: 30s behind a spool, else 4s)'
complete -c weir -n '__weir_command push' -l batch-wait -x -d 'how long a record may wait for others to share its request; after a pause of this length it does not wait (default: 1s; 0 behind a buffer)'
complete -c weir -n '__weir_command push' -l batch-size -x -d 'most bytes of lines and metadata in a request'
complete -c weir -n '__weir_command push' -l batch-records -x -d 'most records in a request'
complete -c weir -n '__weir_command push' -l parallel -x -d 'up to N requests at once, never two for one stream'
complete -c weir -n '__weir_command push' -l max-line-size -x -d 'longest line that Loki accepts'
complete -c weir -n '__weir_command push' -l max-age -x -d 'oldest record that Loki accepts'
complete -c weir -n '__weir_command push' -l max-ahead -x -d 'how far ahead of the clock a record may be'
complete -c weir -n '__weir_command push' -l max-labels -x -d 'most labels of a stream'
complete -c weir -n '__weir_command push' -l tenant -l org-id -x -d 'tenant, sent as X-Scope-OrgID (default: LOKI_ORG_ID)'
complete -c weir -n '__weir_command push' -l username -x -d 'user name of basic authentication (default: LOKI_USERNAME)'
complete -c weir -n '__weir_command push' -l password-file -r -F -d 'file with the password; it is read again when it changes'
complete -c weir -n '__weir_command push' -l password -x -d 'password; the process list shows it, so prefer --password-file or LOKI_PASSWORD'
complete -c weir -n '__weir_command push' -l bearer-token-file -r -F -d 'file with the bearer token; it is read again when it changes (default: LOKI_BEARER_TOKEN_FILE)'
complete -c weir -n '__weir_command push' -l bearer-token -x -d 'bearer token; the process list shows it, so prefer --bearer-token-file or LOKI_BEARER_TOKEN'
complete -c weir -n '__weir_command push' -l ca-cert -r -F -d 'PEM file with the authorities to trust (default: LOKI_CA_CERT_PATH)'
complete -c weir -n '__weir_command push' -l cert -r -F -d 'PEM file with the client certificate (default: LOKI_CLIENT_CERT_PATH)'
complete -c weir -n '__weir_command push' -l key -r -F -d 'PEM file with the key of the client certificate (default: LOKI_CLIENT_KEY_PATH)'
complete -c weir -n '__weir_command push' -l tls-skip-verify -d 'do not check the server\'s certificate (default: LOKI_TLS_SKIP_VERIFY)'
complete -c weir -n '__weir_command push' -l proxy-url -x -d 'URL of the proxy (default: LOKI_HTTP_PROXY_URL, else http_proxy, https_proxy and no_proxy)'
complete -c weir -n '__weir_command push' -l header -x -d 'add this header to every request (repeatable)'
complete -c weir -n '__weir_command push' -l timeout -x -d 'abort a request after this time'
complete -c weir -n '__weir_command push' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command push' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command replay' -l since -x -d 'records of the last 15m, 7d, …, or since a time: 10:00, 2026-05-01T10:00:00Z'
complete -c weir -n '__weir_command replay' -l from -x -d 'records from this time on: RFC 3339, a local date and time, a local time (the last 23:00), or how long ago'
complete -c weir -n '__weir_command replay' -l to -x -d 'records before this time'
complete -c weir -n '__weir_command replay' -s n -l namespace -x -d 'only records of these namespaces (repeatable)'
complete -c weir -n '__weir_command replay' -s p -l pod -x -d 'only records of these pods; `web` also means web-… (repeatable)'
complete -c weir -n '__weir_command replay' -s c -l container -x -d 'only records of these containers (repeatable)'
complete -c weir -n '__weir_command replay' -l undelivered -d 'only records that a consumer has not acknowledged'
complete -c weir -n '__weir_command replay' -l held -d 'only records that rules hold'
complete -c weir -n '__weir_command replay' -l release -d 'with --held: do not print the records; the chain that writes the spool delivers them'
complete -c weir -n '__weir_command replay' -l release-id -x -d 'name of the release; the spool ignores a second release of the same name (default: a name made from the time)'
complete -c weir -n '__weir_command replay' -l rejected -d 'only records that Loki refused for good, each with the reason in `rejected`'
complete -c weir -n '__weir_command replay' -l speed -x -d 'pace: `max`, or a multiple of the pace at which they were written (`1x`, `10x`)'
complete -c weir -n '__weir_command replay' -l retime -x -a 'now' -d '`now`: set the present time; the old one becomes metadata weir_original_timestamp'
complete -c weir -n '__weir_command replay' -s o -l output -x -a 'auto text raw jsonl' -d 'text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text on a terminal and jsonl into a pipe'
complete -c weir -n '__weir_command replay' -l color -x -a 'auto always never' -d 'colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: on a terminal, unless NO_COLOR is set'
complete -c weir -n '__weir_command replay' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command replay' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command replay' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command replay; and __weir_place 0 "" --since --from --to -n --namespace -p --pod -c --container --release-id --speed --retime -o --output --color -h --help --metrics --metrics-file' -a '(__weir_spools)'
complete -c weir -n '__weir_command query' -l spool -x -a '(__weir_spools)' -d 'read this spool instead of Loki (default: WEIR_SPOOL, when neither --addr nor LOKI_ADDR is given)'
complete -c weir -n '__weir_command query' -l since -x -d 'records of the last 15m, 7d, …, or since a time: 10:00, 2026-05-01T10:00:00Z'
complete -c weir -n '__weir_command query' -l from -x -d 'records from this time on: RFC 3339, a local date and time, a local time (the last 23:00), or how long ago'
complete -c weir -n '__weir_command query' -l to -x -d 'records before this time'
complete -c weir -n '__weir_command query' -s n -l namespace -x -d 'only records of these namespaces (repeatable)'
complete -c weir -n '__weir_command query' -s p -l pod -x -d 'only records of these pods; `web` also means web-… (repeatable)'
complete -c weir -n '__weir_command query' -s c -l container -x -d 'only records of these containers (repeatable)'
complete -c weir -n '__weir_command query' -l limit -x -d 'at most N records, 0 for all (default: 1000 in text and raw, all in jsonl)'
complete -c weir -n '__weir_command query' -l forward -d 'with a limit, take the oldest records instead of the newest'
complete -c weir -n '__weir_command query' -l step -x -d 'time between the points of a metric query (default: Loki chooses)'
complete -c weir -n '__weir_command query' -s o -l output -x -a 'auto text raw jsonl' -d 'text, raw (bare lines) or jsonl (JSON lines); auto, the default, is text'
complete -c weir -n '__weir_command query' -l color -x -a 'auto always never' -d 'colour in text: never, always (also into a pipe, as to `less -R`; control bytes are then escaped), or auto, the default: on a terminal, unless NO_COLOR is set'
complete -c weir -n '__weir_command query' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command query' -l addr -x -d 'URL of Loki (default: LOKI_ADDR, else http://localhost:3100)'
complete -c weir -n '__weir_command query' -l tenant -l org-id -x -d 'tenant, sent as X-Scope-OrgID (default: LOKI_ORG_ID)'
complete -c weir -n '__weir_command query' -l username -x -d 'user name of basic authentication (default: LOKI_USERNAME)'
complete -c weir -n '__weir_command query' -l password-file -r -F -d 'file with the password; it is read again when it changes'
complete -c weir -n '__weir_command query' -l password -x -d 'password; the process list shows it, so prefer --password-file or LOKI_PASSWORD'
complete -c weir -n '__weir_command query' -l bearer-token-file -r -F -d 'file with the bearer token; it is read again when it changes (default: LOKI_BEARER_TOKEN_FILE)'
complete -c weir -n '__weir_command query' -l bearer-token -x -d 'bearer token; the process list shows it, so prefer --bearer-token-file or LOKI_BEARER_TOKEN'
complete -c weir -n '__weir_command query' -l ca-cert -r -F -d 'PEM file with the authorities to trust (default: LOKI_CA_CERT_PATH)'
complete -c weir -n '__weir_command query' -l cert -r -F -d 'PEM file with the client certificate (default: LOKI_CLIENT_CERT_PATH)'
complete -c weir -n '__weir_command query' -l key -r -F -d 'PEM file with the key of the client certificate (default: LOKI_CLIENT_KEY_PATH)'
complete -c weir -n '__weir_command query' -l tls-skip-verify -d 'do not check the server\'s certificate (default: LOKI_TLS_SKIP_VERIFY)'
complete -c weir -n '__weir_command query' -l proxy-url -x -d 'URL of the proxy (default: LOKI_HTTP_PROXY_URL, else http_proxy, https_proxy and no_proxy)'
complete -c weir -n '__weir_command query' -l header -x -d 'add this header to every request (repeatable)'
complete -c weir -n '__weir_command query' -l timeout -x -d 'abort a request after this time'
complete -c weir -n '__weir_command query' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command query' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command query; and __weir_behind labels --spool --since --from --to -n --namespace -p --pod -c --container --limit --step -o --output --color -h --help --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --proxy-url --header --timeout --metrics --metrics-file' -a '(__weir_listed)'
complete -c weir -n '__weir_command query; and __weir_place 0 "" --spool --since --from --to -n --namespace -p --pod -c --container --limit --step -o --output --color -h --help --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --proxy-url --header --timeout --metrics --metrics-file' -a 'logs labels series' -d 'a log or metric query; or `labels [NAME]` or `series`, with an optional stream selector'
complete -c weir -n '__weir_command run' -s c -l command -x -d 'the text of the pipelines'
complete -c weir -n '__weir_command run' -l check -d 'check the text, the files and the variables; run nothing'
complete -c weir -n '__weir_command run' -l strict -d 'exit with 2 when FILE or a rule file has a mistake; do not start with the text or the rules that ran last'
complete -c weir -n '__weir_command run' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command run' -l metrics -x -d 'serve metrics and health checks over HTTP at ADDR; `:9090` is 127.0.0.1:9090'
complete -c weir -n '__weir_command run' -l metrics-file -r -F -d 'write the metrics to FILE every 15s, for node_exporter\'s textfile collector'
complete -c weir -n '__weir_command run; and __weir_place 0 "" -c --command -h --help --metrics --metrics-file' -a '(__weir_files)'
complete -c weir -n '__weir_command rules' -l against -x -a '(__weir_spools)' -d 'for `test`: the records to try the rules on: a spool, a folder of logs or a log file'
complete -c weir -n '__weir_command rules' -l compare -r -F -d 'for `test`: a file of other rules, whose decisions are compared (repeatable)'
complete -c weir -n '__weir_command rules' -l enrich -x -d 'for `test` on logs: the options of `enrich`, which reads the lines before the rules do'
complete -c weir -n '__weir_command rules' -l metrics -x -d 'for `list`: the metrics of a running chain; shows how often each rule acted'
complete -c weir -n '__weir_command rules' -l since -x -d 'records of the last 15m, 7d, …, or since a time: 10:00, 2026-05-01T10:00:00Z'
complete -c weir -n '__weir_command rules' -l from -x -d 'records from this time on: RFC 3339, a local date and time, a local time (the last 23:00), or how long ago'
complete -c weir -n '__weir_command rules' -l to -x -d 'records before this time'
complete -c weir -n '__weir_command rules' -s o -l output -x -a 'text json' -d 'text for people or JSON for programs'
complete -c weir -n '__weir_command rules' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command rules; and __weir_place 0 "" --against --compare --enrich --metrics --since --from --to -o --output -h --help' -a 'check list add remove test' -d 'what to do'
complete -c weir -n '__weir_command rules; and __weir_place 1- "" --against --compare --enrich --metrics --since --from --to -o --output -h --help' -a '(__weir_files)'
complete -c weir -n '__weir_command spool' -s o -l output -x -a 'text json' -d 'text for people or JSON for programs'
complete -c weir -n '__weir_command spool' -l wait -x -d 'how long `compact` waits for the writer of the spool, or `copy` for a busy file'
complete -c weir -n '__weir_command spool' -l max-behind -x -d '`status` exits with 1 when the oldest record that is not delivered, or not read, is older'
complete -c weir -n '__weir_command spool' -s f -l follow -d '`status` shows it again every two seconds'
complete -c weir -n '__weir_command spool' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command spool; and __weir_place 0 "" -o --output --wait --max-behind -h --help' -a 'status check copy forget cancel compact' -d '`status` shows what the spool holds, `check` looks for damage, `copy` makes a copy, `forget` ends a consumer, `cancel` ends a release, `compact` gives unused space back'
complete -c weir -n '__weir_command spool; and __weir_place 1- "forget cancel" -o --output --wait --max-behind -h --help' -a '(__weir_spools)'
complete -c weir -n '__weir_command top' -l spool -x -a '(__weir_spools)' -d 'show what this spool has stored lately, instead of log files'
complete -c weir -n '__weir_command top' -l since -x -d 'with --spool: over how long (default: 1m)'
complete -c weir -n '__weir_command top' -l rules -r -F -d 'also show which share the rules of this file would drop (repeatable); nothing is dropped'
complete -c weir -n '__weir_command top' -s n -l count -x -d 'end after so many reports; 0 for no end'
complete -c weir -n '__weir_command top' -l interval -x -d 'how long is counted for a report'
complete -c weir -n '__weir_command top' -l sort -x -a 'bytes records' -d 'what comes first'
complete -c weir -n '__weir_command top' -l rows -x -d 'show so many logs, 0 for all; a terminal shows at most what fits'
complete -c weir -n '__weir_command top' -s o -l output -x -a 'text json' -d 'text for people or JSON for programs'
complete -c weir -n '__weir_command top' -l namespace -x -d 'only logs of these namespaces (repeatable)'
complete -c weir -n '__weir_command top' -s p -l pod -x -d 'only logs of these pods; `web` also means web-… (repeatable)'
complete -c weir -n '__weir_command top' -s c -l container -x -d 'only logs of these containers (repeatable)'
complete -c weir -n '__weir_command top' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command top; and __weir_place 0- "" --spool --since --rules -n --count --interval --sort --rows -o --output --namespace -p --pod -c --container -h --help' -a '(__weir_files)'
complete -c weir -n '__weir_command docs' -l dir -r -F -d 'with man: write all pages into this folder'
complete -c weir -n '__weir_command docs' -s h -l help -x -a 'all' -d 'show help and exit; `all`: with every option'
complete -c weir -n '__weir_command docs; and __weir_behind man --dir -h --help' -a 'weir tail enrich filter buffer push replay query run rules spool top docs metrics.7 pipeline.5 record.5 rules.5 spool.5'
complete -c weir -n '__weir_command docs; and __weir_behind completion --dir -h --help' -a 'bash zsh fish'
complete -c weir -n '__weir_command docs; and __weir_place 0 "" --dir -h --help' -a 'man completion' -d '`man` for a page of the manual, `completion` for a completion script'
complete -c weir -n '__weir_command docs; and __weir_place 1 "man completion" --dir -h --help' -a 'bash zsh fish' -d 'with man: `weir`, a command, or a format (`pipeline`, `record`, `spool.5`, `metrics`); with completion: bash, zsh or fish'
