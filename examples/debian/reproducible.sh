#!/usr/bin/env bash
# Builds the Debian package twice from one commit, in two folders with names of different lengths, and compares the bytes. The first build
# uses ccache where it is there, the second one compiles everything.
#
#   examples/debian/reproducible.sh [DIR]     DIR (default: a temporary folder) keeps what differs
#
# Exit 1 when they differ. Takes two builds of weir, without its tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(realpath -m "${1:-$(mktemp -d)}")
mkdir -p "$folder"
state=$(cmake -D SOURCE="$PWD" -P examples/debian/say_state.cmake)
export SOURCE_DATE_EPOCH=${state##* }

build() { # NAME LAUNCHER
  local source=$folder/$1/source start=$SECONDS
  rm -rf "${folder:?}/$1" && mkdir -p "$source"
  git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xf - -C "$source"
  cmake -S "$source" -B "$folder/$1/build" -G Ninja -D CMAKE_BUILD_TYPE=Release -D BUILD_TESTING=OFF -D WEIR_COMMIT="${state% *}" \
    -D WEIR_CCACHE="$2" > "$folder/$1.log"
  cmake --build "$folder/$1/build" --target weir weir_sbom >> "$folder/$1.log"
  (cd "$folder/$1" && cpack --config build/CPackConfig.cmake -B "$folder/$1/out") >> "$folder/$1.log"
  printf '%s: %s in %d s\n' "$1" "$(cd "$folder/$1/out" && sha256sum ./*.deb)" $((SECONDS - start))
}

launcher=$(command -v ccache || true)
umask 022
build one "$launcher"
umask 077
TZ=Asia/Tokyo LC_ALL=C build another-folder-with-a-longer-name ""

cd "$folder"
if cmp one/out/*.deb another-folder-with-a-longer-name/out/*.deb; then
  echo "equal"
else
  for name in one another-folder-with-a-longer-name; do dpkg-deb -R $name/out/*.deb $name/unpacked; done
  diff -rq one/unpacked another-folder-with-a-longer-name/unpacked || true
  echo "the packages differ; they are unpacked in $folder" >&2
  exit 1
fi
