// Package file is the sink that appends alerts to a file, one JSON object a line.
//
// It sits behind the dispatcher of package sinks and owns one [sinks.Lines]. A flush
// returns when the lines are on the disk, and only then are rows acknowledged; after a
// crash rows that were not come again, and a reader tells them by their id. The file is
// made for its owner alone.
//
// Another file is begun where the file is full or its time is over (Options), at the end of
// an alert; the full one gets its time as a part of its name, and is compressed beside
// delivery. One that someone moves away is left to them, and begun anew. A crash leaves whole
// files: one that was about to be compressed is compressed at the next start.
//
// Open file.go first; full.go has what happens to full files.
package file
