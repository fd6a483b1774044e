// Package service is the rule set in service: which files it is made of, who changed it
// when, and how another one takes its place while the engine runs.
//
// # Words
//
// The files of a set come from two layers. The folders are the lower one: what lies in them
// at the last look. Edits, which an API makes, are the upper one: a file that was put
// stands in place of one of the same name in a folder, and one that was deleted hides it;
// so an edit is in force until another edit of that name, whatever happens in the folders. A
// version is a whole set as it was put into service: a number, the files with their texts,
// the author and the time. Versions are kept in the state store, the last
// [Options].Keep of them, and texts that several have in common once.
//
// # How a change goes
//
//	edit, look or rollback ─► files ─► compile all ─► keep the version ─► Applier.Swap ─► in service
//
// One change is made at a time. All of the set is compiled before anything else happens: an
// error in one file leaves the whole set that runs as it is, and is returned with all
// others. The version is durable before the engine runs it, and the engine's own state says
// which set that is; so a start after a crash goes on with what was last running
// (see Open). A change that expects another version than the one in service is a
// [*ConflictError]; one that changes no byte makes no version.
//
// Rules with `mode shadow` run, and what they would have alerted can be looked at in a
// [Shadows].
//
// # Warming
//
// Rules that would begin with nothing remembered can be given the past first (warm.go): Warm
// checks a change and begins, RunWarmings has the rules run over the past beside the engine,
// and makes the change when they have caught up. It is then a change like any other: what is
// wrong with it by then, another version among it, fails the warming, and nothing has changed.
//
// # Files of lists and tables
//
// Rules that come over an API must not read whatever file there is: those of lists and
// tables must lie in the folders of the rules, or below, or be named by a rule file of a
// folder too. Who writes in the folders may name any file.
//
// # Goroutines
//
// Run watches the folders in one goroutine of its own, the caller's, and ends with its ctx;
// so does RunWarmings, which has one more for the rules that are given the past.
// All methods are safe for several goroutines.
//
// Open service.go first, then edit.go, versions.go, watch.go and warm.go.
package service
