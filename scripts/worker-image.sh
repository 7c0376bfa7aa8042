#!/usr/bin/env bash
# Makes the image that container runs start from, of Debian packages and our own uv, without any registry:
#   scripts/worker-image.sh [NAME]   import it into the engine as NAME (default: fastflow-worker:bookworm)
#   scripts/worker-image.sh --tar    only print the path of its tar
# The tar is kept in the cache folder, so that Debian's packages are fetched once. Needs root, for debootstrap.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm
name="${1:-fastflow-worker:$suite}"
uv=.venv/bin/uv
[[ -x $uv ]] || {
  echo "There is no $uv: run \`make install\` first." >&2
  exit 1
}
version=$("$uv" --version | cut -d' ' -f2)
key=$(cat "$0" <(echo "$version") | sha256sum | cut -c1-12)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/fastflow"
tar="$cache/worker-image-$suite-$(uname -m)-$key.tar"

build() {
  if [[ $EUID -ne 0 ]]; then
    echo "debootstrap needs root: run this as root once (the result is kept), or get an image with \`docker pull\`." >&2
    exit 1
  fi
  if ! command -v debootstrap >/dev/null; then
    command -v apt-get >/dev/null || {
      echo "There is no debootstrap: install it with this system's packages." >&2
      exit 1
    }
    echo "installing debootstrap ..." >&2
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends debootstrap >&2
  fi
  local work
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # the folder of now
  trap "rm -rf '$work'" EXIT
  echo "building the worker image of Debian $suite, Python and uv $version (once; kept in $cache) ..." >&2
  local root="$work/root"
  debootstrap --variant=minbase --include=python3,ca-certificates "$suite" "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} \
    >"$work/log" 2>&1 || {
    tail -20 "$work/log" >&2
    echo "debootstrap failed; DEBIAN_MIRROR names another mirror." >&2
    exit 1
  }
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/{doc,man,info,locale}/*
  ln -sf python3 "$root/usr/bin/python"
  install -m 755 "$uv" "$root/usr/local/bin/uv"
  tar -C "$root" --numeric-owner --exclude './dev/*' --exclude './proc/*' --exclude './sys/*' -cf "$work/image.tar" .
  cp "$work/image.tar" "$tar.new"
  mv "$tar.new" "$tar"
}

mkdir -p "$cache"
exec 9>"$tar.lock"
flock 9
[[ -f $tar ]] || (build)
flock -u 9
if [[ ${1:-} == --tar ]]; then
  echo "$tar"
  exit 0
fi
command -v docker >/dev/null || {
  echo "The image lies in $tar, but there is no \`docker\` command to import it with (Debian: docker.io)." >&2
  exit 1
}
docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$tar" "$name" >/dev/null
echo "The engine has the image $name now. Use it: WORKER_BASE_IMAGE=$name"
