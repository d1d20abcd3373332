#!/usr/bin/env bash
# Installs the official clients and SDKs that tests/clients.rs runs: npm packages by the lock file into
# tests/clients/node_modules, PyPI packages into a virtual environment in the target folder.
# Does nothing when what is installed matches the lock file, the requirements and the interpreters.
set -euo pipefail
cd "$(dirname "$0")/.."

clients=tests/clients
target=${CARGO_TARGET_DIR:-target}
venv=$target/clients/venv

# current STAMP WANTED: whether the stamp file holds the wanted text
current() { [[ -f $1 && $(<"$1") == "$2" ]]; }

node_state="$(node --version) $(sha256sum <"$clients/package-lock.json")"
node_stamp=$clients/node_modules/.installed-for
if ! current "$node_stamp" "$node_state"; then
    echo "    npm ci in $clients"
    (cd "$clients" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null)
    printf '%s\n' "$node_state" >"$node_stamp"
fi

python_state="$(python3 --version) $(sha256sum <"$clients/requirements.txt")"
python_stamp=$venv/.installed-for
if ! current "$python_stamp" "$python_state"; then
    echo "    pip install in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --only-binary :all: --requirement "$clients/requirements.txt"
    "$venv/bin/python" -m pip check --quiet --disable-pip-version-check
    printf '%s\n' "$python_state" >"$python_stamp"
fi
