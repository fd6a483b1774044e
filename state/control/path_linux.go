package control

import (
	"fmt"
	"os"
)

// withPath calls use with a path of the socket. A socket's path has at most 107 bytes,
// which that of a directory may exceed: it is named by an open file.
func withPath(dir string, use func(path string) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return use(fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketFile))
}
