# Where tests/run.sh keeps the servers, and the weir of the release before, that it built. Sourced from the top of the tree.

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
# release_cache COMMIT: weir of that commit.
release_cache() { printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/weir/release-$1"; }
