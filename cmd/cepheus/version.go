package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionVerb struct{}

// Run prints one line: the version, the commit where the build knows it, the Go
// release and the platform.
func (versionVerb) Run(w *world) error {
	_, err := fmt.Fprintf(w.stdout, "cepheus %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version is what the build recorded: a release's version, else the commit, else
// "unreleased".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unreleased"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "unreleased, commit " + s.Value
		}
	}
	return "unreleased"
}
