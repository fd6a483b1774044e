//go:build !linux

package control

import (
	"fmt"
	"path/filepath"
)

// longestPath is what a socket's path may have on every system, in bytes.
const longestPath = 103

// withPath calls use with a path of the socket, where it is short enough for one.
func withPath(dir string, use func(path string) error) error {
	path := filepath.Join(dir, socketFile)
	if len(path) > longestPath {
		return fmt.Errorf("the path of a socket has at most %d bytes, and %s has %d; move the state directory to a shorter one", longestPath, path, len(path))
	}
	return use(path)
}
