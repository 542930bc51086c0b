#!/usr/bin/env bash
# Builds weir of an earlier commit out of the history of this tree.
#
#   tests/upgrade/build.sh COMMIT FOLDER     makes FOLDER/weir
#
# Exit code 1: this clone does not have the commit. With ccache most of it is there already.
set -euo pipefail
cd "$(dirname "$0")/../.."
commit=$1 folder=$2
if ! git rev-parse --quiet --verify "$commit^{tree}" > /dev/null 2>&1; then
  echo "this clone has no commit $commit (git fetch --unshallow gets the history)" >&2
  exit 1
fi
mkdir -p "${folder%/*}"
building=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$building"' EXIT
mkdir "$building/source"
git archive "$commit" | tar -x -C "$building/source"
# The tree finds ccache by itself. Names below this folder count as relative ones, and the flags are those of the preset, so that what
# another folder built is found. Where a newer compiler warns of something, warnings are no errors.
build() {
  (cd "$building/source" && export CCACHE_BASEDIR=$building CCACHE_NOHASHDIR=1 &&
    cmake --preset release "$@" && cmake --build --preset release --target weir) > "$building/log" 2>&1
}
build || build -DWEIR_WERROR=OFF || { tail -n 30 "$building/log" >&2; exit 2; }
mkdir "$building/done"
cp "$building/source/build/release/cmd/weir" "$building/done/"
# Another run may have been faster; both built the same.
mv -T "$building/done" "$folder" 2> /dev/null || [ -x "$folder/weir" ]
