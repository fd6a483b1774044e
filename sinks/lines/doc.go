// Package lines is an append-only file of JSON lines, as the file sink and the dead
// letters write it: buffered, synced on demand, and whole lines after a crash.
//
// A crash can leave the beginning of a line at the end of the file. Opening such a file
// cuts it off: nothing that was synced is lost, since whoever wrote that line did not
// get its Sync back and writes it again. A last line that is complete but for its end,
// or is no JSON object of ours, only gets its end.
package lines
