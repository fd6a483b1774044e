// Package servers starts real servers for tests: on the loopback interface, at ports of
// their own below 32768, with their data in a folder of the test, and gone with it.
//
// The scripts beside this file do the work and can be run by hand; each says at its top
// how. What they fetch is kept between runs in $CEPHEUS_SERVERS, default
// ~/.cache/cepheus/servers.
//
// topics.go is what tests of Kafka ask of a broker, in the process or real, by a client that is
// not ours: topics made and led, their ends, offsets of groups, rights.
//
// Schemathesis, which is no server but a client that tries an API, is had in the same way:
// from a script, in fixed versions.
//
// A test is skipped, with the reason, where a server cannot be had: no network, no right
// to install, or -short. With CI=true it fails instead, so that a machine that must have
// the servers cannot pass without them.
package servers
