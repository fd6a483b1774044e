package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/cepheus-cep/cepheus/benchmarks/statesize"
)

// stateKeys is over how many keys the size of one is measured.
const stateKeys = 100_000

// printStateSizes prints what a key costs, kind by kind.
func printStateSizes(ctx context.Context, to io.Writer, o options) error {
	var text bytes.Buffer
	out := io.MultiWriter(to, &text)
	fmt.Fprintf(out, "# What a key costs\n\nBytes a key over %d keys; %s %s/%s. A payment is some 115 bytes of JSON, a login 55; a key\n"+
		"is of 8 bytes. Every alert shows its events, so that a key keeps them, as they came. On disk: key\nand record with their frame, without what Badger adds.\n\n",
		stateKeys, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err := statesize.Table(ctx, out, stateKeys); err != nil {
		return err
	}
	return o.write("state-sizes.md", text.Bytes())
}
