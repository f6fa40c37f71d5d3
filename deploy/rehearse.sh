#!/usr/bin/env bash
# What the Dockerfile does, without a container engine: its files, its installation, its user, its read-only system, its
# health check, and one picture. Needs Linux and root. As the Dockerfile has it, step by step; change both together.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "rehearse.sh: needs root, to change the user and make the system read-only"; exit 1; }
python=${PYTHON:-/usr/bin/python3} # one that other users may run, too
place=$(mktemp -d)
trap 'rm -rf "$place"; [ -z "${service:-}" ] || kill "$service" 2>/dev/null || true' EXIT

# COPY, RUN pip install
mkdir "$place/src"
cp -r pyproject.toml constraints.txt README.md LICENSE src "$place/src/"
"$python" -m venv "$place/undegrade"
(cd "$place/src" && "$place/undegrade/bin/pip" install --quiet --no-cache-dir -c constraints.txt ".[serve]")
rm -r "$place/src"

# RUN useradd, USER, VOLUME, read_only, cap_drop, no-new-privileges, ENTRYPOINT
mkdir "$place/state" && chown 10001 "$place/state" && chmod 755 "$place"
export UNDEGRADE_TOKEN=a-token-of-a-rehearsal
unshare --mount bash -c "
    mount --bind '$place/state' '$place/state'
    mount -o remount,bind,ro /
    exec setpriv --reuid 10001 --regid 10001 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
        env -i PATH='$place/undegrade/bin:/usr/bin:/bin' PYTHONDONTWRITEBYTECODE=1 TMPDIR='$place/state' \
        XDG_CACHE_HOME='$place/state/cache' UNDEGRADE_TOKEN='$UNDEGRADE_TOKEN' \
        undegrade serve --host 127.0.0.1 --port 8643 --state '$place/state'
" &
service=$!

# HEALTHCHECK
healthy() { "$python" -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8643/healthz', timeout=4)"; }
for _ in $(seq 60); do healthy 2>/dev/null && break; sleep 0.5; done
healthy
echo "healthy; the installation has $(du -sm "$place/undegrade" | cut -f1) MB; runs as user $(ps -o uid= -p "$service" | tr -d ' ')"

curl --silent --fail --header "Authorization: Bearer $UNDEGRADE_TOKEN" --data-binary @examples/cat-noisy.png \
    --output "$place/state/restored.png" --dump-header - http://127.0.0.1:8643/v1/restore | grep -i '^undegrade-report' | cut -c1-150
[ "$(curl --silent --output /dev/null --write-out '%{http_code}' --data-binary @examples/cat-noisy.png \
    http://127.0.0.1:8643/v1/restore)" = 401 ] && echo "refused without the token"
began=$(date +%s)
kill -TERM "$service"
code=0 && wait "$service" || code=$?
echo "ended $(($(date +%s) - began)) s after SIGTERM, with code $code"
