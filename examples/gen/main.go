package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// record is one event to be written: at is its time since the start of the sample.
type record struct {
	at   time.Duration
	body any
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gen FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	for name, lines := range samples() {
		if err := os.WriteFile(filepath.Join(folder, name, "events.jsonl"), lines, 0o644); err != nil { // #nosec G306 G703 -- samples for everybody, where who runs it says
			return err
		}
	}
	return nil
}

// samples gives the lines of each sample, by its folder.
func samples() map[string][]byte {
	return map[string][]byte{
		"payments": jsonLines(payments(newDice(1))),
		"ssh":      jsonLines(ssh(newDice(2))),
	}
}

// inOrder sorts records by time; those of one time stay in the order they were made.
func inOrder(records []record) []record {
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.at, b.at) })
	return records
}

func jsonLines(records []record) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, r := range records {
		if err := enc.Encode(r.body); err != nil {
			panic(err) // the bodies are plain structs of ours
		}
	}
	return b.Bytes()
}
