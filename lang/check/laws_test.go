package check_test

import "testing"

func TestPatternErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		rule string
		want []string
	}{
		"a lawful pattern":                 {`match a -> b within 5m`, nil},
		"no within":                        {`match a -> b`, []string{"1:10: W101: the pattern has no within: an unfinished run waits forever; add within D"}},
		"gaps bound every wait":            {`match a ->[5s] b ->[1m] c`, nil},
		"for bounds the last wait":         {`match a -> !b for 30m`, nil},
		"for in the middle does not":       {`match a -> !b for 30m -> c`, []string{"1:10: W101: the pattern has no within: an unfinished run waits forever; add within D"}},
		"a single step waits for nothing":  {`match a`, nil},
		"a repeated step waits":            {`match a{3}`, []string{"1:10: W101: the pattern has no within: an unfinished run waits forever; add within D"}},
		"optional at the end":              {`match a -> b? within 5m`, []string{"1:22: W102: the pattern is complete before this part, which is never taken; leave the part out, or let it be needed"}},
		"star at the end":                  {`match a -> b* within 5m`, []string{"1:22: W102: the pattern is complete before this part, which is never taken; leave the part out, or let it be needed"}},
		"plus at the end is lawful":        {`match a -> b+ within 5m`, nil},
		"nothing needed":                   {`match a* -> b? within 5m`, []string{"1:16: R402: the pattern can match nothing: no event need be taken; let at least one step be needed"}},
		"only a negation":                  {`match !a within 5m`, []string{"1:16: R402: the pattern can match nothing: no event need be taken; let at least one step be needed"}},
		"negation at the end without time": {`match a -> !b`, []string{"1:21: R403: a negation at the end needs a time by which it has held; add for D to it, or within D to the rule"}},
		"negation at the end with within":  {`match a -> !b within 5m`, nil},
		"negation before what may be left out": {`match a -> !b -> c? within 5m`, []string{
			"1:21: R403: all that follows this negation can be left out: it has no end; let one of the steps after it be needed, or leave them out",
			"1:28: W102: the pattern is complete before this part, which is never taken; leave the part out, or let it be needed",
		}},
		"leading negation without gap":     {`match !a -> b within 5m`, []string{"1:16: R404: a negation at the start needs a gap; write ->[D] after it: no such event in the D before the first step"}},
		"leading negation with =>":         {`match !a => b within 5m`, []string{"1:16: R404: a negation at the start needs a gap; write ->[D] after it: no such event in the D before the first step"}},
		"leading negation with two bounds": {`match !a ->[1s..2s] b within 5m`, []string{"1:19: R404: the gap after a negation at the start has one bound; write ->[D]"}},
		"leading negation with for":        {`match !a for 1s -> b within 5m`, []string{"1:16: R404: for counts from the event before, and here is none; write !A ->[D] B"}},
		"leading negation, then one":       {`match !a ->[1s] !b -> c within 5m`, []string{"1:26: R404: a negation at the start stands before a step; write !(A | B)"}},
		"leading negation, then optional":  {`match !a ->[1s] b? -> c within 5m`, []string{"1:26: R404: the step after a negation at the start cannot be left out; let it be needed"}},
		"leading negation with a gap":      {`match !a ->[1s] b`, nil},
		"leading negation of either":       {`match !(a | b) ->[1s] c`, nil},
		"gap before a negation":            {`match a ->[1s] !b -> c within 5m`, []string{"1:18: R405: a gap cannot stand beside a negation but at the start; write ->, and use within, or for after the negation"}},
		"gap after a negation":             {`match a -> !b ->[1s] c within 5m`, []string{"1:24: R405: a gap cannot stand beside a negation but at the start; write ->, and use within, or for after the negation"}},
		"gap before a negation at the end": {`match a ->[1s] !b within 5m`, []string{"1:18: R405: a gap cannot stand beside a negation but at the start; write ->, and use within, or for after the negation"}},
		"next before a negation":           {`match a => !b -> c within 5m`, []string{"1:18: R410: => says which event comes next: it cannot stand before a negation; write -> before it"}},
		"a type taken and not wanted":      {`match a -> !a for 5s within 5m`, nil},
		"negations side by side":           {`match a -> !b -> !c -> d within 5m`, nil},
		"negations side by side with for":  {`match a -> !b -> !c for 1s within 5m`, []string{"1:27: R410: two negations side by side cannot have for; write !(A | B) for D, or put a step between them"}},
		"negation in either": {`match a -> (b | (c -> !d -> e: d)) within 5m`, []string{
			"1:32: R406: a negation cannot stand inside |, &, any or a repetition; write it before or after the group",
		}},
		"negation in a repetition": {`match (a -> !b -> c){2} within 5m`, []string{
			"1:22: R406: a negation cannot stand inside |, &, any or a repetition; write it before or after the group",
		}},
		"bounds the wrong way":            {`match a ->[5s..2s] b`, []string{"1:18: R407: no event can come at least 5s and less than 2s after another; write the smaller bound first; the greater one is not reached"}},
		"a gap of nothing":                {`match a ->[0s] b within 1s`, []string{"1:18: R407: no event comes less than 0s after another"}},
		"gaps longer than within":         {`match a ->[30s..1m] b ->[30s..1m] c within 1m`, []string{"1:53: R407: the pattern takes at least 1m, which is not less than within 1m"}},
		"for as long as within":           {`match a -> !b for 5m within 5m`, []string{"1:28: R408: for 5m is not shorter than within 5m: it never ends in time"}},
		"for shorter than within":         {`match a -> !b for 5m within 6m`, nil},
		"for and gaps longer than within": {`match a ->[3m..4m] b -> !c for 3m -> d within 5m`, []string{"1:56: R407: the pattern takes at least 6m, which is not less than within 5m"}},
		"for nothing":                     {`match a -> !b for 0s`, []string{"1:28: R308: for 0s says nothing"}},
		"last with an absence":            {`match last a -> !b within 5m`, []string{"1:16: R409: match last cannot end in a negation: at its deadline no start is nearer than another; write match first"}},
		"last":                            {`match last a -> b within 5m`, nil},
		"every":                           {`match every a -> b within 5m`, nil},
		"one type twice": {`match a -> a within 5m`, []string{
			`1:16: R401: "a" stands 2 times in the pattern: each of its steps needs a name; write NAME: a`,
			`1:21: R401: "a" stands 2 times in the pattern: each of its steps needs a name; write NAME: a`,
		}},
		"one type twice, one named":      {`match x: a -> a within 5m`, []string{`1:24: R401: "a" stands 2 times in the pattern: each of its steps needs a name; write NAME: a`}},
		"a name twice":                   {`match x: a -> x: b within 5m`, []string{`1:24: R103: step "x" is written twice`}},
		"a name that is another's type":  {`match b: a -> b within 5m`, []string{`1:24: R103: step "b" is written twice`}},
		"a reserved name":                {`match prev: a -> b within 5m`, []string{`1:16: R107: a step cannot be called "prev": the word has a meaning of its own; give the step another name`}},
		"until of a type of the pattern": {`match a -> b within 5m until a`, nil},
		"unknown types": {`match aa -> b -> bb[x > 1 and aa.n > 2] within 5m emit { n: aa.n  m: b.m }`, []string{
			`1:16: R102: unknown event type "aa"; declare it: event aa { … }`,
			`1:27: R102: unknown event type "bb"; declare it: event bb { … }`,
			`1:81: R203: unknown field "m" of b`,
		}},
		"within nothing":    {`match a -> b within 0s`, []string{"1:30: R308: nothing matches within 0s"}},
		"limit without all": {`match a -> b within 1m limit 3`, []string{"1:39: R301: limit counts the matches of match all; write match all, or leave limit out"}},
		"any of":            {`match any 2 of (a, b, c) within 1m`, nil},
	} {
		t.Run(name, func(t *testing.T) { wantErrors(t, "rule r { "+tc.rule+" }", tc.want...) })
	}
}
