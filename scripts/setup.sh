#!/bin/sh
# Brings what the course needs: system packages where they are missing, then the folder .venv with the locked
# Python packages. Names given as arguments are further Debian packages, such as chromium for the tests.
# OFFLINE names a folder that `make bundle` wrote: then nothing comes from anywhere else.
# It never starts or enables a PostgreSQL or RabbitMQ service of the machine.
set -eu
cd "$(dirname "$0")/.."
offline=${OFFLINE:-}
. scripts/python.sh

# Its programs name their Python by its full path: they don't survive a copy or a move of the folder.
whole() {
    [ "$(cat .venv/complete 2>/dev/null)" = "$(pwd -P)" ] && .venv/bin/python -c "import uv" 2>/dev/null
}

install_programs() {
    command -v apt-get >/dev/null || return
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    [ -z "$sudo" ] || command -v sudo >/dev/null || return
    echo "+ ${sudo:+sudo }apt-get install --yes --no-install-recommends $*"
    $sudo sh scripts/apt-install.sh "$@"
}

if whole; then python=.venv/bin/python; else choose_python; fi

missing=$("$python" -I backstage/stack/binaries.py "$@")
if [ -n "$missing" ]; then
    missing=$(echo "$missing" | tr '\n' ' ')
    echo "Missing: $missing"
    [ -z "$offline" ] || fail "They are not in the bundle." "install them while there is network, see $offline/about.txt"
    # shellcheck disable=SC2086  # one word for each package
    install_programs $missing || fail "They could not be installed." \
"on Debian or Ubuntu an administrator types, in this folder: sh scripts/apt-install.sh $missing
Without rights: conda env create -f environment.yml. With Docker: docker compose up --build"
fi

if ! whole || [ requirements.lock -nt .venv/complete ] || [ pyproject.toml -nt .venv/complete ]; then
    set --
    trouble="The Python packages could not be installed."
    next="see above; a network's own index, proxy or certificate: README, 'Proxies and certificates'"
    if [ -n "$offline" ]; then
        PYTHON=$python sh scripts/bundle.sh check "$offline"
        set -- --no-index --find-links "$offline/packages"
        # Neither files nor variables may name another source.
        # shellcheck disable=SC2046  # one word for each variable
        unset $(env | sed -n 's/^\(PIP_[A-Z_]*\)=.*/\1/p; s/^\(UV_[A-Z0-9_]*\)=.*/\1/p')
        export PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 UV_OFFLINE=1
        trouble="The bundle $offline is damaged, or lacks what this machine needs."
        next="copy the bundle again, or make bundle, on a machine like this one"
    fi
    echo "Installing the Python packages into .venv ..."
    whole || "$python" -m venv --clear .venv || fail "$python can't make the folder .venv." "make lab PYTHON=another"
    sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" --require-hashes -r .venv/uv.txt ||
        fail "$trouble" "$next"
    # What uv does not look at itself: pip's own settings, and whether its cache can be written.
    index=$(.venv/bin/python -m pip config list | sed -n "s/^.*[.]index-url='\(.*\)'\$/\1/p" | head -n 1)
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    cache=$(.venv/bin/uv cache dir)
    { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null || export UV_NO_CACHE=1
    # Where Python may not keep what it has compiled, each command would take seconds to begin.
    [ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || export UV_COMPILE_BYTECODE=1
    .venv/bin/uv pip install --quiet --python .venv/bin/python "$@" --require-hashes -r requirements.lock \
        --build-constraints requirements.lock ||
        fail "$trouble" "$next"
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
    pwd -P > .venv/complete
fi
