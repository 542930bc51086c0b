#!/usr/bin/env bash
# Builds the images of examples/image/Containerfile whole, as a release does, and tries them. There is no registry in it: the base
# image is a tree made by debootstrap. ctest builds the last stage only (tests/image/image_test.py), because this takes ten minutes.
#
#   tests/image/build.sh [--twice] [DIR]      as root, with debootstrap and buildah; DIR keeps base and layers (default: a temporary one)
#
# Exit 1 when a step fails; with --twice also when a second build from the base on gives another image.
set -euo pipefail
cd "$(dirname "$0")/../.."
fail() { echo "tests/image/build.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "debootstrap needs root"
for tool in debootstrap buildah; do command -v $tool > /dev/null || fail "install $tool"; done
twice=false
if [ "${1:-}" = --twice ]; then twice=true; shift; fi

folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
folder=$(readlink -f "$folder")
buildah() { command buildah --root "$folder/store" --runroot "$folder/run" "$@"; }
say() { printf '\n== %s (%d min %02d s)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)); }

if ! buildah inspect --type image docker.io/library/debian:12 > /dev/null 2>&1; then
  say "The base image"
  rm -rf "$folder/base"
  debootstrap --variant=minbase bookworm "$folder/base" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
  # What this machine's apt needs to reach its mirrors.
  find /etc/apt/apt.conf.d -name '*prox*' -exec cp {} "$folder/base/etc/apt/apt.conf.d/" \;
  rm -rf "$folder/base"/var/{cache/apt/*.bin,cache/apt/archives/*.deb,lib/apt/lists/*}
  container=$(buildah from scratch)
  buildah add -q "$container" "$folder/base" / > /dev/null
  buildah config --cmd /bin/bash "$container"
  buildah commit -q --rm "$container" docker.io/library/debian:12
  buildah tag docker.io/library/debian:12 docker.io/library/debian:12-slim
  rm -rf "$folder/base"
fi

# build TAG [OPTION…]: of what git would commit, in the words of the Containerfile's head.
epoch=$(git log -1 --format=%ct)
context=$folder/context
rm -rf "$context"
mkdir "$context"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --ignore-failed-read -cf - | tar -xf - -C "$context"
build() {
  local tag=$1
  shift
  buildah build --isolation chroot --pull=never --build-arg REVISION="$(git rev-parse HEAD)" \
    --build-arg SOURCE_DATE_EPOCH="$epoch" --timestamp "$epoch" -f "$context/examples/image/Containerfile" -t "$tag" "$@" "$context"
}
say "The image of a node"
build weir:test --layers
digest() { buildah inspect --type image --format '{{.FromImageDigest}}' "$1"; }
if $twice; then
  say "The image of a node, again"
  build weir:again --layers --no-cache
  [ "$(digest weir:test)" = "$(digest weir:again)" ] || fail "the second build differs: $(digest weir:test), $(digest weir:again)"
fi

say "The image for jobs"
build weir:ci --layers --target ci
container=$(buildah from --pull-never localhost/weir:ci)
buildah run --isolation chroot "$container" bash -euc '
  weir --version
  ldd /usr/local/bin/weir | { ! grep "not found"; }
  # It has libcurl, and nobody listens on that port.
  weir push --check https://127.0.0.1:9 2>&1 | tee /dev/stderr | grep -q "cannot reach"'
buildah rm "$container" > /dev/null

say "The test of the image of a node"
STORAGE_DRIVER=$(buildah info --format '{{.store.GraphDriverName}}') WEIR_IMAGE_STORE=$folder/store \
  PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1 python3 tests/image/image_test.py
say "Done: $(digest weir:test)"
