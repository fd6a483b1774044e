package ruletest

import "strings"

// section is one file of an archive. text ends with a line end unless it is empty.
type section struct{ name, text string }

// archive is a text in the txtar form.
type archive struct {
	comment  string
	sections []section
}

// parseArchive never fails: a text without sections is all comment.
func parseArchive(text string) archive {
	var a archive
	into := &a.comment
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		if name, ok := sectionName(line); ok {
			a.sections = append(a.sections, section{name: name})
			into = &a.sections[len(a.sections)-1].text
			continue
		}
		*into += strings.TrimSuffix(line, "\n") + "\n"
	}
	return a
}

// sectionName reads a line "-- NAME --".
func sectionName(line string) (string, bool) {
	line = strings.TrimSuffix(line, "\n")
	name, begins := strings.CutPrefix(line, "-- ")
	name, ends := strings.CutSuffix(name, " --")
	name = strings.TrimSpace(name)
	return name, begins && ends && name != ""
}

// String writes the archive so that parsing gives it back.
func (a *archive) String() string {
	var b strings.Builder
	b.WriteString(a.comment)
	for _, s := range a.sections {
		b.WriteString("-- " + s.name + " --\n" + s.text)
	}
	return b.String()
}

// set replaces the text of a section, or adds it at the end.
func (a *archive) set(name, text string) {
	for i := range a.sections {
		if a.sections[i].name == name {
			a.sections[i].text = text
			return
		}
	}
	a.sections = append(a.sections, section{name, text})
}

// lines are the lines of a text that are not blank and no comments (#).
func lines(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}
