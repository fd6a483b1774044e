package plan

var severityNames = [...]string{"info", "low", "medium", "high", "critical"}

// String returns the severity as rule files and alerts write it.
func (s Severity) String() string { return severityNames[s] }
