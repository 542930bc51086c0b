# Where tests/run.sh --loki and --kube keep the servers they built. Sourced from the top of the tree.

# server_cache NAME: of the tools in tests/NAME/go.mod.
server_cache() {
  local sum
  sum=$(cat "tests/$1/go.mod" "tests/$1/go.sum" | sha256sum | cut -c 1-16)
  printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/weir/$1-$sum"
}
loki_cache() { server_cache loki; }
victorialogs_cache() { server_cache victorialogs; }
kube_cache() { server_cache kube; }
etcd_cache() { server_cache etcd; }
promtail_cache() { server_cache promtail; }
helm_cache() { server_cache helm; }
operator_cache() { server_cache prometheus-operator; }
