// Package redis is the sink that appends alerts to a stream of Redis.
//
// It sits behind the dispatcher of package sinks. A call is one script, which Redis runs as
// one: it appends each alert whose id is not among the last ones, which it keeps in a sorted
// set beside the stream. So what comes again after a crash is in the stream once. An entry
// has the members id, rule, severity and alert, the alert as JSON. Stream and set have one
// slot of a cluster, by their hash tag.
//
// What Redis keeps over its own end is what it is set up for (appendfsync); its answer is
// all that a sink can wait for. There is one file to open: redis.go.
package redis
