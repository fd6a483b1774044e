// Package demo shows the whole of it in one process: a generator writes payments with attacks
// mixed in to a topic of Kafka, an engine reads them with the fraud rules of the examples,
// and what it finds goes to the screen and to another topic.
//
// Where no brokers are named the topic is kept by kfake, which speaks Kafka's protocol within
// this process: nothing needs to be installed.
//
// The bank (bank.go) draws the events; it is pure, and knows what it has planted. Event time
// runs faster than the clock, so that half an hour without a settlement shows within half a
// minute. The summary holds what was found against what was planted.
//
// Open demo.go first.
package demo
