# The Debian 12 packages that building, testing and the demo need, and how they are installed. Sourced, not run.

BUILD_PACKAGES=(ca-certificates cmake g++ ninja-build pkg-config ccache mold
  libfmt-dev libcli11-dev nlohmann-json3-dev libcurl4-openssl-dev libre2-dev libsqlite3-dev
  libsimdjson-dev libsnappy-dev libprotozero-dev libzstd-dev zlib1g-dev libcpp-httplib-dev libboost1.81-dev libyaml-cpp-dev)
TEST_PACKAGES=(libgtest-dev libgmock-dev python3 jq curl openssl zsh fish tmux systemd systemd-journal-remote chromium chromium-driver)
# For the tests of metrics and alerts, with promtool: 330 MB that the demo does without.
PROMETHEUS_PACKAGES=(prometheus python3-yaml)
# For the test of the container image: it is built without a daemon.
IMAGE_PACKAGES=(binutils buildah libsystemd0 tzdata)
# For the tests of the Debian package (tests/debian).
DEBIAN_PACKAGES=(dpkg-dev file lintian mmdebstrap)

# Installs those that are missing, as root or with sudo; says what it does, and nothing when nothing is missing.
install_packages() {
  local missing=() package as_root=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get > /dev/null; then
    echo "missing packages: ${missing[*]}; this is no Debian, so install them (or their like) yourself" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || {
      echo "missing packages: ${missing[*]}; run 'apt-get install ${missing[*]}' as root, or install sudo" >&2
      return 1
    }
    as_root=(sudo)
  fi
  printf '\n== Installing %s\n' "${missing[*]}"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
  # Debian starts what it installs. The tests want the programs and no service.
  if [[ " ${missing[*]} " == *" prometheus "* ]] && [ -d /run/systemd/system ]; then
    "${as_root[@]}" systemctl disable --now prometheus
  fi
}
