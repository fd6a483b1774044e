#!/usr/bin/env bash
# Apache Kafka in KRaft mode for tests, on the loopback interface only.
#
#   kafka.sh install                      fetches Java, Maven and the jars, where they are not there yet
#   kafka.sh start DIR PORT [BROKERS]     starts 1 (default) or 3 brokers and waits until they answer
#   kafka.sh kill DIR N                   SIGKILL to broker N; returns when the process is gone
#   kafka.sh again DIR N                  starts broker N again over its data
#   kafka.sh stop DIR                     ends all brokers; returns when the processes are gone
#
# Broker N (from 1) listens at PORT+10*(N-1): PLAINTEXT there, the controller one above,
# SASL_SSL two above (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512), and SSL that asks for a client's
# certificate three above. All ports must be below 32768, where the system gives none away.
#
# DIR gets ca.pem, client.pem with client.key, and a folder for each broker. The users are
# alice (password alice-secret), who may do anything, and bob (bob-secret), who may do what
# no ACL forbids.
#
# Jars are kept between runs in $CEPHEUS_SERVERS, default ~/.cache/cepheus/servers.
# KAFKA_HEAP is the heap of a broker, default 512m.
set -euo pipefail

kafka=4.4.0
log4j=2.25.5
cache=${CEPHEUS_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/cepheus/servers}
lib=$cache/kafka-$kafka
java=(java "-Xmx${KAFKA_HEAP:-512m}" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC)

say() { echo "kafka.sh: $*" >&2; }

# apt installs Debian packages whose commands are missing, and starts none of their services.
apt() {
	command -v apt-get >/dev/null || { say "needs the packages $*, and there is no apt-get"; exit 1; }
	[ "$(id -u)" = 0 ] || { say "needs the packages $*; install them (as root) first"; exit 1; }
	apt-get install -y --no-install-recommends "$@" >&2
}

dependency() {
	echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version>${4:-}</dependency>"
}

# jars fetches the run time class path; the folder appears only when it is complete. The
# library excluded is named by Kafka's own description and published nowhere.
jars() {
	[ -d "$lib" ] && return
	command -v mvn >/dev/null || apt maven
	mkdir -p "$cache"
	local work
	work=$(mktemp -d "$cache/fetch.XXXXXX")
	cat >"$work/pom.xml" <<-POM
		<project><modelVersion>4.0.0</modelVersion><groupId>test</groupId><artifactId>kafka</artifactId>
		<version>1</version><packaging>pom</packaging><dependencies>
		$(dependency org.apache.kafka kafka_2.13 $kafka '<exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion></exclusions>')
		$(dependency org.apache.logging.log4j log4j-slf4j-impl $log4j)
		</dependencies></project>
	POM
	(cd "$work" && mvn -B -q ${MVNOPT:-} dependency:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime >&2) ||
		{ rm -rf "$work"; say "the jars cannot be fetched"; exit 1; }
	mv -T "$work/lib" "$lib" 2>/dev/null || [ -d "$lib" ] # another run may have been faster
	rm -rf "$work"
}

install() {
	command -v java >/dev/null || apt openjdk-17-jre-headless
	command -v openssl >/dev/null || apt openssl
	jars
}

# certificate NAME makes NAME.key and NAME.crt, signed by the CA.
certificate() {
	openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
		-extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "$1.crt" 2>/dev/null
}

certificates() {
	[ -f server.pem ] && return
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ca.key -out ca.pem -subj /CN=cepheus-test-ca 2>/dev/null
	certificate localhost
	certificate client
	mv client.crt client.pem
	cat localhost.key localhost.crt ca.pem >server.pem
}

# voters lists the controllers of BROKERS brokers from PORT on.
voters() {
	local n out=
	for ((n = 1; n <= $2; n++)); do out+=",$n@127.0.0.1:$(($1 + 10 * (n - 1) + 1))"; done
	echo "${out#,}"
}

