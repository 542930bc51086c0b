#!/usr/bin/env bash
# Makes the package for arm64 on an amd64 machine: cross compiled in a Debian 12 tree, so that this machine needs no packages of arm64.
#
#   examples/debian/arm64.sh [OUT]    as root, with mmdebstrap; the package comes into OUT (default: build/arm64)
#
# The tree is kept in ~/.cache/weir/debian-arm64, 2.3 GB, and is made anew when it is removed. The program is run once through
# qemu-user-static, which the tree has: it must say its version and run a chain.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "arm64.sh: chroot needs root" >&2; exit 2; }
command -v mmdebstrap > /dev/null || { echo "arm64.sh: install mmdebstrap" >&2; exit 2; }
out=$(realpath -m "${1:-build/arm64}")
tree=${WEIR_ARM64_TREE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir/debian-arm64}

if [ ! -e "$tree/.done" ]; then
  echo "== Making the tree $tree (once)"
  rm -rf "$tree"
  mkdir -p "$(dirname "$tree")"
  libraries=(libc6-dev libstdc++-12-dev libfmt-dev libcurl4-openssl-dev libre2-dev libsqlite3-dev libsimdjson-dev libsnappy-dev libzstd-dev
    zlib1g-dev libyaml-cpp-dev libboost1.81-dev)
  tools=(ca-certificates cmake g++-aarch64-linux-gnu ninja-build pkg-config ccache dpkg-dev file git lintian qemu-user-static libcli11-dev
    nlohmann-json3-dev libprotozero-dev)
  include=$(IFS=,; echo "${tools[*]},${libraries[*]/%/:arm64}")
  mmdebstrap --quiet --variant=apt --architectures=amd64,arm64 --include="$include" bookworm "$tree" \
    "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
  touch "$tree/.done"
fi

rm -rf "$tree/weir/source" && mkdir -p "$tree/weir/source" "$out"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xf - -C "$tree/weir/source"
# The tree has the files of this commit and not git's.
state=$(cmake -D SOURCE="$PWD" -P examples/debian/say_state.cmake)
cat > "$tree/weir/make" << END
set -e
cd /weir/source
export SOURCE_DATE_EPOCH=${state##* } DEB_HOST_ARCH=arm64 CCACHE_DIR=/weir/ccache
cmake --preset arm64 -B /weir/build -D WEIR_COMMIT="${state% *}"
cmake --build /weir/build
cpack --config /weir/build/CPackConfig.cmake -B /weir/out
echo "== The program, in an emulator"
run() { qemu-aarch64-static -L / /weir/build/cmd/weir "\$@"; }
run --version
printf 'first\nsecond error\n' | run run 'tail - | filter "|= \"error\"" | enrich --level' | grep -q '"line":"second error"' && echo "a chain runs"
lintian --allow-root --fail-on error /weir/out/*.deb
dpkg-deb --field /weir/out/*.deb Package Version Architecture Depends Installed-Size
END
rm -rf "$tree/weir/out"
unshare --mount --pid --fork sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /usr/bin/env -i \
  PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 nice -n 5 bash /weir/make' sh "$tree"
cp "$tree"/weir/out/*.deb "$out"
ls -l "$out"/*_arm64.deb
