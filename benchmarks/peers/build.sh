#!/bin/sh
# Builds the harness into target/: needs Java 17 and Maven, which it installs on Debian
# where it may (root), and Maven Central.
set -e
cd "$(dirname "$0")"
if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -q >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends openjdk-17-jdk-headless maven >&2
    else
        echo "peers: Java 17 (a JDK) and Maven are needed: openjdk-17-jdk-headless and maven on Debian" >&2
        exit 2
    fi
fi
[ -d target/lib ] && [ -z "$(find src pom.xml -newer target/lib -print -quit)" ] && exit 0
mvn -B -q package >&2
touch target/lib
