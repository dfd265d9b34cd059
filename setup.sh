#!/bin/sh
# Brings what the course needs: system packages where they are missing, then the folder .venv with the locked
# Python packages. Names given as arguments are further Debian packages, such as chromium for the tests.
# It never starts or enables a PostgreSQL or RabbitMQ service of the machine.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}

missing=$("$python" workshop/stack/binaries.py "$@" | tr '\n' ' ')
if [ -n "${missing% }" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "Please install: $missing" >&2
        echo "With conda: conda env create -f environment.yml. With Docker: docker compose up --build" >&2
        exit 1
    fi
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    echo "Missing: $missing"
    echo "+ ${sudo:+sudo }apt-get install --yes --no-install-recommends $missing"
    $sudo sh workshop/stack/apt-install.sh $missing
fi

if [ ! -e .venv/complete ] || [ requirements.lock -nt .venv/complete ] || [ pyproject.toml -nt .venv/complete ]; then
    echo "Installing the Python packages into .venv ..."
    "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check uv
    .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
    touch .venv/complete
fi
