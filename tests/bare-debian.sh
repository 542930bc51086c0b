#!/usr/bin/env bash
# Runs both commands of the README in a bare Debian 12 tree (debootstrap, chroot) and says how long each took.
#
#   tests/bare-debian.sh [DIR]      as root; DIR (default: a temporary folder) keeps the tree made by debootstrap for the next time
#
# Exit 1 when a command fails or takes over 15 minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "tests/bare-debian.sh: chroot needs root" >&2; exit 2; }
command -v debootstrap > /dev/null || { echo "tests/bare-debian.sh: install debootstrap" >&2; exit 2; }

folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
base=$folder/base root=$folder/root
if [ ! -e "$base/.done" ]; then
  rm -rf "$base"
  debootstrap --variant=minbase bookworm "$base" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
  touch "$base/.done"
fi

unmount() { for m in dev/shm dev/pts dev proc; do mountpoint -q "$root/$m" && umount "$root/$m"; done; true; }
trap unmount EXIT
unmount
rm -rf "$root"
cp -a "$base" "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
# What this machine's apt needs to reach its mirrors.
find /etc/apt/apt.conf.d -name '*prox*' -exec cp {} "$root/etc/apt/apt.conf.d/" \;
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
unmount() { umount -R "$root/dev" "$root/proc" 2> /dev/null || true; }
mkdir "$root/weir"
git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xf - -C "$root/weir"

bad=0
for command in ./examples/demo.sh ./tests/run.sh; do
  log=$folder/$(basename "$command").log
  start=$SECONDS
  if env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb ${http_proxy:+http_proxy="$http_proxy"} \
    chroot "$root" sh -c "cd /weir && $command" > "$log" 2>&1; then
    result=passed
  else
    result="FAILED (see $log)" bad=1
  fi
  took=$((SECONDS - start))
  [ $took -lt 900 ] || bad=1
  printf '%-20s %s in %d min %02d s (limit 15 min)\n' "$command" "$result" $((took / 60)) $((took % 60))
done
exit $bad
