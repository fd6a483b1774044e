package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/engine"
)

// stateFlags say how a run keeps its state. They mean something with --state only.
type stateFlags struct {
	State  string `name:"state" type:"given" placeholder:"DIR" help:"Keep the state in this folder, and go on from what is in it. Without it the state is in memory."`
	Final  bool   `name:"final" help:"With --state: the end of the inputs is the end of time, which closes windows and decides absences."`
	Cache  size   `name:"cache" placeholder:"SIZE" help:"With --state: how much memory the states of keys may take, as 256MiB or 2GiB; keys not used for longest are in the folder alone. Default 512MiB."`
	Commit every  `name:"commit" placeholder:"DURATION" help:"With --state: how long an epoch lasts, as 500ms or 2s. It ends with one write that survives a crash, and its alerts are sent after that. Default 1s."`
	NoSync bool   `name:"no-sync" help:"With --state: do not wait for the disk. A killed process still loses nothing, but after a power cut or a crash of the machine the last epochs can be gone, or the folder is refused as damaged."`
	keyFlag
	Epoch int `name:"epoch" hidden:"" help:"With --state: how many records an epoch has at most."`
}

// needState refuses flags that would do nothing.
func (f *stateFlags) needState() error {
	if f.State != "" {
		return nil
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{{"--cache", f.Cache > 0}, {"--commit", f.Commit > 0}, {"--no-sync", f.NoSync}, {"--state-key", f.StateKey != ""}} {
		if flag.given {
			return fmt.Errorf("%s says how state is kept on disk, and this run keeps it in memory; name a folder with --state DIR", flag.name)
		}
	}
	return nil
}

// defaultCache is the cache where the flag is not given, besideCache what a run takes, in
// bytes, beside twice its cache: what is on its way to the folder, and buffers of the store.
const (
	defaultCache size = 512 << 20
	besideCache       = 16 << 20
)

// commitEvery is how long an epoch lasts.
func (f *stateFlags) commitEvery() time.Duration {
	return cmp.Or(time.Duration(f.Commit), engine.DefaultCommitEvery)
}

// cache is how much memory the states of keys may take.
func (f *stateFlags) cache() size { return cmp.Or(f.Cache, defaultCache) }

// every is the time from one epoch to the next.
type every time.Duration

const (
	leastEvery = time.Millisecond
	mostEvery  = time.Hour
)

// UnmarshalText reads a duration.
func (e *every) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a duration; write it as 500ms or 2s", text)
	case d < leastEvery || d > mostEvery:
		return fmt.Errorf("%s is out of bounds; from 1ms to 1h", text)
	}
	*e = every(d)
	return nil
}

// size is a number of bytes.
type size int64

// leastCache is room for the keys of an epoch or two.
const leastCache size = 1 << 20

// UnmarshalText reads a size with its unit.
func (s *size) UnmarshalText(text []byte) error {
	n, err := config.ParseSize(string(text))
	if err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	if *s = size(n); *s < leastCache {
		return fmt.Errorf("%s is less than 1MiB, the least", text)
	}
	return nil
}
