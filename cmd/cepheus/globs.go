package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// spelledOut replaces patterns by the files that they stand for, in order of name. A path
// that is a file is no pattern, whatever it is called.
func spelledOut(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		if !strings.ContainsAny(path, "*?[") {
			out = append(out, path)
			continue
		}
		found, err := filepath.Glob(path)
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", path, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("--input %s: no file is called so", path)
		}
		slices.Sort(found)
		out = append(out, found...)
	}
	return out, nil
}
