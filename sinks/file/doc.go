// Package file is the sink that appends alerts to a file, one JSON object a line.
//
// It sits behind the dispatcher of package sinks and owns one [sinks.Lines]. A flush
// returns when the lines are on the disk, and only then are rows acknowledged; after a
// crash rows that were not come again, and a reader tells them by their id. The file is
// made for its owner alone. Rotation is not here yet: a file that was moved away goes on
// being written until the next start. There is one file to open: file.go.
package file
