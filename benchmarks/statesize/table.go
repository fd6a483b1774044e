package statesize

import (
	"context"
	"fmt"
	"io"
)

// Table measures every kind over so many keys and writes a table of Markdown.
func Table(ctx context.Context, to io.Writer, keys int) error {
	fmt.Fprintf(to, "| what a key remembers | key on disk | record | together | resident |\n|---|--:|--:|--:|--:|\n")
	for _, k := range Kinds() {
		s, err := Measure(ctx, k, keys)
		if err != nil {
			return err
		}
		fmt.Fprintf(to, "| %s | %.1f | %.1f | %.1f | %.0f |\n", s.Kind, s.Key, s.Value, s.Key+s.Value, s.Resident)
	}
	return nil
}
