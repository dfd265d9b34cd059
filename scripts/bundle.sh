#!/bin/sh
# bundle.sh                 brings all Python packages of the course into the folder BUNDLE, or else bundle
# bundle.sh check FOLDER    says whether that folder is for this machine and this version of the course
set -eu
cd "$(dirname "$0")/.."
. scripts/python.sh
choose_python

platform() {
    "$python" - <<END
import platform as p
print(p.system(), p.machine(), "with", p.python_implementation(), p.python_version().rpartition(".")[0])
END
}

check() {
    anew="make bundle, with network, on a machine like this one"
    [ -d "$1" ] || fail "There is no folder $1." "make lab OFFLINE=FOLDER, where FOLDER is what make bundle wrote"
    [ -e "$1/requirements.lock" ] || fail "$1 is no finished bundle: it has no file requirements.lock." "$anew"
    cmp -s "$1/requirements.lock" requirements.lock ||
        fail "The bundle $1 is for another version of this course: its requirements.lock differs." "$anew"
    made_for=$(head -n 1 "$1/about.txt")
    [ "$made_for" = "$(platform)" ] || fail "The bundle $1 is for $made_for, and this is $(platform)." \
        "make lab OFFLINE=... PYTHON=..., with a Python of that version, or $anew"
}

about() {
    cat <<END
$(platform)

This folder holds all Python packages of the course, for machines as above. With make, this Python, PostgreSQL with
PostGIS, and RabbitMQ, such a machine needs no network. In the folder of the course, where FOLDER is this folder:
    make lab OFFLINE=FOLDER

To install those programs on Debian or Ubuntu, while there is network (it starts no service):
    sudo sh scripts/apt-install.sh make python3-venv postgresql-postgis rabbitmq-server

Or carry the container images. Then a machine needs Docker and nothing else. Here:
    docker compose build && docker compose pull --ignore-buildable
    docker save \$(docker compose config --images | sort -u) | gzip > FOLDER/images.tar.gz
There:
    docker load --input FOLDER/images.tar.gz
    docker compose up --no-build
END
}

bring() {
    "$python" -m venv "$1"
    { "$1/bin/python" -m pip download --disable-pip-version-check --no-deps --prefer-binary --require-hashes \
        --requirement requirements.lock --dest "$2" --progress-bar off || echo "not all"; } |
        awk -v all="$(grep -c '^[a-z]' requirements.lock)" '
            /^Ignoring / { all-- }
            /^(Collecting|Processing) / && ++n % 20 == 0 { print "  " n " of " all " packages"; fflush() }
            /^not all$/ { exit 1 }'
}

make_bundle() {
    folder=$1
    if [ -e "$folder" ] && [ ! -e "$folder/about.txt" ] && [ -n "$(ls -A "$folder")" ]; then
        fail "$folder is there already, and it is no bundle." "make bundle BUNDLE=another-folder"
    fi
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    about > "$folder/about.txt"
    rm -rf "$folder/packages" "$folder/requirements.lock"
    echo "Bringing the Python packages into $folder ..."
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' INT TERM
    bring "$work/venv" "$folder/packages" || fail "Not all packages came." "see above, then the same command again"
    cp requirements.lock "$folder"  # last: it says that the bundle is finished
    echo "The bundle is complete: $(du -sh "$folder" | cut -f 1) in $folder"
    echo "For $(cat "$folder/about.txt")"
}

case ${1-} in
    check) check "$2" ;;
    "") make_bundle "${BUNDLE:-bundle}" ;;
    *) fail "bundle.sh does not know: $1" "make bundle" ;;
esac
