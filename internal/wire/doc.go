// Package wire is what the reader and the writer of Kafka share: connections to brokers,
// requests in the protocol's own form, and what a failure says of the settings.
//
// # Words
//
// An [Access] is how brokers are reached: addresses, encryption, login. A [Cluster] holds
// the connections. A [Request] writes itself, by an [Encoder], and reads its response, by a
// [Decoder], from a connection that the library's transport has opened; the requests that
// only one side sends are in that side's room.
//
// A failure is explained where it can be mended: [Access.Explain] turns it into a
// [SettingError], [Fatal] tells whether waiting may help. No password is in any message.
//
// Open cluster.go first.
package wire
