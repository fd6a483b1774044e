#!/usr/bin/env bash
# Schemathesis, which asks an API what its OpenAPI document says, and what it does not.
#
#   schemathesis.sh install        makes a venv with it, in the versions of schemathesis.txt
#   schemathesis.sh run URL ...    asks the API whose document is at URL; more is handed on
#
# What is installed is kept between runs in $CEPHEUS_SERVERS, default ~/.cache/cepheus/servers.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${CEPHEUS_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/cepheus/servers}
venv=$cache/schemathesis-$(sha256sum <"$here/schemathesis.txt" | cut -c1-12)

say() { echo "schemathesis.sh: $*" >&2; }

# install makes the folder appear only when all is in it. A venv cannot be moved, so what is
# run names its python.
install() {
	[ -x "$venv/bin/python" ] && [ -e "$venv/whole" ] && return
	command -v python3 >/dev/null || { say "needs python3"; exit 1; }
	mkdir -p "$cache"
	exec 9>"$venv.lock"
	flock 9
	[ -e "$venv/whole" ] && return
	rm -rf "$venv"
	python3 -m venv "$venv" || { say "needs the package python3-venv"; exit 1; }
	"$venv/bin/pip" install -q --disable-pip-version-check -r "$here/schemathesis.txt" >&2
	touch "$venv/whole"
}

verb=${1:?install or run}
shift
case $verb in
install) install ;;
run) exec "$venv/bin/python" -m schemathesis.cli --no-color --config-file "$here/schemathesis.toml" run "$@" ;;
*) say "install or run, not $verb"; exit 1 ;;
esac
