# Where tests/run.sh --loki keeps the Loki it built. Sourced from the top of the tree.

loki_cache() {
  local sum
  sum=$(cat tests/loki/go.mod tests/loki/go.sum | sha256sum | cut -c 1-16)
  printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/weir/loki-$sum"
}
