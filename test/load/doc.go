// Package load sends a running engine events over HTTP, as fast as it takes them, while its
// rules are changed: its test is the proof that a change costs no event and no alert.
//
// # What is done
//
// A `cepheus run -c` of its own process, with its state on disk, takes batches of events at
// POST /v1/events. First the rate is raised step by step until a request is refused, or one in
// a hundred takes too long. Then the highest rate that was borne is held while the rules are
// changed 100 times: thresholds, later steps of patterns, windows, rules added and removed.
//
// # What is compared
//
// Rules that no change touches count every event, by key, and pair the first with the last
// event of every batch. Of each batch that was taken there is one alert of each kind, and sums
// over all windows are those of the events taken: none lost, none twice. A batch that was
// refused with 429 has neither.
//
// A table says how fast it was: it is printed and not judged, for that depends on the machine.
//
// CEPHEUS_LOAD_LONG=1 is the long form (make load); else it takes a few seconds.
package load
