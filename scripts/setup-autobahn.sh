#!/usr/bin/env bash
# Installs Autobahn|Testsuite, which tests/autobahn.rs runs, from PyPI into the target folder. It is
# written for Python 2.7, which Debian has no longer: what is found is taken (AUTOBAHN_PYTHON, the
# path, pyenv), otherwise it is unpacked into the target folder from Debian 11, by apt and with the
# signatures checked, and nothing of the system changes.
# Does nothing when what is installed matches the requirements.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=tests/autobahn/requirements.txt
target=${CARGO_TARGET_DIR:-target}
[[ $target == /* ]] || target=$PWD/$target
folder=$target/autobahn
stamp=$folder/.installed-for
state=$(sha256sum "$requirements" "$0" | cut -d' ' -f1)

# PyPI's last of each that run on Python 2.7; Debian's has none of them.
bootstrap=(pip==20.3.4 setuptools==44.1.1 wheel==0.37.1)
debian=(python2.7-minimal libpython2.7-minimal libpython2.7-stdlib libpython2.7-dev libssl1.1 libffi7)

works() { "$1" -c 'import sys, ssl, zlib, ctypes; sys.exit(sys.version_info[:2] != (2, 7))'; }

found_python() {
    local candidate
    for candidate in "${AUTOBAHN_PYTHON:-}" python2.7 python2 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
        if [[ -n $candidate ]] && works "$candidate" >/dev/null 2>&1; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# Debian 11's Python in a folder, and a script that starts it there.
debian_python() {
    local apt=$folder/apt root=$folder/python
    mkdir -p "$apt"/{lists,cache}/partial "$apt/cache/archives/partial" "$root"
    touch "$apt/status"
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] http://deb.debian.org/debian bullseye main" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<END
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "$apt";
Dir::State::Lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Sandbox::User "";
END
    (
        cd "$apt"
        export APT_CONFIG=$apt/apt.conf
        apt-get update -qq
        apt-get download -qq "${debian[@]}"
        for package in *.deb; do dpkg -x "$package" "$root"; done
    ) >&2
    local libraries headers=$root/usr/include
    libraries=$(dirname "$(find "$root/usr/lib" -name 'libssl.so.1.1')")
    cat >"$folder/python2.7" <<END
#!/bin/sh
export PYTHONHOME="$root/usr" LD_LIBRARY_PATH="$libraries" CPATH="$headers/python2.7:$headers"
exec "$root/usr/bin/python2.7" "\$@"
END
    chmod +x "$folder/python2.7"
    rm -rf "$apt"
    works "$folder/python2.7"
    echo "$folder/python2.7"
}

[[ -f $stamp && $(<"$stamp") == "$state" ]] && exit
rm -rf "$folder"
site=$folder/site
mkdir -p "$site" "$folder/bootstrap"
python=$(found_python) || {
    echo "    no Python 2.7 here: unpacking Debian 11's"
    python=$(debian_python)
}
echo "    pip install in $site, with $python"
# Their wheels are for Python 2 and 3, so the machine's own pip can fetch them.
python3 -m venv "$folder/fetch"
"$folder/fetch/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --dest "$folder/bootstrap" "${bootstrap[@]}"
for wheel in "$folder"/bootstrap/*.whl; do
    python3 -m zipfile -e "$wheel" "$site"
done
PYTHONPATH=$site "$python" -m pip install --quiet --disable-pip-version-check \
    --no-python-version-warning --no-deps --target "$site" --requirement "$requirements"
rm -rf "$folder/fetch" "$folder/bootstrap"

cat >"$folder/wstest" <<END
#!/bin/sh
# Starts Autobahn's own command line, with the folder of its packages as a site folder. With
# AUTOBAHN_MESSAGES, each case of the groups 12 and 13 sends so many messages instead of 1,000.
exec "$python" -c "import os, site; site.addsitedir('$site')
from autobahntestsuite.case import Cases
from autobahntestsuite.wstest import run
messages = os.environ.get('AUTOBAHN_MESSAGES')
for case in Cases:
    if messages and getattr(case, 'COUNT', 0) == 1000:
        case.COUNT = int(messages)
run()" "\$@"
END
chmod +x "$folder/wstest"
"$folder/wstest" --help >/dev/null
printf '%s\n' "$state" >"$stamp"
