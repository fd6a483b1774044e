package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets this test binary be the command: scripts call it by the name cepheus.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cepheus": main})
}

// TestScripts runs the scripts of testdata, one a behaviour; the first line of each
// says why it exists. EXAMPLES is the folder of the shipped rule sets.
func TestScripts(t *testing.T) {
	examples, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	examples += "/../../examples"
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"lines":     lines,
			"large":     large,
			"append":    appendTo,
			"gzipped":   gzipped,
			"truncated": truncated,
			"random":    random,
			"flipped":   flipped,
		},
	})
}

// exits runs a command and wants its exit code: exits 2 cepheus run.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err = ts.Exec(args[1], args[2:]...)
	got, exit := 0, (*exec.ExitError)(nil)
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// lines wants that many lines in a file, or in stdout or stderr: lines stdout 3.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	got := 0
	for _, c := range ts.ReadFile(args[0]) {
		if c == '\n' {
			got++
		}
	}
	if strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s has %d lines, want %s", args[0], got, args[1])
	}
}

// large writes a file of a line of so many bytes between two given ones:
// large FILE BYTES BEFORE AFTER. The bytes are the text of one JSON string.
func large(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: large FILE BYTES BEFORE AFTER")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := append([]byte(args[2]+"\n"), `{"type":"e","text":"`...)
	for range n {
		text = append(text, 'x')
	}
	text = append(append(text, "\"}\n"...), args[3]+"\n"...)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// appendTo adds one file to the end of another: append TO FROM.
func appendTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append TO FROM")
	}
	text := ts.ReadFile(args[0]) + ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// gzipped compresses a file: gzipped FROM TO.
func gzipped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gzipped FROM TO")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

// random writes so many bytes of every value, the same each time: random FILE BYTES.
func random(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: random FILE BYTES")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := make([]byte, n)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range text {
		text[i] = byte(rnd.Uint32())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// truncated copies the first bytes of a file: truncated FROM BYTES TO.
func truncated(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: truncated FROM BYTES TO")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := ts.ReadFile(args[0])
	if len(text) <= n {
		ts.Fatalf("%s has %d bytes only", args[0], len(text))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text[:n]), 0o600))
}

// flipped inverts bytes of a file from an offset on; done twice it does nothing:
// flipped FILE OFFSET BYTES.
func flipped(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flipped FILE OFFSET BYTES")
	}
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	text := []byte(ts.ReadFile(args[0]))
	if len(text) < at+n {
		ts.Fatalf("%s has %d bytes only", args[0], len(text))
	}
	for i := at; i < at+n; i++ {
		text[i] ^= 0xff
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}
