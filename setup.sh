#!/bin/sh
# Brings what the course needs: system packages where they are missing, then the folder .venv with the locked
# Python packages. Names given as arguments are further Debian packages, such as chromium for the tests.
# OFFLINE names a folder that `make bundle` wrote: then nothing comes from anywhere else.
# It never starts or enables a PostgreSQL or RabbitMQ service of the machine.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
offline=${OFFLINE:-}

missing=$("$python" workshop/stack/binaries.py "$@" | tr '\n' ' ')
if [ -n "${missing% }" ]; then
    if [ -n "$offline" ]; then
        echo "Missing: $missing" >&2
        echo "They are not in the bundle. Next: install them while there is network, see $offline/about.txt" >&2
        exit 1
    fi
    if ! command -v apt-get >/dev/null; then
        echo "Please install: $missing" >&2
        echo "With conda: conda env create -f environment.yml. With Docker: docker compose up --build" >&2
        exit 1
    fi
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    echo "Missing: $missing"
    echo "+ ${sudo:+sudo }apt-get install --yes --no-install-recommends $missing"
    # shellcheck disable=SC2086  # one word for each package
    $sudo sh workshop/stack/apt-install.sh $missing
fi

if [ ! -e .venv/complete ] || [ requirements.lock -nt .venv/complete ] || [ pyproject.toml -nt .venv/complete ]; then
    set --
    if [ -n "$offline" ]; then
        sh bundle.sh check "$offline"
        set -- --no-index --find-links "$offline/packages"
        # Neither files nor variables may name another source.
        # shellcheck disable=SC2046  # one word for each variable
        unset $(env | sed -n 's/^\(PIP_[A-Z_]*\)=.*/\1/p')
        export PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 UV_OFFLINE=1
    fi
    echo "Installing the Python packages into .venv ..."
    "$python" -m venv .venv
    if ! { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" uv &&
        .venv/bin/uv pip install --quiet --python .venv/bin/python "$@" --require-hashes -r requirements.lock; }; then
        [ -z "$offline" ] || echo "The bundle lacks what this machine needs. Next: make bundle, on one like it" >&2
        exit 1
    fi
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
    touch .venv/complete
fi
