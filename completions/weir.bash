# Completion of weir for bash; printed by `weir docs completion bash`.

_weir_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

# Not what stands beside a spool and belongs to it.
_weir_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -X '*.db-*' -- "$cur")
}

# Folders and what has the name of a spool; where there is neither, any file.
_weir_spools() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <({ compgen -d -- "$cur"; compgen -f -X '!*.db' -- "$cur"; } | sort -u)
  ((${#COMPREPLY[@]})) || _weir_files
}

# What the command prints that was typed so far.
_weir_listed() {
  local -a line=()
  local i word
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]//[\"\']/}
    if [[ $word == = ]] && ((${#line[@]})); then
      line[${#line[@]}-1]+="=${COMP_WORDS[++i]//[\"\']/}"
    else
      line+=("${word/#\~\//$HOME/}")
    fi
  done
  while read -r word; do
    [[ $word =~ ^[A-Za-z_][A-Za-z0-9_]*$ && $word == "$cur"* ]] && COMPREPLY+=("$word")
  done < <("${COMP_WORDS[0]}" "${line[@]}" --timeout 2s 2>/dev/null </dev/null)
}

# The words behind the command that are no options, into `given`; $1: the options that take a value.
_weir_given() {
  local i word
  given=()
  for ((i = 2; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == = ]]; then
      ((i++))
    elif [[ $word == -?* ]]; then
      [[ " $1 " == *" $word "* && ${COMP_WORDS[i+1]} != = ]] && ((i++))
    else
      given+=("$word")
    fi
  done
}

_weir() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local -a given=()
  COMPREPLY=()
  # `=` is a word of its own to bash.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then
    _weir_words 'tail enrich filter buffer push replay query serve run rules smoke spool top convert docs help --help --version'
    return
  fi
  case ${COMP_WORDS[1]} in
    tail)
      case $prev in
        --format) _weir_words 'auto cri docker raw journal rfc3339'; return ;;
        --filename) _weir_words 'label metadata'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl csv table'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --log-root|--journal-dir|--checkpoint|--positions|--metrics-file) _weir_files; return ;;
        --hold-deleted|--lines|--from|--since|--max-age|--max-line|--multiline|--multiline-wait|--multiline-lines|--multiline-size|-n|--namespace|-p|--pod|-c|--container|--timezone|--unit|--priority|--journal-field|--exclude-namespace|--exclude-pod|--exclude-container|--wait|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '-f --follow --hold-deleted --lines --from --since --max-age --follow-links --log-root --format --max-line --multiline --multiline-wait --multiline-lines --multiline-size --filename -n --namespace -p --pod -c --container -o --output --color --no-wrap --timezone --utc --exit-zero-on-term -h --help --journal --journal-dir --unit --priority --journal-field --exclude-namespace --exclude-pod --exclude-container --checkpoint --positions --wait --metrics --metrics-file'
      else
        _weir_given '--hold-deleted --lines --from --since --max-age --log-root --format --max-line --multiline --multiline-wait --multiline-lines --multiline-size --filename -n --namespace -p --pod -c --container -o --output --color --timezone -h --help --journal-dir --unit --priority --journal-field --exclude-namespace --exclude-pod --exclude-container --checkpoint --positions --wait --metrics --metrics-file'
        case ${#given[@]}:${given[0]-} in
          *) _weir_files ;;
        esac
      fi
      ;;
    enrich)
      case $prev in
        --kubernetes) _weir_words 'api kubelet path none'; return ;;
        --labels-like) _weir_words 'promtail alloy-docs k8s-monitoring'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl csv table'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --exclude-unknown) _weir_words 'wait pass'; return ;;
        --values-file|--kube-token-file|--kube-ca|--kubelet-ca|--pod-cache|--metrics-file) _weir_files; return ;;
        --label|--label-from-env|--keep-labels|--level|--pod-label|--pod-annotation|--pod-metadata|--tenant-from|--parse|--to-label|--to-metadata|--timestamp-from|--max-values|--timezone|--node-name|--kube-server|--kubelet|--wait|--exclude-pod-label|--ignore-exclude-in|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--label --label-from-env --keep-labels --level --kubernetes --pod-label --pod-annotation --pod-metadata --labels-like --no-service-name --tenant-from --parse --to-label --to-metadata --timestamp-from --max-values --values-file -o --output --color --no-wrap --timezone --utc --strict --exit-zero-on-term -h --help --node-name --kube-server --kube-token-file --kube-ca --kubelet --kubelet-ca --kubelet-insecure --pod-cache --wait --exclude-pod-label --exclude-unknown --ignore-exclude-in --metrics --metrics-file'
      fi
      ;;
    filter)
      case $prev in
        -o|--output) _weir_words 'auto text raw jsonl csv table'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --rules|--kube-token-file|--kube-ca|--metrics-file) _weir_files; return ;;
        --drop|--timezone|--kube-server|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--drop --rules --explain -o --output --color --no-wrap --timezone --utc --strict --exit-zero-on-term -h --help --kube-server --kube-token-file --kube-ca --metrics --metrics-file'
      fi
      ;;
    buffer)
      case $prev in
        --sync) _weir_words 'off normal full'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl csv table'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --on-full) _weir_words 'block drop-oldest'; return ;;
        --metrics-file) _weir_files; return ;;
        --wait|--timezone|--max-size|--min-free|--rejected-max|--retain|--hold|--hold-max|--release-rate|--release-jitter|--max-behind|--as|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--store --spill --sync --wait -o --output --color --no-wrap --timezone --utc --strict --exit-zero-on-term -h --help --max-size --min-free --rejected-max --retain --hold --hold-max --on-full --release-rate --release-jitter --max-behind --as --only-new --metrics --metrics-file'
      else
        _weir_given '--sync --wait -o --output --color --timezone -h --help --max-size --min-free --rejected-max --retain --hold --hold-max --on-full --release-rate --release-jitter --max-behind --as --metrics --metrics-file'
        case ${#given[@]}:${given[0]-} in
          0:*) _weir_spools ;;
          *) : ;;
        esac
      fi
      ;;
    push)
      case $prev in
        --metadata) _weir_words 'auto keep drop'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --checkpoint|--password-file|--bearer-token-file|--ca-cert|--cert|--key|--metrics-file) _weir_files; return ;;
        --spool) _weir_spools; return ;;
        --as|--match|--give-up|--drain-rate|--start-jitter|--batch-wait|--batch-size|--batch-records|--parallel|--max-line-size|--max-age|--max-ahead|--max-labels|--tenant|--org-id|--username|--password|--bearer-token|--proxy-url|--header|--timeout|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--checkpoint --spool --as --match --once --metadata --give-up --check --strict --exit-zero-on-term -h --help --drain-rate --start-jitter --batch-wait --batch-size --batch-records --parallel --max-line-size --max-age --max-ahead --max-labels --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --tls-skip-verify --proxy-url --header --timeout --metrics --metrics-file'
      fi
      ;;
    replay)
      case $prev in
        --retime) _weir_words 'now'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl csv table'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --export|--rules|--metrics-file) _weir_files; return ;;
        --since|--from|--to|-n|--namespace|-p|--pod|-c|--container|--release-id|--speed|--timezone|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--since --from --to -n --namespace -p --pod -c --container --undelivered --held --release --release-id --export --rules --rejected --speed --retime -o --output --color --no-wrap --timezone --utc --exit-zero-on-term -h --help --metrics --metrics-file'
      else
        _weir_given '--since --from --to -n --namespace -p --pod -c --container --release-id --export --rules --speed --retime -o --output --color --timezone -h --help --metrics --metrics-file'
        case ${#given[@]}:${given[0]-} in
          0:*) _weir_spools ;;
          1:*) : ;;
          *) : ;;
        esac
      fi
      ;;
    query)
      case $prev in
        -o|--output) _weir_words 'auto text raw jsonl csv table default'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --rules|--password-file|--bearer-token-file|--ca-cert|--cert|--key|--metrics-file) _weir_files; return ;;
        --spool|--with-spool) _weir_spools; return ;;
        --memory|--since|--from|--to|-n|--namespace|-p|--pod|-c|--container|--limit|--now|--step|--by|--targetLabels|--line-limit|--batch|-A|--after-context|-B|--before-context|-C|--context|--late|--at|-z|--timezone|--expect|--expect-min|--expect-max|--wait|--addr|--tenant|--org-id|--username|--password|--bearer-token|--proxy-url|--header|--timeout|--include-label|--exclude-label|--query-tags|--retries|--min-backoff|--max-backoff|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--spool --with-spool --stdin --memory --since --from --to -n --namespace -p --pod -c --container --limit --forward --instant --now --step --by --targetLabels --by-name --aggregateByLabels --line-limit --batch -A --after-context -B --before-context -C --context -f -t --follow --tail --late --rules --at -o --output --color --no-wrap --no-histogram -z --timezone --utc --exit-zero-on-term -h --help --expect --expect-min --expect-max --expect-none --wait --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --tls-skip-verify --proxy-url --header --timeout -q --quiet --no-labels --include-label --exclude-label --query-tags --nocache --retries --min-backoff --max-backoff --metrics --metrics-file'
      else
        _weir_given '--spool --with-spool --memory --since --from --to -n --namespace -p --pod -c --container --limit --now --step --by --targetLabels --line-limit --batch -A --after-context -B --before-context -C --context --late --rules --at -o --output --color -z --timezone -h --help --expect --expect-min --expect-max --wait --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --proxy-url --header --timeout --include-label --exclude-label --query-tags --retries --min-backoff --max-backoff --metrics --metrics-file'
        case ${#given[@]}:${given[0]-} in
          1:logs) : ;;
          1:labels) _weir_listed ;;
          1:series) : ;;
          1:stats) : ;;
          1:volume) : ;;
          1:fields) : ;;
          1:values) : ;;
          1:fmt) : ;;
          0:*) _weir_words 'logs labels series stats volume fields values fmt' ;;
          *) : ;;
        esac
      fi
      ;;
    serve)
      case $prev in
        --sync) _weir_words 'off normal full'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --on-full) _weir_words 'block drop-oldest'; return ;;
        --auth-file|--token-file|--tls-cert|--tls-key|--metrics-file) _weir_files; return ;;
        --listen|--host|--max-size|--min-free|--retain|--query-timeout|--max-queries|--memory|--max-entries|--max-tails|--reject-old|--max-behind|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--listen --read-only --sync --exit-zero-on-term -h --help --auth-file --token-file --tls-cert --tls-key --host --insecure --max-size --min-free --retain --on-full --query-timeout --max-queries --memory --max-entries --max-tails --reject-old --max-behind --no-service-name --no-levels --metrics --metrics-file'
      else
        _weir_given '--listen --sync -h --help --auth-file --token-file --tls-cert --tls-key --host --max-size --min-free --retain --on-full --query-timeout --max-queries --memory --max-entries --max-tails --reject-old --max-behind --metrics --metrics-file'
        case ${#given[@]}:${given[0]-} in
          0:*) _weir_spools ;;
          *) : ;;
        esac
      fi
      ;;
    run)
      case $prev in
        -h|--help) _weir_words 'all'; return ;;
        --metrics-file) _weir_files; return ;;
        -c|--command|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '-c --command --check --strict --exit-zero-on-term -h --help --metrics --metrics-file'
      else
        _weir_given '-c --command -h --help --metrics --metrics-file'
        case ${#given[@]}:${given[0]-} in
          0:*) _weir_files ;;
          *) : ;;
        esac
      fi
      ;;
    rules)
      case $prev in
        -o|--output) _weir_words 'text json'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --compare|--junit|--kube-token-file|--kube-ca) _weir_files; return ;;
        --against) _weir_spools; return ;;
        --enrich|--metrics|--since|--from|--to|--kube-server) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--against --compare --enrich --metrics --junit --since --from --to -o --output -h --help --kube-server --kube-token-file --kube-ca'
      else
        _weir_given '--against --compare --enrich --metrics --junit --since --from --to -o --output -h --help --kube-server --kube-token-file --kube-ca'
        case ${#given[@]}:${given[0]-} in
          0:*) _weir_words 'check list add remove test unit' ;;
          *) _weir_files ;;
        esac
      fi
      ;;
    smoke)
      case $prev in
        --large) _weir_words 'all one none'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --emit) _weir_words 'stdout'; return ;;
        --junit|--password-file|--bearer-token-file|--ca-cert|--cert|--key|--metrics-file) _weir_files; return ;;
        --records|--streams|--rate|--seed|--timeout|--wait|--via|--selector|--label|--every|--push-url|--query-url|--addr|--tenant|--org-id|--username|--password|--bearer-token|--proxy-url|--header|--metrics) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--records --streams --rate --large --seed --timeout --wait -h --help --via --emit --selector --label --write-only --json --junit --every --push-url --query-url --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --tls-skip-verify --proxy-url --header --metrics --metrics-file'
      fi
      ;;
    spool)
      case $prev in
        -o|--output) _weir_words 'text json'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --wait|--max-behind) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '-o --output --wait --max-behind -f --follow -h --help'
      else
        _weir_given '-o --output --wait --max-behind -h --help'
        case ${#given[@]}:${given[0]-} in
          1:forget) : ;;
          1:cancel) : ;;
          0:*) _weir_words 'status check copy forget cancel compact' ;;
          *) _weir_spools ;;
        esac
      fi
      ;;
    top)
      case $prev in
        --sort) _weir_words 'bytes records'; return ;;
        -o|--output) _weir_words 'text json'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --rules|--kube-token-file|--kube-ca) _weir_files; return ;;
        --spool) _weir_spools; return ;;
        --since|-n|--count|--interval|--rows|--namespace|-p|--pod|-c|--container|--kube-server) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--spool --since --rules -n --count --interval --sort --rows -o --output --namespace -p --pod -c --container -h --help --kube-server --kube-token-file --kube-ca'
      else
        _weir_given '--spool --since --rules -n --count --interval --sort --rows -o --output --namespace -p --pod -c --container -h --help --kube-server --kube-token-file --kube-ca'
        case ${#given[@]}:${given[0]-} in
          *) _weir_files ;;
        esac
      fi
      ;;
    convert)
      case $prev in
        -o|--output) _weir_words 'text json'; return ;;
        -h|--help) _weir_words 'all'; return ;;
        --output-dir|--config-dir|--state-dir) _weir_files; return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--output-dir --overwrite --config-dir --state-dir --expand-env -o --output -h --help'
      else
        _weir_given '--output-dir --config-dir --state-dir -o --output -h --help'
        case ${#given[@]}:${given[0]-} in
          0:*) _weir_words 'promtail' ;;
          1:*) _weir_files ;;
          *) : ;;
        esac
      fi
      ;;
    docs)
      case $prev in
        -h|--help) _weir_words 'all'; return ;;
        --dir) _weir_files; return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--dir -h --help'
      else
        _weir_given '--dir -h --help'
        case ${#given[@]}:${given[0]-} in
          1:man) _weir_words 'weir tail enrich filter buffer push replay query serve run rules smoke spool top convert docs pipeline record rules.5 spool.5 guide-alloy guide-fluent-bit guide-logcli guide-promtail guide-stern logql metrics troubleshooting' ;;
          1:markdown) _weir_words 'weir tail enrich filter buffer push replay query serve run rules smoke spool top convert docs pipeline record rules.5 spool.5 guide-alloy guide-fluent-bit guide-logcli guide-promtail guide-stern logql metrics troubleshooting' ;;
          1:completion) _weir_words 'bash zsh fish' ;;
          1:pipeline) _weir_words 'node backfill debug-recorder docker journal node-to-loki redact sample spill tenants two-targets' ;;
          1:rules) _weir_words 'node debug-recorder redact sample' ;;
          1:alerts) _weir_words 'prometheus kubernetes loki' ;;
          0:*) _weir_words 'list man markdown completion unit pipeline rules alerts dashboard' ;;
          1:*) : ;;
          *) : ;;
        esac
      fi
      ;;
    help) _weir_words 'tail enrich filter buffer push replay query serve run rules smoke spool top convert docs help' ;;
  esac
}

complete -F _weir weir
