package plan

import "strings"

// MemoryChanges says which parts of what a rule remembers differ between two texts of
// Rule.Memory (or Projection.Memory): none where states written under the one are good
// under the other. A text is a list of parts, each its name, an equals sign and a hash.
func MemoryChanges(was, is string) (parts []string) {
	old := map[string]string{}
	for _, part := range strings.Fields(was) {
		name, hash, _ := strings.Cut(part, "=")
		old[name] = hash
	}
	for _, part := range strings.Fields(is) {
		if name, hash, _ := strings.Cut(part, "="); old[name] != hash {
			parts = append(parts, name)
		}
	}
	return parts
}
