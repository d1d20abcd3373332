#!/usr/bin/env bash
# Installs the Debian package into a Debian system of its own (a chroot in the target folder) and holds
# it to what docs/packages.md says: the server runs there, an upgrade never starts it with a broken
# configuration, and purging leaves nothing of it behind. Then the server of the package runs in a
# container, under the profile of deploy/docker/seccomp.json, and as the manifests of deploy/ have it.
#
# usage: test-package.sh [PROFILE]     as build-deb.sh; needs root
set -euo pipefail
cd "$(dirname "$0")/.."

profile=${1:-release}
target=${CARGO_TARGET_DIR:-$PWD/target}
[[ $target == /* ]] || target=$PWD/$target
system=$target/package-system # as debootstrap makes it, kept for the next time
root=$target/package-root

((EUID == 0)) || {
    echo "error: a chroot needs root" >&2
    exit 1
}
fail() {
    echo "error: $*" >&2
    exit 1
}

scripts/build-deb.sh "$profile"
package=$(ls -t "$target"/debian/shardcast_*.deb | head -1)

if [[ ! -e $system/.made ]]; then
    echo "    a Debian system"
    rm -rf "$system"
    debootstrap --variant=minbase --include=systemd,procps,man-db,ca-certificates bookworm "$system" \
        http://deb.debian.org/debian >"$target/package-system.log" 2>&1 ||
        fail "debootstrap: see $target/package-system.log"
    touch "$system/.made"
fi

mounted=()
server=
finish() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    for ((at = ${#mounted[@]} - 1; at >= 0; at--)); do
        umount "${mounted[at]}" || umount --lazy "${mounted[at]}"
    done
    # Never what is mounted there.
    rm -rf --one-file-system "$root"
}
trap finish EXIT
! grep -qF "$root/" /proc/mounts || fail "something is mounted below $root"
rm -rf --one-file-system "$root"
cp -a "$system" "$root"
for folder in proc sys; do
    mount --bind "/$folder" "$root/$folder"
    mounted+=("$root/$folder")
done
mount --bind "$root/proc/sys" "$root/proc/sys"
mounted+=("$root/proc/sys")
mount -o remount,bind,ro "$root/proc/sys"
mount -t tmpfs tmpfs "$root/run"
mounted+=("$root/run")
chrooted=(chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C)
within() { "${chrooted[@]}" "$@"; }

# There is no systemd running: these write down what they are asked for, and run what is to be run.
mkdir -p "$root/run/systemd/system"
asked=$root/run/asked
: >"$asked"
cat >"$root/usr/bin/deb-systemd-invoke" <<'END'
#!/bin/sh
echo "$*" >>/run/asked
END
cat >"$root/usr/bin/systemd-run" <<'END'
#!/bin/sh
echo "systemd-run" >>/run/asked
while [ $# -gt 0 ]; do
    case "$1" in --*) shift ;; *) break ;; esac
done
exec "$@"
END
# The settings of the kernel are this machine's, and stay as they are.
cat >"$root/lib/systemd/systemd-sysctl" <<'END'
#!/bin/sh
echo "systemd-sysctl $*" >>/run/asked
END
chmod 755 "$root"/usr/bin/{deb-systemd-invoke,systemd-run} "$root/lib/systemd/systemd-sysctl"
# systemctl as it is: without a systemd to talk to it fails, which must not be the package's end.

were_asked() { # were_asked LINE...: what was asked for since the last time
    local wanted
    wanted=$(printf '%s\n' "$@")
    [[ $(<"$asked") == "$wanted" ]] || fail "asked for: $(<"$asked"), expected: $wanted"
    : >"$asked"
}

echo "    installed"
cp "$package" "$root/run/shardcast.deb"
within dpkg -i /run/shardcast.deb >"$target/package.log" 2>&1 || {
    cat "$target/package.log" >&2
    fail "dpkg -i"
}
sysctl="systemd-sysctl 60-shardcast.conf"
were_asked "$sysctl" systemd-run "start shardcast.service"
grep -q '^shardcast:' "$root/etc/passwd" || fail "no user"
[[ $(stat -c '%a %G' "$root/etc/shardcast/shardcast.toml") == "640 "* ]] || fail "who reads the file"
[[ $(within stat -c '%G' /etc/shardcast/shardcast.toml) == shardcast ]] || fail "whose the file is"
[[ $(stat -c %a "$root/etc/shardcast/credentials") == 700 ]] || fail "who reads credentials"
[[ -L $root/etc/systemd/system/multi-user.target.wants/shardcast.service ]] || fail "not enabled"
within shardcast --version
page() { within man --pager=cat 1 "$1" 2>/dev/null; }
[[ $(page shardcast) == *shardcast-start* ]] || fail "the man page"
[[ $(page shardcast-start) == *--config* ]] || fail "the man page of a command"
within bash -n /usr/share/bash-completion/completions/shardcast || fail "the completions"
within systemd-analyze verify /lib/systemd/system/shardcast.service
within setpriv --reuid shardcast --regid shardcast --clear-groups \
    shardcast start --check --config /etc/shardcast/shardcast.toml

echo "    run by its user"
# No function: the process of this shell's is to be the server.
"${chrooted[@]}" setpriv --reuid shardcast --regid shardcast --clear-groups --no-new-privs \
    shardcast start --config /etc/shardcast/shardcast.toml --port 0 --admin off \
    >"$target/package-server.log" 2>&1 &
server=$!
for _ in {1..100}; do
    grep -q '^ *stop ' "$target/package-server.log" && break
    kill -0 "$server" || break
    sleep 0.1
done
grep -q 'ws://127.0.0.1:' "$target/package-server.log" || {
    cat "$target/package-server.log" >&2
    fail "it does not run"
}
kill -TERM "$server"
wait "$server" || fail "it does not stop"
server=

echo "    installed again, as an upgrade: with a good configuration, and with a broken one"
within dpkg -i /run/shardcast.deb >"$target/package.log" 2>&1
were_asked "$sysctl" systemd-run "try-restart shardcast.service"
echo 'prot = 1' >>"$root/etc/shardcast/shardcast.toml"
within dpkg -i /run/shardcast.deb >"$target/package.log" 2>&1 || fail "an upgrade must not fail for it"
were_asked "$sysctl" systemd-run
grep -q 'did you mean `port`' "$target/package.log" || fail "no reason given"
grep -q 'shardcast is not started' "$target/package.log" || fail "no word of it"
tail -1 "$root/etc/shardcast/shardcast.toml" | grep -q prot || fail "the file was changed"

echo "    removed, and purged"
within dpkg --remove shardcast >"$target/package.log" 2>&1
were_asked "stop shardcast.service"
[[ -e $root/etc/shardcast/shardcast.toml ]] || fail "the configuration is gone before the purge"
within dpkg --purge shardcast >"$target/package.log" 2>&1
left=$(find "$root/etc" "$root/usr" "$root/lib/systemd" -name '*shardcast*')
[[ -z $left ]] || fail "left behind: $left"

folder=$profile
[[ $profile == dev ]] && folder=debug
scripts/test-container.py "$target/$folder/shardcast" "$target/package-container"

tools=$target/tools/manifests
if ! cmp -s tests/deploy/requirements.txt "$tools/requirements.txt"; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement \
        tests/deploy/requirements.txt
    cp tests/deploy/requirements.txt "$tools/"
fi
"$tools/bin/python" scripts/test-manifests.py "$target/$folder/shardcast" "$target/package-manifests"

echo "    the package is good"
