//go:build !unix

package measure

import "os"

// cpuSeconds is not known here.
func cpuSeconds() float64 { return 0 }

// residentOf is not known here.
func residentOf(*os.ProcessState) int64 { return 0 }
