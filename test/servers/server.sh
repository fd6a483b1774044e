#!/usr/bin/env bash
# One small server for tests, on the loopback interface only, with its data in DIR.
#
#   server.sh install KIND           installs its Debian package where its command is missing
#   server.sh start KIND DIR PORT    starts it, and returns when it answers
#   server.sh stop DIR               ends it; returns when the process is gone
#   server.sh kill DIR               the same by SIGKILL; start goes on over its data
#
# KIND is postgres (user postgres, trusted), redis, rabbitmq (guest, guest), alertmanager, or
# prometheus, whose configuration must be there as DIR/prometheus.yml.
# Ports must be below 32768, where the system gives none away; alertmanager needs the next
# one too, and rabbitmq the next two.
set -euo pipefail

say() { echo "server.sh: $*" >&2; }

package() {
	case $1 in
	postgres) echo postgresql-15 ;;
	redis) echo redis-server ;;
	rabbitmq) echo rabbitmq-server ;;
	alertmanager) echo prometheus-alertmanager ;;
	prometheus) echo prometheus ;;
	*) say "no server $1"; exit 1 ;;
	esac
}

command_of() {
	case $1 in
	postgres) echo /usr/lib/postgresql/15/bin/postgres ;;
	redis) command -v redis-server || true ;;
	rabbitmq) echo /usr/lib/rabbitmq/bin/rabbitmq-server ;;
	alertmanager) command -v prometheus-alertmanager || true ;;
	prometheus) command -v prometheus || true ;;
	esac
}

# install keeps Debian from starting the service on a public address.
install() {
	local p c
	p=$(package "$1") c=$(command_of "$1")
	[ -n "$c" ] && [ -x "$c" ] && return
	command -v apt-get >/dev/null || { say "needs the package $p, and there is no apt-get"; exit 1; }
	[ "$(id -u)" = 0 ] || { say "needs the package $p; install it (as root) first"; exit 1; }
	local policy=/usr/sbin/policy-rc.d mine=
	if [ ! -e $policy ]; then
		mine=1
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
	fi
	apt-get install -y --no-install-recommends "$p" >&2 || { [ -z "$mine" ] || rm -f $policy; exit 1; }
	[ -z "$mine" ] || rm -f $policy
}

# as runs a command as the server's own user, which those that refuse root have.
as() {
	local user=$1
	shift
	if [ "$(id -u)" = 0 ]; then runuser -u "$user" -- "$@"; else "$@"; fi
}

own() { if [ "$(id -u)" = 0 ]; then chown -R "$1" "$2"; fi; }

await() {
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
		sleep 0.1
	done
	tail -20 "$dir/log" >&2
	exit 1
}

open_port() { (: <"/dev/tcp/127.0.0.1/$port"); }

start_postgres() {
	local bin=/usr/lib/postgresql/15/bin
	if [ ! -d "$dir/db" ]; then
		mkdir "$dir/db"
		own postgres "$dir/db"
		as postgres $bin/initdb -D "$dir/db" -A trust -U postgres --no-sync >"$dir/log" 2>&1
		cat >>"$dir/db/postgresql.conf" <<-CONF
			listen_addresses='127.0.0.1'
			unix_socket_directories=''
			fsync=off
		CONF
		# who logs in over the network needs a password, but postgres
		printf 'host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n' >"$dir/db/pg_hba.conf"
	fi
	rm -f "$dir/db/postmaster.pid"
	as postgres $bin/postgres -D "$dir/db" -p "$port" >>"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	await $bin/psql -h 127.0.0.1 -p "$port" -U postgres -Atc 'select 1'
}

start_redis() {
	redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly yes --dir "$dir" >>"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	await sh -c "redis-cli -h 127.0.0.1 -p $port ping | grep -q PONG"
}

start_alertmanager() {
	printf 'route: {receiver: none}\nreceivers: [{name: none}]\n' >"$dir/am.yml"
	prometheus-alertmanager --config.file="$dir/am.yml" --storage.path="$dir/am" --cluster.listen-address= \
		--web.listen-address="127.0.0.1:$port" >>"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	await open_port
}

start_prometheus() {
	prometheus --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/tsdb" --web.listen-address="127.0.0.1:$port" >>"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	await ready_prometheus
}

# ready_prometheus asks without curl, which need not be there.
ready_prometheus() {
	exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
	printf 'GET /-/ready HTTP/1.0\r\n\r\n' >&3
	head -1 <&3 | grep -q ' 200 '
}

start_rabbitmq() {
	local home=$dir/home
	mkdir -p "$home"
	echo "listeners.tcp.1 = 127.0.0.1:$port" >"$home/rabbitmq.conf"
	own rabbitmq "$home"
	# rabbitmq would start one that outlives it
	as rabbitmq env HOME="$home" epmd -address 127.0.0.1 -port $((port + 2)) >>"$dir/log" 2>&1 &
	echo $! >"$dir/epmd.pid"
	as rabbitmq env HOME="$home" RABBITMQ_NODENAME="test$port@localhost" RABBITMQ_MNESIA_BASE="$home/db" RABBITMQ_LOG_BASE="$home/log" \
		RABBITMQ_CONFIG_FILE="$home/rabbitmq" RABBITMQ_DIST_PORT=$((port + 1)) ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((port + 2)) \
		RABBITMQ_ENABLED_PLUGINS_FILE=/dev/null RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}' \
		/usr/lib/rabbitmq/bin/rabbitmq-server >>"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	await open_port
	sleep 1 # the port is open a little before it answers
}

# end sends a signal to the process and all below it, and waits.
end() {
	local signal=$1 pid all
	[ -f "$dir/pid" ] || return 0
	all=
	for pid in $(cat "$dir/pid" "$dir/epmd.pid" 2>/dev/null); do all="$all $pid $(below "$pid")"; done
	# shellcheck disable=SC2086 # one argument a process
	kill "-$signal" $all 2>/dev/null || true
	for _ in $(seq 100); do
		alive "$all" || break
		sleep 0.1
	done
	# shellcheck disable=SC2086
	alive "$all" && kill -KILL $all 2>/dev/null
	while alive "$all"; do sleep 0.05; done
	rm -f "$dir/pid" "$dir/epmd.pid"
}

below() {
	local child
	for child in $(pgrep -P "$1" || true); do echo "$child"; below "$child"; done
}

alive() {
	local p
	for p in $1; do kill -0 "$p" 2>/dev/null && return 0; done
	return 1
}

verb=${1:?install, start, stop or kill}
case $verb in
install) install "${2:?KIND}" ;;
start)
	dir=${3:?DIR} port=${4:?PORT}
	chmod 711 "$dir"
	"start_${2:?KIND}"
	;;
stop) dir=${2:?DIR} && end INT ;;
kill) dir=${2:?DIR} && end KILL ;;
*) say "install, start, stop or kill, not $verb"; exit 1 ;;
esac
