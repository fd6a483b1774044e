package plan

import (
	"fmt"
	"strings"
)

// MemoryChanges says which parts of what a rule remembers differ between two texts of
// Rule.Memory (or Projection.Memory): none where states written under the one are good
// under the other. A text is a list of parts, each its name, an equals sign and a hash.
func MemoryChanges(was, is string) (parts []string) {
	old := memoryParts(was)
	for _, part := range strings.Fields(is) {
		if name, hash, _ := strings.Cut(part, "="); old[name] != hash {
			parts = append(parts, name)
		}
	}
	return parts
}

// Parts of a text of Rule.Steps: the policy that holds for all runs of a pattern, and the
// parts of its sequence that take events, by number.
const (
	PolicyPart = "policy"
	StepPart   = "step"
	// NoWait stands behind a step's hash where runs there need not note what they do not
	// take; else a hash of what they look for.
	NoWait = "-"
)

// KeptSteps says, for the first parts of a pattern's sequence that are the same in two
// texts of Rule.Steps, whether a run that waits there can go on under the second: it must
// have noted what it has to know of the events since. It is nil where none can.
func KeptSteps(was, is string) (keep []bool) {
	old, now := memoryParts(was), memoryParts(is)
	if now[PolicyPart] == "" || old[PolicyPart] != now[PolicyPart] {
		return nil
	}
	for n := 1; ; n++ {
		name := fmt.Sprint(StepPart, n)
		step, wait, ok := strings.Cut(now[name], ".")
		before, waited, _ := strings.Cut(old[name], ".")
		if !ok || step != before {
			return keep
		}
		keep = append(keep, wait == NoWait || wait == waited)
	}
}

func memoryParts(text string) map[string]string {
	parts := map[string]string{}
	for _, part := range strings.Fields(text) {
		name, hash, _ := strings.Cut(part, "=")
		parts[name] = hash
	}
	return parts
}
