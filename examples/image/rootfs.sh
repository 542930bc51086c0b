#!/usr/bin/env bash
# Makes the root file system of the container image: weir, and what it needs at run time, out of the Debian 12 that this runs in.
#
#   examples/image/rootfs.sh WEIR DIR      WEIR is the program; DIR must be missing or empty
#
# There is no shell, no package manager and no name service module in it. The same packages and the same WEIR give the same files;
# their times are SOURCE_DATE_EPOCH (default 0). Needs the packages ca-certificates, tzdata, binutils, libcurl4 and libsystemd0.
set -euo pipefail
umask 022
export LC_ALL=C

fail() { echo "examples/image/rootfs.sh: $*" >&2; exit 1; }
[ $# -eq 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
weir=$(readlink -f -- "$1") root=$2
[ -x "$weir" ] || fail "cannot find the program $1"
[ ! -e "$root" ] || [ -z "$(ls -A -- "$root")" ] || fail "the folder $root is not empty"

# The folders that a pipeline of a node reads and writes are mount points here.
mkdir -p "$root"/{dev,etc/weir,proc,run,sys,tmp,usr/{bin,lib,lib64,share},var/lib/{weir,dpkg/status.d},var/log/{pods,journal}}
ln -s usr/bin "$root/bin"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
chmod 1777 "$root/tmp"

copied=()
# take FILE…: copies each to where it is here, with what a symbolic link points to.
take() {
  local file
  for file in "$@"; do
    [ -e "$file" ] || fail "cannot find $file: install its package (see the head of this file)"
    mkdir -p "$root$(dirname -- "$file")"
    cp -L -- "$file" "$root$file"
    copied+=("$file")
  done
}

strip -o "$root/usr/bin/weir" "$weir"
chmod 755 "$root/usr/bin/weir"

# The libraries that weir is linked with, and those that it loads when a stage first speaks HTTP or reads the journal.
libraries() {
  local one listed
  for one in "$weir" "$@"; do
    listed=$(ldd "$one") || fail "cannot list the libraries of $one"
    if grep -q 'not found' <<< "$listed"; then fail "$one needs a library that is not there: $(grep 'not found' <<< "$listed")"; fi
    sed -n 's,^.* => \(/[^ ]*\) (0x.*$,\1,p; s,^[[:space:]]*\(/[^ ]*\) (0x.*$,\1,p' <<< "$listed"
  done
}
loaded=()
for name in libcurl.so.4 libsystemd.so.0; do
  path=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p | sed -n "s,^[[:space:]]*$name (libc6[^)]*) => ,,p" | head -n 1)
  [ -n "$path" ] || fail "cannot find $name: install its package (see the head of this file)"
  loaded+=("$path")
done
mapfile -t needed < <(libraries "${loaded[@]}")
mapfile -t needed < <(printf '%s\n' "${needed[@]}" "${loaded[@]}" | sort -u)
take "${needed[@]}"

# The classes and the cases of characters that are no ASCII.
take /usr/lib/locale/C.utf8/LC_CTYPE

# TLS.
take /etc/ssl/certs/ca-certificates.crt /etc/ssl/openssl.cnf
mkdir -p "$root/usr/lib/ssl"
ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
ln -s /etc/ssl/openssl.cnf "$root/usr/lib/ssl/openssl.cnf"

# Times shown to people follow TZ. posix/ and right/ are the same zones again.
[ -e /usr/share/zoneinfo/UTC ] || fail "cannot find /usr/share/zoneinfo: install its package (see the head of this file)"
mkdir "$root/usr/share/zoneinfo"
(cd /usr/share/zoneinfo && find . \( -path ./posix -o -path ./right \) -prune -o \( -type f -o -type l \) -print0 |
  tar --null -T - -cf -) | tar -C "$root/usr/share/zoneinfo" --no-same-owner -xf -
rm -f "$root/usr/share/zoneinfo/localtime" # a link out of the folder
copied+=(/usr/share/zoneinfo/UTC)

# Users and names. glibc reads files and asks DNS by itself, without a module.
cat > "$root/etc/passwd" << 'END'
root:x:0:0:root:/:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/:/usr/sbin/nologin
END
cat > "$root/etc/group" << 'END'
root:x:0:
nogroup:x:65534:
END
cat > "$root/etc/nsswitch.conf" << 'END'
passwd: files
group: files
hosts: files dns
services: files
END
cat > "$root/etc/hosts" << 'END'
127.0.0.1 localhost
::1 localhost
END
: > "$root/etc/resolv.conf" # a mount point, as the one before
take /usr/lib/os-release
ln -s ../usr/lib/os-release "$root/etc/os-release"

# Which packages the files came from: scanners of images read status.d, and each licence asks for its text.
owners=(ca-certificates openssl) paths=() # of files that are made when the package is configured
for file in "${copied[@]}"; do
  case $file in
    # dpkg may know a file below /lib as one below /usr/lib, and the other way round.
    /lib/* | /lib64/*) paths+=("$file" "/usr$file") ;;
    /usr/lib/*) paths+=("$file" "${file#/usr}") ;;
    /etc/ssl/*) ;;
    *) paths+=("$file") ;;
  esac
done
mapfile -t -O "${#owners[@]}" owners < <(dpkg -S "${paths[@]}" 2> /dev/null | sed 's/:.*//')
mapfile -t owners < <(printf '%s\n' "${owners[@]}" | sort -u)
for package in "${owners[@]}"; do
  dpkg-query -s "$package" | sed '/^Status:/d; /^Conffiles:/,/^[^ ]/{/^Conffiles:/d; /^ /d}' \
    > "$root/var/lib/dpkg/status.d/$package"
  mkdir -p "$root/usr/share/doc/$package"
  cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/" || fail "cannot find the copyright of $package"
done

find "$root" -depth -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
