// Package chaos kills engines and brokers while events go from Kafka to Kafka: its tests are
// the proof that alerts come exactly once.
//
// # What is done
//
// Events of eight partitions are written at a steady pace while cepheus run -c reads them by
// rules of every kind (engine/crashtest/testdata), with its state on disk and two sinks of its
// configuration: one transactional, one not. The process is killed by SIGKILL at random times,
// some of them while it starts, and started again, and so is the broker. A last process reads
// what is left: it has arrived when the offsets of the source's group stand at the ends, and
// delivered all when its end leaves no alert waiting. Then one that nobody disturbs reads the
// same events from the beginning into topics of its own.
//
// # What is compared
//
//   - The transactional topic, for readers of committed records: the same alerts, byte for
//     byte, none missing, none twice, those of a key in the same order.
//   - The other topic: the same once repeats are taken away by id; a repeat says the same.
//
// Partitions are never idle in these runs, for what is idle depends on the clock.
//
// CEPHEUS_CHAOS_LONG=1 is the long form (make chaos): 500,000 events, 20 kills of the engine
// and 5 of the broker; else 60,000, 5 and 1. CEPHEUS_CHAOS_SEED=n draws other cases.
package chaos
