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
launcher=()
if [ -z "${CMAKE_CXX_COMPILER_LAUNCHER:-}" ] && command -v ccache > /dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
# The commit itself passed its tests; a newer compiler's warnings are of no interest here.
cmake -S "$building/source" -B "$building/build" -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}" > "$building/log" 2>&1 &&
  cmake --build "$building/build" --target weir >> "$building/log" 2>&1 || { tail -n 30 "$building/log" >&2; exit 2; }
mkdir "$building/done"
cp "$building/build/cmd/weir" "$building/done/"
# Another run may have been faster; both built the same.
mv -T "$building/done" "$folder" 2> /dev/null || [ -x "$folder/weir" ]
