# shellcheck shell=sh
# python.sh   For setup.sh and bundle.sh, which read it: variables and the Python that they can rely on.

# Of what other projects tell pip, uv and Python, only the way to the packages holds here.
for name in $(env | sed -n 's/^\([A-Z0-9_]*\)=.*/\1/p'); do
    case $name in
        PIP_*INDEX* | PIP_FIND_LINKS | PIP_*CERT | PIP_PROXY | PIP_TRUSTED_HOST | PIP_KEYRING_PROVIDER) ;;
        PIP_CONFIG_FILE | PIP_*CACHE_DIR | PIP_*TIMEOUT | PIP_RETRIES) ;;
        UV_*INDEX* | UV_FIND_LINKS | UV_*CERTS | UV_NATIVE_TLS | UV_INSECURE_HOST | UV_KEYRING_PROVIDER) ;;
        UV_CONFIG_FILE | UV_*CACHE* | UV_*TIMEOUT | UV_HTTP_RETRIES | UV_LINK_MODE) ;;
        PIP_* | UV_* | PYTHON?* | VIRTUAL_ENV) unset "$name" ;;
    esac
done
export PIP_USER=0  # a pip.conf may say so, too

fail() {
    echo "$1" >&2
    echo "Next: $2" >&2
    exit 1
}

can_use() {
    said=$("$1" -s -c 'import sys; print("Python " + sys.version.split()[0])
import ctypes, ssl, venv, zlib
sys.exit(sys.version_info < (3, 11))' 2>&1)
}

what_it_said() {
    echo "$said" | grep -E '^Python [0-9]|Error|not found' | tail -n 1
}

# Sets `python`: the one that PYTHON names; else python3, or a newer one beside it where that is too old.
choose_python() {
    python=${PYTHON:-python3}
    can_use "$python" && return
    first="$python: $(what_it_said)"
    if [ -z "${PYTHON:-}" ]; then
        for python in python3.14 python3.13 python3.12 python3.11; do
            can_use "$python" && echo "$first. Taking $python instead: $said" && return
        done
    fi
    fail "The course needs Python 3.11 or newer. $first" \
        "make lab PYTHON=python3.12, or the name of another one; without one, the ways with conda and Docker in the README"
}
