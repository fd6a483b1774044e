// Package rabbitmq is the sink that publishes alerts to RabbitMQ, or another broker of AMQP
// 0.9.1.
//
// It sits behind the dispatcher of package sinks. A call publishes its rows as persistent
// messages on a channel with publisher confirms, and returns when the broker has confirmed
// them: a queue that survives has them on its disk. The message id is the alert's, by which
// a consumer knows what comes again after a crash. A message that no queue takes is returned
// by the broker, and is a fault of the configuration: bind a queue.
//
// There is one file to open: rabbitmq.go.
package rabbitmq
