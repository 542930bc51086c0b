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
complete -c weir -n __weir_no_command -a spool -d 'tell what a spool holds, check it, and look after it'
complete -c weir -n __weir_no_command -a docs -d 'print the man pages and shell completions of this binary'
complete -c weir -n __weir_no_command -a help -d 'show the help of a command'
complete -c weir -n '__weir_command help' -a 'tail enrich filter buffer push replay query run spool docs help'
complete -c weir -n '__weir_command tail' -s f -l follow -d 'go on for ever: read what is written, and files, pods and rotations that appear'
complete -c weir -n '__weir_command tail' -l hold-deleted -x -d 'with -f: how much of files that were deleted before they were read may stay on the disk; beyond, the oldest are given up and told'
complete -c weir -n '__weir_command tail' -l lines -x -d 'begin with the last N lines of each file (default: all; with -f on a terminal 10, without --checkpoint)'
complete -c weir -n '__weir_command tail' -l from -x -d 'where to begin in files that are there at the start and have no position (default: start)'
complete -c weir -n '__weir_command tail' -l since -x -d 'leave out what is older, as --from TIME'
complete -c weir -n '__weir_command tail' -l max-age -x -d 'of a log that has no position, leave out lines that are older; 0 for none (default: 7d with -f --checkpoint, else 0)'
complete -c weir -n '__weir_command tail' -l follow-links -d 'follow symbolic links wherever they lead'
complete -c weir -n '__weir_command tail' -l log-root -r -F -d 'follow symbolic links into this folder as well (repeatable)'
complete -c weir -n '__weir_command tail' -l format -x -a 'auto cri docker raw' -d 'form of the lines; `auto` decides by the first line of each file'
complete -c weir -n '__weir_command tail' -l max-line -x -d 'longer lines go on in pieces, with metadata weir_split'
complete -c weir -n '__weir_command tail' -l filename -x -a 'label metadata' -d 'the file\'s path as a label or as metadata (default: a label, and only of files outside a pod layout)'
complete -c weir -n '__weir_command tail' -s n -l namespace -x -d 'only records of these namespaces (repeatable)'
complete -c weir -n '__weir_command tail' -s p -l pod -x -d 'only records of these pods; web also takes web-… (repeatable)'
complete -c weir -n '__weir_command tail' -s c -l container -x -d 'only records of these containers (repeatable)'
complete -c weir -n '__weir_command tail' -s o -l output -x -a 'auto text raw jsonl' -d 'auto (the default: text on a terminal, JSON lines into a pipe), text, raw (bare lines) or jsonl'
complete -c weir -n '__weir_command tail' -l color -x -a 'auto always never' -d 'colour in text: auto (on a terminal without NO_COLOR), never, or always (also into a pipe that ends at a terminal, as of `less -R`: control bytes are then shown escaped)'
complete -c weir -n '__weir_command tail' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command tail' -l exclude-namespace -x -d 'leave out pods of these namespaces'
complete -c weir -n '__weir_command tail' -l exclude-pod -x -d 'leave out these pods; `web` is also web-…'
complete -c weir -n '__weir_command tail' -l exclude-container -x -d 'leave out these containers'
complete -c weir -n '__weir_command tail' -l checkpoint -r -F -d 'begin at the positions in FILE, and let records carry theirs for the stage that keeps them there: `buffer FILE`, or `push --checkpoint FILE`. weir run finds the file by itself'
complete -c weir -n '__weir_command tail' -l wait -x -d 'how long to wait for a checkpoint that is busy'
complete -c weir -n '__weir_command tail; and __weir_place 0- "" --hold-deleted --lines --from --since --max-age --log-root --format --max-line --filename -n --namespace -p --pod -c --container -o --output --color --exclude-namespace --exclude-pod --exclude-container --checkpoint --wait' -a '(__weir_files)'
complete -c weir -n '__weir_command enrich' -l label -x -d 'set the label NAME, also over one that is there (repeatable)'
complete -c weir -n '__weir_command enrich' -l label-from-env -x -d 'set the label NAME to the environment variable VARIABLE (repeatable)'
complete -c weir -n '__weir_command enrich' -l keep-labels -x -d 'keep these labels, separated by commas, and turn the others into metadata'
complete -c weir -n '__weir_command enrich' -l level -x -d 'detect the level of lines: `metadata` (also when left out) writes it as metadata detected_level, `label:NAME` as a label'
complete -c weir -n '__weir_command enrich' -l kubernetes -x -a 'path none' -d 'where a record\'s pod is known from: `path`, the path of its file, or `none`'
complete -c weir -n '__weir_command enrich' -l no-service-name -d 'do not set the label service_name'
complete -c weir -n '__weir_command enrich' -l tenant-from -x -d 'make the value of the label or metadata NAME the record\'s tenant'
complete -c weir -n '__weir_command enrich' -s o -l output -x -a 'auto text raw jsonl' -d 'auto (the default: text on a terminal, JSON lines into a pipe), text, raw (bare lines) or jsonl'
complete -c weir -n '__weir_command enrich' -l color -x -a 'auto always never' -d 'colour in text: auto (on a terminal without NO_COLOR), never, or always (also into a pipe that ends at a terminal, as of `less -R`: control bytes are then shown escaped)'
complete -c weir -n '__weir_command enrich' -l strict -d 'stop at the first input line that is no record'
complete -c weir -n '__weir_command enrich' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command filter' -l drop -x -d 'drop records that match (repeatable)'
complete -c weir -n '__weir_command filter' -s o -l output -x -a 'auto text raw jsonl' -d 'auto (the default: text on a terminal, JSON lines into a pipe), text, raw (bare lines) or jsonl'
complete -c weir -n '__weir_command filter' -l color -x -a 'auto always never' -d 'colour in text: auto (on a terminal without NO_COLOR), never, or always (also into a pipe that ends at a terminal, as of `less -R`: control bytes are then shown escaped)'
complete -c weir -n '__weir_command filter' -l strict -d 'stop at the first input line that is no record'
complete -c weir -n '__weir_command filter' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command buffer' -l store -d 'store, and forward nothing'
complete -c weir -n '__weir_command buffer' -l spill -d 'forward at once, and store only what push has not acknowledged after 5 s or what does not fit into 6 MiB of memory: for slow, busy disks'
complete -c weir -n '__weir_command buffer' -l sync -x -a 'off normal full' -d 'what survives a power cut: `off` what the system wrote, `normal` all but the last commits, `full` every commit'
complete -c weir -n '__weir_command buffer' -l wait -x -d 'how long to wait for another writer of this spool to end'
complete -c weir -n '__weir_command buffer' -s o -l output -x -a 'auto text raw jsonl' -d 'auto (the default: text on a terminal, JSON lines into a pipe), text, raw (bare lines) or jsonl'
complete -c weir -n '__weir_command buffer' -l color -x -a 'auto always never' -d 'colour in text: auto (on a terminal without NO_COLOR), never, or always (also into a pipe that ends at a terminal, as of `less -R`: control bytes are then shown escaped)'
complete -c weir -n '__weir_command buffer' -l strict -d 'stop at the first input line that is no record'
complete -c weir -n '__weir_command buffer' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command buffer' -l max-size -x -d 'size of the whole file'
complete -c weir -n '__weir_command buffer' -l min-free -x -d 'do not grow while less of the file system is free'
complete -c weir -n '__weir_command buffer' -l rejected-max -x -d 'bytes that records refused by Loki may take of it, the oldest go first (default: a tenth of --max-size)'
complete -c weir -n '__weir_command buffer' -l retain -x -d 'how long delivered records stay'
complete -c weir -n '__weir_command buffer' -l hold -x -d 'how long held records stay'
complete -c weir -n '__weir_command buffer' -l hold-max -x -d 'bytes that held records may take beyond --retain, 0 for no bound of their own'
complete -c weir -n '__weir_command buffer' -l on-full -x -a 'block drop-oldest' -d 'when all is full of undelivered records: `block` the chain, or `drop-oldest`'
complete -c weir -n '__weir_command buffer' -l as -x -d 'the consumer behind, whose unacknowledged records are forwarded first'
complete -c weir -n '__weir_command buffer' -l only-new -d 'forward only what is taken from now on'
complete -c weir -n '__weir_command buffer; and __weir_place 0 "" --sync --wait -o --output --color --max-size --min-free --rejected-max --retain --hold --hold-max --on-full --as' -a '(__weir_spools)'
complete -c weir -n '__weir_command push' -l checkpoint -r -F -d 'keep the positions of `tail --checkpoint FILE` there, where no buffer does'
complete -c weir -n '__weir_command push' -l spool -x -a '(__weir_spools)' -d 'read the spool instead of standard input, and deliver what is and comes in it'
complete -c weir -n '__weir_command push' -l as -x -d 'the name under which a spool remembers what was delivered; one a target'
complete -c weir -n '__weir_command push' -l match -x -d 'deliver only records that match'
complete -c weir -n '__weir_command push' -l once -d 'with --spool: stop when everything in it has been delivered'
complete -c weir -n '__weir_command push' -l metadata -x -a 'auto keep drop' -d 'structured metadata for a Loki that takes none: `auto` leaves it out, `keep` rejects records that have some, `drop` never sends any'
complete -c weir -n '__weir_command push' -l give-up -x -d 'stop after this long without success, 0 for never (default: 5m; never with a spool or checkpoint)'
complete -c weir -n '__weir_command push' -l check -d 'ask the target whether it takes records, with these options; push none and read nothing'
complete -c weir -n '__weir_command push' -l strict -d 'stop at the first input line that is no record'
complete -c weir -n '__weir_command push' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command push' -l drain-rate -x -d 'what may be sent of it a second above what comes in, at most; 0 for no limit (default: 1MiB behind a spool or with a checkpoint, none with --once)'
complete -c weir -n '__weir_command push' -l start-jitter -x -d 'its first request waits a random time up to this (default: 30s behind a spool, else 4s)'
complete -c weir -n '__weir_command push' -l batch-wait -x -d 'how long a record may wait for others; after as long without any it does not wait (default: 1s; 0 behind a buffer)'
complete -c weir -n '__weir_command push' -l batch-size -x -d 'lines and metadata of one request'
complete -c weir -n '__weir_command push' -l batch-records -x -d 'records of one request'
complete -c weir -n '__weir_command push' -l parallel -x -d 'requests in flight at once; of one stream always one'
complete -c weir -n '__weir_command push' -l max-line-size -x -d 'longest line'
complete -c weir -n '__weir_command push' -l max-age -x -d 'oldest record'
complete -c weir -n '__weir_command push' -l max-ahead -x -d 'how far a record may lie in the future'
complete -c weir -n '__weir_command push' -l max-labels -x -d 'labels of a stream'
complete -c weir -n '__weir_command push' -l tenant -l org-id -x -d 'tenant, sent as X-Scope-OrgID (default: LOKI_ORG_ID)'
complete -c weir -n '__weir_command push' -l username -x -d 'user name for basic authentication (default: LOKI_USERNAME)'
complete -c weir -n '__weir_command push' -l password-file -r -F -d 'read the password from a file, again whenever it changes'
complete -c weir -n '__weir_command push' -l password -x -d 'password; prefer --password-file or LOKI_PASSWORD, which no process list shows'
complete -c weir -n '__weir_command push' -l bearer-token-file -r -F -d 'read the bearer token from a file, again whenever it changes (default: LOKI_BEARER_TOKEN_FILE)'
complete -c weir -n '__weir_command push' -l bearer-token -x -d 'bearer token; prefer --bearer-token-file or LOKI_BEARER_TOKEN'
complete -c weir -n '__weir_command push' -l ca-cert -r -F -d 'certificates that the server\'s must be signed by, PEM (default: LOKI_CA_CERT_PATH)'
complete -c weir -n '__weir_command push' -l cert -r -F -d 'client certificate, PEM (default: LOKI_CLIENT_CERT_PATH)'
complete -c weir -n '__weir_command push' -l key -r -F -d 'key of the client certificate, PEM (default: LOKI_CLIENT_KEY_PATH)'
complete -c weir -n '__weir_command push' -l tls-skip-verify -d 'accept any certificate of the server (default: LOKI_TLS_SKIP_VERIFY)'
complete -c weir -n '__weir_command push' -l proxy-url -x -d 'proxy (default: LOKI_HTTP_PROXY_URL, else http_proxy, https_proxy and no_proxy)'
complete -c weir -n '__weir_command push' -l header -x -d 'send this header, too (repeatable)'
complete -c weir -n '__weir_command push' -l timeout -x -d 'give up a request after this long'
complete -c weir -n '__weir_command replay' -l since -x -d 'records of this last while, or since this time: 15m, 7d, 2026-05-01T10:00:00Z, 10:00'
complete -c weir -n '__weir_command replay' -l from -x -d 'records from this time on: RFC 3339, a local date and time, a local time (23:00 is the latest one that was), or how long ago'
complete -c weir -n '__weir_command replay' -l to -x -d 'records before this time'
complete -c weir -n '__weir_command replay' -s n -l namespace -x -d 'only records of these namespaces (repeatable)'
complete -c weir -n '__weir_command replay' -s p -l pod -x -d 'only records of these pods; web also takes web-… (repeatable)'
complete -c weir -n '__weir_command replay' -s c -l container -x -d 'only records of these containers (repeatable)'
complete -c weir -n '__weir_command replay' -l undelivered -d 'only records that some consumer has not acknowledged'
complete -c weir -n '__weir_command replay' -l held -d 'only records that rules hold back'
complete -c weir -n '__weir_command replay' -l rejected -d 'only records that Loki refused for good, each with its `rejected` reason'
complete -c weir -n '__weir_command replay' -l speed -x -d 'pace: `max`, or a multiple of the speed at which they were written (`1x`, `10x`)'
complete -c weir -n '__weir_command replay' -l retime -x -a 'now' -d '`now`: the present as timestamp; the old one goes to metadata weir_original_timestamp'
complete -c weir -n '__weir_command replay' -s o -l output -x -a 'auto text raw jsonl' -d 'auto (the default: text on a terminal, JSON lines into a pipe), text, raw (bare lines) or jsonl'
complete -c weir -n '__weir_command replay' -l color -x -a 'auto always never' -d 'colour in text: auto (on a terminal without NO_COLOR), never, or always (also into a pipe that ends at a terminal, as of `less -R`: control bytes are then shown escaped)'
complete -c weir -n '__weir_command replay' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command replay; and __weir_place 0 "" --since --from --to -n --namespace -p --pod -c --container --speed --retime -o --output --color' -a '(__weir_spools)'
complete -c weir -n '__weir_command query' -l spool -x -a '(__weir_spools)' -d 'ask this spool instead of Loki (default: WEIR_SPOOL, where neither --addr nor LOKI_ADDR names a Loki)'
complete -c weir -n '__weir_command query' -l since -x -d 'records of this last while, or since this time: 15m, 7d, 2026-05-01T10:00:00Z, 10:00'
complete -c weir -n '__weir_command query' -l from -x -d 'records from this time on: RFC 3339, a local date and time, a local time (23:00 is the latest one that was), or how long ago'
complete -c weir -n '__weir_command query' -l to -x -d 'records before this time'
complete -c weir -n '__weir_command query' -s n -l namespace -x -d 'only records of these namespaces (repeatable)'
complete -c weir -n '__weir_command query' -s p -l pod -x -d 'only records of these pods; web also takes web-… (repeatable)'
complete -c weir -n '__weir_command query' -s c -l container -x -d 'only records of these containers (repeatable)'
complete -c weir -n '__weir_command query' -l limit -x -d 'at most this many records, 0 for all (default: 1000 in text and raw, all in jsonl)'
complete -c weir -n '__weir_command query' -l forward -d 'with a limit the oldest records, not the newest; either way the oldest are shown first'
complete -c weir -n '__weir_command query' -l step -x -d 'distance of the points of a metric query (default: Loki\'s choice)'
complete -c weir -n '__weir_command query' -s o -l output -x -a 'auto text raw jsonl' -d 'auto (the default: text), text, raw (bare lines) or jsonl (JSON lines)'
complete -c weir -n '__weir_command query' -l color -x -a 'auto always never' -d 'colour in text: auto (on a terminal without NO_COLOR), never, or always (also into a pipe that ends at a terminal, as of `less -R`: control bytes are then shown escaped)'
complete -c weir -n '__weir_command query' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command query' -l addr -x -d 'URL of the Loki (default: LOKI_ADDR, else http://localhost:3100)'
complete -c weir -n '__weir_command query' -l tenant -l org-id -x -d 'tenant, sent as X-Scope-OrgID (default: LOKI_ORG_ID)'
complete -c weir -n '__weir_command query' -l username -x -d 'user name for basic authentication (default: LOKI_USERNAME)'
complete -c weir -n '__weir_command query' -l password-file -r -F -d 'read the password from a file, again whenever it changes'
complete -c weir -n '__weir_command query' -l password -x -d 'password; prefer --password-file or LOKI_PASSWORD, which no process list shows'
complete -c weir -n '__weir_command query' -l bearer-token-file -r -F -d 'read the bearer token from a file, again whenever it changes (default: LOKI_BEARER_TOKEN_FILE)'
complete -c weir -n '__weir_command query' -l bearer-token -x -d 'bearer token; prefer --bearer-token-file or LOKI_BEARER_TOKEN'
complete -c weir -n '__weir_command query' -l ca-cert -r -F -d 'certificates that the server\'s must be signed by, PEM (default: LOKI_CA_CERT_PATH)'
complete -c weir -n '__weir_command query' -l cert -r -F -d 'client certificate, PEM (default: LOKI_CLIENT_CERT_PATH)'
complete -c weir -n '__weir_command query' -l key -r -F -d 'key of the client certificate, PEM (default: LOKI_CLIENT_KEY_PATH)'
complete -c weir -n '__weir_command query' -l tls-skip-verify -d 'accept any certificate of the server (default: LOKI_TLS_SKIP_VERIFY)'
complete -c weir -n '__weir_command query' -l proxy-url -x -d 'proxy (default: LOKI_HTTP_PROXY_URL, else http_proxy, https_proxy and no_proxy)'
complete -c weir -n '__weir_command query' -l header -x -d 'send this header, too (repeatable)'
complete -c weir -n '__weir_command query' -l timeout -x -d 'give up a request after this long'
complete -c weir -n '__weir_command query; and __weir_behind labels --spool --since --from --to -n --namespace -p --pod -c --container --limit --step -o --output --color --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --proxy-url --header --timeout' -a '(__weir_listed)'
complete -c weir -n '__weir_command query; and __weir_place 0 "" --spool --since --from --to -n --namespace -p --pod -c --container --limit --step -o --output --color --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --proxy-url --header --timeout' -a 'logs labels series' -d 'a log or metric query; `labels [NAME]` and `series` take an optional stream selector'
complete -c weir -n '__weir_command run' -s c -l command -x -d 'the text of the pipelines'
complete -c weir -n '__weir_command run' -l check -d 'parse and check everything, also whether files can be read and variables are set; run and write nothing'
complete -c weir -n '__weir_command run' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command run; and __weir_place 0 "" -c --command' -a '(__weir_files)'
complete -c weir -n '__weir_command spool' -s o -l output -x -a 'text json' -d 'text for people or JSON for programs'
complete -c weir -n '__weir_command spool' -l wait -x -d 'how long `compact` waits for the process that writes the spool, and `copy` for a busy file'
complete -c weir -n '__weir_command spool' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command spool; and __weir_place 0 "" -o --output --wait' -a 'status check copy forget compact' -d '`status`, `check`, `copy`, `forget` or `compact`'
complete -c weir -n '__weir_command spool; and __weir_place 1- "forget" -o --output --wait' -a '(__weir_spools)'
complete -c weir -n '__weir_command docs' -l dir -r -F -d 'man: write all pages into this folder, which is created if it is not there'
complete -c weir -n '__weir_command docs' -s h -l help -d 'show this help and exit'
complete -c weir -n '__weir_command docs; and __weir_behind man --dir' -a 'weir tail enrich filter buffer push replay query run spool docs pipeline.5 record.5 spool.5'
complete -c weir -n '__weir_command docs; and __weir_behind completion --dir' -a 'bash zsh fish'
complete -c weir -n '__weir_command docs; and __weir_place 0 "" --dir' -a 'man completion' -d 'what to print'
complete -c weir -n '__weir_command docs; and __weir_place 1 "man completion" --dir' -a 'bash zsh fish' -d 'man: `weir`, a command, or a format (`pipeline`, `record`, `spool.5`); completion: bash, zsh or fish'
