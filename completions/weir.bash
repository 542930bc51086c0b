# Completion of weir for bash; printed by `weir docs completion bash`.

_weir_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

_weir_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_weir() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  # `=` is a word of its own to bash.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD == 1)); then
    _weir_words 'tail enrich filter buffer push replay query run spool docs help --help --version'
    return
  fi
  case ${COMP_WORDS[1]} in
    tail)
      case $prev in
        --format) _weir_words 'auto cri docker raw'; return ;;
        --filename) _weir_words 'label metadata'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        --checkpoint) _weir_files; return ;;
        --hold-deleted|--lines|--from|--since|--max-line|-n|--namespace|-p|--pod|-c|--container|--exclude-namespace|--exclude-pod|--exclude-container|--wait) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '-f --follow --hold-deleted --lines --from --since --format --max-line --filename -n --namespace -p --pod -c --container -o --output --color -h --help --exclude-namespace --exclude-pod --exclude-container --checkpoint --wait'
      else
        _weir_files
      fi
      ;;
    enrich)
      case $prev in
        --kubernetes) _weir_words 'path none'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        --label|--label-from-env|--keep-labels|--level|--tenant-from) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--label --label-from-env --keep-labels --level --kubernetes --no-service-name --tenant-from -o --output --color --strict -h --help'
      fi
      ;;
    filter)
      case $prev in
        -o|--output) _weir_words 'auto text raw jsonl'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        --drop) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--drop -o --output --color --strict -h --help'
      fi
      ;;
    buffer)
      case $prev in
        --sync) _weir_words 'off normal full'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        --on-full) _weir_words 'block drop-oldest'; return ;;
        --wait|--max-size|--min-free|--retain|--hold|--hold-max|--as) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--store --spill --sync --wait -o --output --color --strict -h --help --max-size --min-free --retain --hold --hold-max --on-full --as --only-new'
      else
        _weir_files
      fi
      ;;
    push)
      case $prev in
        --metadata) _weir_words 'auto keep drop'; return ;;
        --checkpoint|--spool|--password-file|--bearer-token-file|--ca-cert|--cert|--key) _weir_files; return ;;
        --as|--match|--give-up|--drain-rate|--start-jitter|--batch-wait|--batch-size|--batch-records|--parallel|--max-line-size|--max-age|--max-ahead|--max-labels|--tenant|--org-id|--username|--password|--bearer-token|--proxy-url|--header|--timeout) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--checkpoint --spool --as --match --once --metadata --give-up --check --strict -h --help --drain-rate --start-jitter --batch-wait --batch-size --batch-records --parallel --max-line-size --max-age --max-ahead --max-labels --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --tls-skip-verify --proxy-url --header --timeout'
      fi
      ;;
    replay)
      case $prev in
        --retime) _weir_words 'now'; return ;;
        -o|--output) _weir_words 'auto text raw jsonl'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        --since|--from|--to|-n|--namespace|-p|--pod|-c|--container|--speed) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--since --from --to -n --namespace -p --pod -c --container --undelivered --held --rejected --speed --retime -o --output --color -h --help'
      else
        _weir_files
      fi
      ;;
    query)
      case $prev in
        -o|--output) _weir_words 'auto text raw jsonl'; return ;;
        --color) _weir_words 'auto always never'; return ;;
        --spool|--password-file|--bearer-token-file|--ca-cert|--cert|--key) _weir_files; return ;;
        --since|--from|--to|-n|--namespace|-p|--pod|-c|--container|--limit|--step|--addr|--tenant|--org-id|--username|--password|--bearer-token|--proxy-url|--header|--timeout) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '--spool --since --from --to -n --namespace -p --pod -c --container --limit --forward --step -o --output --color -h --help --addr --tenant --org-id --username --password-file --password --bearer-token-file --bearer-token --ca-cert --cert --key --tls-skip-verify --proxy-url --header --timeout'
      else
        _weir_words 'logs labels series'
      fi
      ;;
    run)
      case $prev in
        -c|--command) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '-c --command --check -h --help'
      else
        _weir_files
      fi
      ;;
    spool)
      case $prev in
        -o|--output) _weir_words 'text json'; return ;;
        --wait) return ;;
      esac
      if [[ $cur == -* ]]; then
        _weir_words '-o --output --wait -h --help'
      else
        _weir_words 'status check copy forget compact'
        local named=("${COMPREPLY[@]}")
        _weir_files
        COMPREPLY=("${named[@]}" "${COMPREPLY[@]}")
      fi
      ;;
    docs)
      case $prev in
      esac
      if [[ $cur == -* ]]; then
        _weir_words '-h --help'
      else
        _weir_words 'man completion bash zsh fish'
        local named=("${COMPREPLY[@]}")
        _weir_files
        COMPREPLY=("${named[@]}" "${COMPREPLY[@]}")
      fi
      ;;
    help) _weir_words 'tail enrich filter buffer push replay query run spool docs help' ;;
  esac
}

complete -F _weir weir
