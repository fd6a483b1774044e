// Package crashtest stops engines where it hurts and looks at what is left: its tests are
// the proof that a killed process loses nothing.
//
// # Words
//
// A step is a moment that a crash can come at: before or after a transaction of the store,
// its mark, a renaming, a delivery, a flush of the sink. An image is a copy of the state
// directory and of the sink's file as a process killed at a step leaves them. What is
// compared are alerts with repeats (by id) removed, in order, also those of events that
// follow, and the records of the state but for those of keys, which forget when they can.
//
// # The harnesses
//
//   - steps_test.go, in process: an image at every step of a short run, each gone on with,
//     some with the end of the active log torn or zeroed, some killed once more;
//   - kill_test.go, the real binary: SIGKILL at random times, its alerts through a pipe, to a
//     server that keeps ids, to a file by the file sink, or by the system (>>);
//   - disk_test.go: a disk that is full, and one that cannot be written;
//   - rules_test.go: other rules over an old state.
//
// The rules are testdata/all.cep, of every kind; the events are drawn. CEPHEUS_CRASH_LONG=1
// is the long form (make soak), CEPHEUS_CRASH_SEED=n draws other cases; the seed is in the
// messages. CEPHEUS_CRASH_EVENTS and CEPHEUS_CRASH_KILLS say how much of the kills.
package crashtest
