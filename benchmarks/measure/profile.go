package measure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
)

// allocSample is how many bytes are allocated from one sample of a profile to the next.
const allocSample = 64 << 10

// profileNothing keeps loading and warming up out of the profile of allocations.
func profileNothing(spec Spec) {
	if spec.Profile != "" {
		runtime.MemProfileRate = 0
	}
}

// startProfile begins a CPU profile and one of allocations, if the Spec has a folder for
// them. stop ends and writes them.
func startProfile(spec Spec) (stop func() error, err error) {
	if spec.Profile == "" {
		return func() error { return nil }, nil
	}
	name := filepath.Join(spec.Profile, spec.Label())
	f, err := os.Create(name + ".cpu.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	runtime.MemProfileRate = allocSample
	return func() error {
		pprof.StopCPUProfile()
		return errors.Join(f.Close(), writeAllocs(name+".allocs.pprof"))
	}, nil
}

func writeAllocs(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return pprof.Lookup("allocs").WriteTo(f, 0)
}

// Label names the measurement, as "W8f-1000-engine-1".
func (s Spec) Label() string {
	name := s.Workload
	if s.Size > 0 {
		name += "-" + strconv.Itoa(s.Size)
	}
	return fmt.Sprintf("%s-%s-%d", name, s.Mode, s.Cores)
}
