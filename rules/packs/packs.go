package packs

import "embed"

// Files are the packs, a folder each.
//
//go:embed fraud security operations iot
var Files embed.FS

// Names of the packs, the first being the one to begin with.
func Names() []string { return []string{"fraud", "security", "operations", "iot"} }
