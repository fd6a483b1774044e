//go:build !unix

package statesoak

import "io/fs"

// blocks is the length of a file.
func blocks(info fs.FileInfo) int64 { return info.Size() }
