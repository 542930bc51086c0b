# Where tests/run.sh and tests/bench/run.sh keep what they build once, servers and the weir of the release before, and how they build
# what is made with Go. Sourced from the top of the tree.

# server_cache NAME: of the tools in tests/NAME/go.mod.
server_cache() {
  local sum
  sum=$(cat "tests/$1/go.mod" "tests/$1/go.sum" | sha256sum | cut -c 1-16)
  printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/weir/${1##*/}-$sum"
}
loki_cache() { server_cache loki; }
victorialogs_cache() { server_cache victorialogs; }
kube_cache() { server_cache kube; }
etcd_cache() { server_cache etcd; }
promtail_cache() { server_cache promtail; }
helm_cache() { server_cache helm; }
operator_cache() { server_cache prometheus-operator; }
peers_cache() { server_cache bench/peers; }
# release_cache COMMIT: weir of that commit.
release_cache() { printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/weir/release-$1"; }

# build_server NAME FOLDER WHAT [GO BUILD FLAG…]: the tools of tests/NAME/go.mod. Leaves in `why` what it failed of.
build_server() {
  local name=$1 folder=$2 what=$3 version building
  shift 3
  command -v go > /dev/null || { why="no Go here to build it"; return 1; }
  version=$(go env GOVERSION | sed 's/^go//')
  if ! printf '1.21\n%s\n' "$version" | sort -V -C; then
    why="Go $version is too old to build it (1.21 fetches the toolchain it needs)"
    return 1
  fi
  printf '\n== Building %s into %s (once)\n' "$what" "$folder"
  mkdir -p "${folder%/*}"
  building=$(mktemp -d "$folder.XXXXXX")
  if ! (cd "tests/$name" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' "$@" -o "$building" tool); then
    rm -rf "$building"
    why="it does not build here"
    return 1
  fi
  # Another run may have been faster; both built the same.
  mv -T "$building" "$folder" 2> /dev/null || rm -rf "$building"
}
