package ruletest_test

import (
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// TestBrokenRulesOfSize holds the broken rules that no file should: too long, too deep,
// not UTF-8. Each must be answered by these messages and no others, and soon.
func TestBrokenRulesOfSize(t *testing.T) {
	const a = "event a { n int }\n"
	for name, tc := range map[string]struct {
		text string
		want []string // starts of messages
	}{
		"10,000 nested brackets": {
			a + "rule r { from a where " + strings.Repeat("(", 10_000) + "n > 1" + strings.Repeat(")", 10_000) + " }",
			[]string{"x.cep:2:222: S011"},
		},
		"10,000 brackets never closed": {
			a + "rule r { from a where " + strings.Repeat("(", 10_000),
			[]string{"x.cep:2:222: S011"},
		},
		"10,000 nested groups": {
			a + "rule r { match " + strings.Repeat("(", 10_000) + "a" + strings.Repeat(")", 10_000) + " within 1m }",
			[]string{"x.cep:2:215: S011"},
		},
		"10,000 nested lists": {
			a + "rule r { from a emit { x: " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + " } }",
			[]string{"x.cep:2:225: S011"},
		},
		"10,000 signs": {
			a + "rule r { from a where n > " + strings.Repeat("-", 10_000) + "1 }",
			[]string{"x.cep:2:"},
		},
		"10,000 nots": {
			a + "rule r { from a where " + strings.Repeat("not ", 10_000) + "(n > 1) }",
			[]string{"x.cep:2:"},
		},
		"10,000 questions": {
			a + "rule r { from a emit { x: " + strings.Repeat("n > 1 ? 1 : ", 10_000) + "2 } }",
			[]string{"x.cep:2:"},
		},
		"nested records": {
			"event a { " + strings.Repeat("r { ", 300) + "n int" + strings.Repeat(" }", 300) + " }\nrule r { from a }",
			[]string{"x.cep:1:"},
		},
		"a file of 10 MB": {
			a + strings.Repeat("// a comment that says very little\n", 300_000),
			[]string{"x.cep:1:1: S002"},
		},
		"a file of one byte more than 1 MB": {
			a + strings.Repeat(" ", 1<<20-len(a)+1),
			[]string{"x.cep:1:1: S002"},
		},
		"65 steps": {
			a + "rule r { match s0: a" + steps(64) + " within 1m }",
			[]string{"x.cep:2:"},
		},
		"text that is not UTF-8": {
			a + "rule r \"\xff\xfe\" { from b }",
			[]string{"x.cep:2:9: S003"},
		},
		"a control character": {
			a + "rule r { from a where n > 1\x00 }",
			[]string{"x.cep:2:28: S004"},
		},
		"a mark that turns text around": {
			a + "rule r { from a where n > 1 /* \u202e */ }",
			[]string{"x.cep:2:32: S004"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs := lang.Compile([]*source.File{{Name: "x.cep", Text: tc.text}})
			ok := len(errs) == len(tc.want)
			for i := 0; ok && i < len(errs); i++ {
				ok = strings.HasPrefix(errs[i].Error(), tc.want[i])
			}
			if !ok {
				t.Errorf("messages\n%.2000v\nwant\n%q", errs, tc.want)
			}
		})
	}
}

func steps(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" -> s" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ": a")
	}
	return b.String()
}

// TestWithinTheLimits holds what is just small enough.
func TestWithinTheLimits(t *testing.T) {
	const a = "event a { n int }\n"
	for name, text := range map[string]string{
		"a file of 1 MB": a + strings.Repeat(" ", 1<<20-len(a)),
		"64 steps":       a + "rule r { match s0: a" + steps(63) + " within 1m }",
		"190 brackets":   a + "rule r { from a where " + strings.Repeat("(", 190) + "n > 1" + strings.Repeat(")", 190) + " }",
	} {
		t.Run(name, func(t *testing.T) {
			if _, errs := lang.Compile([]*source.File{{Name: "x.cep", Text: text}}); len(errs) > 0 {
				t.Errorf("messages %.2000v", errs)
			}
		})
	}
}

// TestManyErrorsAreCapped compiles a rule set with more errors than a person reads.
func TestManyErrorsAreCapped(t *testing.T) {
	text := "event a { n int }\n" + strings.Repeat("rule r { from b }\n", 500)
	_, errs := lang.Compile([]*source.File{{Name: "x.cep", Text: text}})
	if len(errs) != source.MaxErrors+1 || !strings.Contains(errs[source.MaxErrors].Message, "more messages") {
		t.Errorf("%d messages, the last %v", len(errs), errs[len(errs)-1])
	}
}