# properties N PORT BROKERS writes a broker's settings. Log cleaning and retention look
# often, so that tests see their work; time stamps of years ago must not make a record old.
properties() {
	local at=$(($2 + 10 * ($1 - 1)))
	local replicas=$(($3 >= 3 ? 3 : 1))
	cat <<-END
		process.roles=broker,controller
		node.id=$1
		controller.quorum.voters=$(voters "$2" "$3")
		controller.listener.names=CONTROLLER
		listeners=PLAINTEXT://127.0.0.1:$at,CONTROLLER://127.0.0.1:$((at + 1)),SASL_SSL://127.0.0.1:$((at + 2)),SSL://127.0.0.1:$((at + 3))
		listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
		inter.broker.listener.name=PLAINTEXT
		sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
		listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret" user_bob="bob-secret";
		listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
		ssl.keystore.type=PEM
		ssl.keystore.location=server.pem
		ssl.truststore.type=PEM
		ssl.truststore.location=ca.pem
		listener.name.ssl.ssl.client.auth=required
		authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
		allow.everyone.if.no.acl.found=true
		super.users=User:ANONYMOUS;User:alice
		log.dirs=broker$1/data
		auto.create.topics.enable=false
		offsets.topic.num.partitions=4
		offsets.topic.replication.factor=$replicas
		transaction.state.log.num.partitions=4
		transaction.state.log.replication.factor=$replicas
		transaction.state.log.min.isr=1
		group.initial.rebalance.delay.ms=0
		log.cleaner.backoff.ms=200
		log.cleaner.dedupe.buffer.size=16777216
		log.retention.ms=-1
		log.retention.check.interval.ms=500
		log.initial.task.delay.ms=200
	END
}

# scram lists the users for the first format of a data folder.
scram() {
	local m
	for m in SCRAM-SHA-256 SCRAM-SHA-512; do
		printf '%s\n' --add-scram "$m=[name=alice,password=alice-secret]" --add-scram "$m=[name=bob,password=bob-secret]"
	done
}

alive() { [ -f "broker$1/pid" ] && kill -0 "$(cat "broker$1/pid")" 2>/dev/null; }

answers() { (echo >"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# launch N starts a broker that is not running.
launch() {
	local users
	if [ ! -d "broker$1/data" ]; then
		mapfile -t users < <(scram)
		"${java[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "broker$1/server.properties" "${users[@]}" >"broker$1/format.log" 2>&1 ||
			{ say "format of broker $1:"; cat "broker$1/format.log" >&2; exit 1; }
	fi
	setsid "${java[@]}" -Dlog4j2.configurationFile=log4j2.xml kafka.Kafka "broker$1/server.properties" >>"broker$1/log" 2>&1 </dev/null &
	echo $! >"broker$1/pid"
}

# ready N waits until a broker takes connections at all its listeners.
ready() {
	local at offset
	at=$(cat "broker$1/port")
	for offset in 0 2 3; do
		until answers $((at + offset)); do
			alive "$1" || { say "broker $1 ended:"; tail -20 "broker$1/log" >&2; exit 1; }
			sleep 0.1
		done
	done
}

# gone N waits until the process has ended: a dying one still takes connections.
gone() { while alive "$1"; do sleep 0.05; done; }

enter() {
	cd "$1"
	export CLASSPATH="$lib/*"
}

start() {
	local port=$2 brokers=${3:-1} n
	((port + 10 * brokers < 32768)) || { say "port $port: must be below 32768"; exit 1; }
	install
	mkdir -p "$1"
	enter "$1"
	certificates
	echo '<Configuration><Appenders><Console name="c"><PatternLayout pattern="%d %p %m%n"/></Console></Appenders><Loggers><Root level="WARN"><AppenderRef ref="c"/></Root></Loggers></Configuration>' >log4j2.xml
	for ((n = 1; n <= brokers; n++)); do
		mkdir -p "broker$n"
		properties "$n" "$port" "$brokers" >"broker$n/server.properties"
		echo $((port + 10 * (n - 1))) >"broker$n/port"
		alive "$n" && continue
		! answers "$(cat "broker$n/port")" || { say "port $(cat "broker$n/port") is taken"; exit 1; }
		launch "$n"
	done
	for ((n = 1; n <= brokers; n++)); do ready "$n"; done
}

end() { # SIGNAL N
	! alive "$2" || kill "-$1" "$(cat "broker$2/pid")" 2>/dev/null || true
}

case ${1:-} in
install) install ;;
start) start "${@:2}" ;;
kill)
	enter "$2"
	end KILL "$3"
	gone "$3"
	;;
again)
	enter "$2"
	alive "$3" || launch "$3"
	ready "$3"
	;;
stop)
	enter "$2"
	for dir in broker*; do end KILL "${dir#broker}"; done
	for dir in broker*; do gone "${dir#broker}"; done
	;;
*)
	sed -n '2,/^set/p' "$0" | sed '/^set/d; s/^# \{0,1\}//' >&2
	exit 2
	;;
esac
