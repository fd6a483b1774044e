package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDeclarationErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"an event twice, in two files": {`event a { n int }`, []string{`1:7: R101: event "a" is declared twice`}},
		"a let with an event's name":   {`let a = 3`, []string{`1:5: R101: let "a" has the name of a event`}},
		"a rule twice":                 {`rule r { from a } rule r { from b }`, []string{`1:24: R101: rule "r" is declared twice`}},
		"both of two rules and events are checked": {`rule r { from a } rule r { from zz } event e { n int } event e { n int n int }`, []string{
			`1:24: R101: rule "r" is declared twice`,
			`1:33: R102: unknown event type "zz"; declare it: event zz { … }`,
			`1:62: R101: event "e" is declared twice`,
			`1:72: R103: field of e "n" is written twice`,
		}},
		"a rule may have an event's name": {`rule a { from a }`, nil},
		"a field twice":                   {`event e { x int  x string }`, []string{`1:18: R103: field of e "x" is written twice`}},
		"a field of a record twice":       {`event e { r { x int x int } }`, []string{`1:21: R103: field of e "x" is written twice`}},
		"an unknown time field":           {`event e (time: att) { at time }`, []string{`1:16: R104: the time field "att" is no field of e; did you mean "at"?`}},
		"a number as time without unit":   {`event e (time: at) { at int }`, []string{`1:16: R105: the time field "at" is an int: it needs a unit; write time: at(ms), or the unit s, us or ns`}},
		"a number as time":                {`event e (time: at(ms)) { at int }`, nil},
		"text as time":                    {`event e (time: at) { at string }`, nil},
		"text as time with a unit":        {`event e (time: at(ms)) { at string }`, []string{`1:19: R105: the time field "at" is text: it holds RFC 3339 times and has no unit; leave the unit out`}},
		"a bool as time":                  {`event e (time: at) { at bool }`, []string{`1:16: R105: the time field "at" is a bool, not a time, a number or text`}},
		"an id that is a float":           {`event e (id: x) { x float }`, []string{`1:14: R105: the id field "x" is a float, not a string or an int`}},
		"an unknown id":                   {`event e (id: xx) { x float }`, []string{`1:14: R104: the id field "xx" is no field of e`}},
		"dedup without id":                {`event e (dedup: 1m) { x float }`, []string{"1:17: R302: dedup of e needs an id; name the identity: id: FIELD"}},
		"dedup and ahead":                 {`event e (id: x, dedup: 1m, ahead: 1h, lateness: 5s, late: drop) { x int }`, nil},
		"an unknown type":                 {`fn f(p evnt) = 1`, []string{`1:8: R106: unknown type "evnt" of parameter "p"`}},
		"a parameter twice": {`fn f(p int, p int) = p`, []string{
			`1:13: R103: parameter of f "p" is written twice`,
		}},
		"a function nothing uses":            {`fn f(p a, m float) = p.n * m + p.nn`, []string{`1:34: R203: unknown field "nn" of a`}},
		"a lawful function":                  {`fn f(p a, m float) = p.n * m > 2`, nil},
		"a function of a function's event":   {`fn f(p a) = p.n > 2 fn g(q a, m float) = f(q) and q.n > m`, nil},
		"a function of itself, by its event": {`fn f(p a) = f(p)`, []string{`1:13: R213: the fn "f" leads to itself`}},
		"a function of another event":        {`fn f(p a) = p.n > 2 fn g(q b) = f(q)`, []string{`1:35: R207: the parameter "p" is of type a, this is b`}},
		"a function of itself":               {`fn f(m float) = f(m)`, []string{`1:17: R213: the fn "f" leads to itself`}},
		"a constant of itself": {`let x1 = y1 + 1 let y1 = x1`, []string{
			`1:10: R213: the constant "y1" leads to itself`,
			`1:26: R213: the constant "x1" leads to itself`,
		}},
		"a constant of a field":      {`let x1 = n + 1`, []string{`1:10: R201: unknown name "n"`}},
		"a list":                     {`list l = /* [ */ ["x", "y"]`, nil},
		"a list with a wrong member": {`list l = ["x", nope]`, []string{`1:16: R201: unknown name "nope"`}},
		"a list from a file":         {`list l from file "x.txt"`, []string{`1:18: R108: the file "x.txt" cannot be read here: no files are at hand`}},
		"a table":                    {`table m (key: id) from file "m.csv"`, []string{`1:29: R108: the file "m.csv" cannot be read here: no files are at hand`}},
		"a projection": {`table p by kk from a where n { total: sum(nn)  total: x }`, []string{
			`1:12: R203: unknown field "kk" of a`,
			"1:28: R206: a condition is needed, this is an int; compare it with something",
			`1:43: R203: unknown field "nn" of a`,
			`1:48: R103: field of p "total" is written twice`,
			`1:55: R210: the field "x" cannot be read here: a field of a table is taken over all events of a key; write last(x), or another aggregate`,
		}},
	} {
		t.Run(name, func(t *testing.T) { wantErrors(t, tc.text, tc.want...) })
	}
}

func TestRuleErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		rule string
		want []string
	}{
		"a filter":                     {`from a where n > 3`, nil},
		"a rule without input":         {`severity low`, []string{`1:6: R302: rule "r" reads no events; add from EVENT, or match PATTERN`}},
		"an unknown event type":        {`from aa`, []string{`1:15: R102: unknown event type "aa"; declare it: event aa { … }`}},
		"an unknown type among others": {`from a, zzz where n > "x" emit { q: qq }`, []string{`1:18: R102: unknown event type "zzz"; declare it: event zzz { … }`}},
		"a type twice":                 {`from a, a`, []string{`1:18: R103: event type "a" is written twice`}},
		"where is no condition":        {`from a where n`, []string{"1:23: R206: a condition is needed, this is an int; compare it with something"}},
		"an unknown field":             {`from a where nn > 3`, []string{`1:23: R203: unknown field "nn" of a`}},
		"all errors at once": {`from a where nn > 3 by q emit { s: s + 1  t: zz  t: 1 } suppress 0s`, []string{
			`1:23: R203: unknown field "nn" of a`,
			`1:33: R305: events of type a have no field "q" to be the key`,
			`1:45: R205: cannot add a string and an int; write it as one text: "… ${x} …"`,
			`1:55: R203: unknown field "zz" of a`,
			`1:59: R103: field of emit "t" is written twice`,
			"1:75: R308: suppress 0s suppresses nothing; leave suppress out",
		}},
		"a filter with having": {`from a having n > 3`, []string{"1:17: R301: a filter cannot have having; put the condition after where"}},
		"a filter with clauses of others": {`from a once within 5m until b limit 3`, []string{
			"1:17: R301: a filter cannot have once; to send fewer alerts, use suppress",
			"1:22: R301: a filter cannot have within; add a match, or a window",
			"1:32: R301: a filter cannot have until; add a match",
			"1:40: R301: a filter cannot have limit; add a match all",
		}},
		"a pattern with a window":  {`window sliding 5m match a -> b within 5m`, []string{"1:10: R301: a pattern rule cannot have window; make two rules of it: one with the window, one with the match"}},
		"a pattern with once":      {`match a -> b within 5m once`, []string{"1:33: R301: a pattern rule cannot have once; to send fewer alerts, use suppress"}},
		"once without having":      {`from a window sliding 5m once`, []string{"1:35: R302: once needs a having: it tells when that becomes true; add having CONDITION"}},
		"a window without from":    {`window sliding 5m having count() > 3`, []string{`1:6: R302: rule "r" reads no events; add from EVENT, or match PATTERN`}},
		"an aggregate in a filter": {`from a where count() > 3`, []string{"1:23: R208: count cannot be used here: where looks at one event"}},
		"labels, tags and sinks twice": {`from a tags x, y, x label l "1" label l "2" to s, s`, []string{
			`1:28: R103: tag "x" is written twice`,
			`1:48: R103: label "l" is written twice`,
			`1:60: R103: sink "s" is written twice`,
		}},
		"a let twice":                           {`from a where x1 > 1 let x1 = n let x1 = n`, []string{`1:45: R103: let "x1" is written twice`}},
		"a let that nothing uses":               {`from a let x1 = nn`, []string{`1:26: R203: unknown field "nn" of a`}},
		"a key that is no name":                 {`from a by lower(k)`, []string{"1:20: R303: a key part that is not a plain field needs a name; write lower(k) as NAME"}},
		"a key with a name":                     {`from a by lower(k) as kk emit { kk: kk }`, nil},
		"a key that is a let":                   {`from a let kk = lower(k) by kk emit { kk: kk }`, nil},
		"a key of a name's expression in where": {`from a where kk != "x" by lower(k) as kk`, nil},
		"a key twice":                           {`from a by k, s as k`, []string{`1:28: R103: key part "k" is written twice`}},
		"a key that is a list":                  {`from a by [k] as l`, []string{"1:20: R304: a key cannot be a list; take a part of it that is a string, a number, a bool, a time or an address"}},
		"a key that one type lacks":             {`from a, d by k`, []string{`1:23: R305: events of type d have no field "k" to be the key; take d out of from, or write an expression that all its types have, as NAME`}},
		"a key that each has in its way":        {`from a, d by k ?? owner as kk`, nil},
		"a key of two types":                    {`from a, c by n`, []string{`1:23: R306: key part "n" is a float for c, and an int for the types before it; convert one of them`}},
		"a field that one type lacks":           {`from a, c where other == nil or s == "x"`, nil},
		"a field of two types":                  {`from a, c where n > 3`, []string{`1:10: R306: field "n" is an int in a and a float in c; make a rule for each of them`}},
		"a field that no type has":              {`from a, c where nope > 3`, []string{`1:26: R203: unknown field "nope" of a`}},
		"a field of emit twice":                 {`from a emit { n: n  n: k }`, []string{`1:30: R103: field of emit "n" is written twice`}},
		"suppress by a list":                    {`from a suppress 1h by [k]`, []string{"1:32: R311: alerts cannot be told apart by a list"}},
		"two windows of one name":               {`from a window w sliding 5m window w last 3 having count(w) > 3`, []string{`1:44: R103: window "w" is written twice`}},
		"two windows":                           {`from a window w sliding 5m window v last 3 having avg(w.n) > avg(v.n)`, nil},
		"two windows, one of an end": {`from a window w sliding 5m window v tumbling 1h having avg(w.n) > avg(v.n)`, []string{
			"1:37: R309: several windows are evaluated at each event: each must be sliding or last; make a rule of its own for it",
		}},
		"windows of nothing": {`from a window w sliding 0s window v last 0 having avg(w.n) > avg(v.n)`, []string{
			"1:34: R308: a window of 0s holds nothing",
			"1:51: R308: a window of 0 events holds nothing",
		}},
		"an unknown zone": {`from a window tumbling 1d in "Europe/Berlln"`, []string{
			`1:39: R310: unknown time zone "Europe/Berlln"; write a name such as "Europe/Berlin"`,
		}},
		"a session that is too short": {`from a window session 5m max 1m`, []string{
			"1:39: R308: the greatest length of a session is shorter than its gap",
		}},
		"a bare field at an end": {`from a window tumbling 1h having n > 3 emit { n: last(n) }`, []string{
			`1:43: R210: the field "n" cannot be read here: the window is evaluated at its end; write last(n), or another aggregate`,
		}},
		"a zone and half a day": {`from a window tumbling 12h in "Europe/Berlin"`, []string{
			"1:33: R310: only windows of whole days follow the calendar of a zone; leave the zone out, or write days or weeks: 1d, 1w",
		}},
		"too many windows at a time": {`from a window hopping 7d every 1s`, []string{
			"1:17: R308: an event would be in 604800 hopping windows: at most 10000",
		}},
		"a let of an event in a window of an end":   {`from a let big = n > 3 window tumbling 1h having count(big) > 2`, nil},
		"a let of aggregates in a window of an end": {`from a let busy = count() > 3 and window.end > window.start window tumbling 1h having busy`, nil},
		"a let of an event, read at a window's end": {`from a let big = n > 3 window tumbling 1h having big`, []string{
			`1:27: R210: the field "n" cannot be read here: the window is evaluated at its end; write last(n), or another aggregate`,
		}},
		"the times of a window of no end": {`from a window last 3 having window.start < last(meta.time)`, []string{
			"1:38: R210: window.start and window.end are set in tumbling, hopping, session and batch windows only",
		}},
		"rate of a number of events": {`from a window last 5 having rate() > 3`, []string{"1:38: R208: rate needs a window of time, not one of a number of events"}},
		"zscore at an end": {`from a window tumbling 5m having zscore(n) > 3`, []string{
			"1:43: R208: zscore judges the event at hand: it needs a sliding or a last window",
		}},
		"an aggregate of an aggregate": {`from a window last 5 having sum(avg(n)) > 3`, []string{"1:42: R208: an aggregate within an aggregate"}},
		"a derived event": {`from a emit d { owner: n  nn: n }`, []string{
			"1:22: R312: emit d lacks n; give what is missing, or declare it with ?",
			`1:33: R312: field "owner" of d is a string, this is an int`,
			`1:36: R104: unknown field "nn" of d`,
		}},
		"an unknown derived event": {`from a emit dd { owner: k }`, []string{
			`1:22: R102: unknown event type "dd"; declare it: event dd { … }`,
		}},
		"a table read": {`from a where n in nope`, []string{`1:28: R203: unknown field "nope" of a`}},
	} {
		t.Run(name, func(t *testing.T) { wantErrors(t, "rule r { "+tc.rule+" }", tc.want...) })
	}
}

func TestPatternScopes(t *testing.T) {
	for name, tc := range map[string]struct {
		rule string
		want []string
	}{
		"a step bound earlier":                {`match a -> b[n > a.n] within 5m`, nil},
		"a step that comes later":             {`match a[n > b.n] -> b within 5m`, []string{`1:22: R211: the step "b" cannot be read here: it comes later`}},
		"a negated step":                      {`match a -> !y: b -> c[n > y.n] within 5m`, []string{`1:36: R211: the step "y" cannot be read here: it is negated: it never has an event`}},
		"a negated step sees what is before":  {`match a -> !b[n > a.n] -> c within 5m`, nil},
		"a step that is not repeated, itself": {`match a -> b[b.n > 3] within 5m`, []string{`1:23: R211: the step "b" cannot be read here: it is the step itself: write the fields of the event at hand without its name`}},
		"a repeated step itself":              {`match a[n > count(a)]{2,} -> b within 5m`, nil},
		"a repeated step's own events":        {`match r1: a[n > count(r1) and n > last(r1).n]{2,} -> b within 5m`, nil},
		"prev":                                {`match a[prev == nil or n > prev.n]{2,} -> b within 5m`, nil},
		"prev outside a repetition":           {`match a[n > prev.n] -> b within 5m`, []string{"1:22: R210: prev is the previous event of a repeated step, in its own condition only"}},
		"an aggregate over nothing":           {`match r1: a{2,} -> b within 5m having count() > 2`, []string{"1:48: R209: count does not say over which repeated step; write count(step.field), or count(step)"}},
		"a repeated step without index":       {`match r1: a{2,} -> b[n > r1.n] within 5m`, []string{`1:35: R211: the step "r1" may take several events; write first(r1).n, last(r1).n, or an aggregate such as max(r1.n)`}},
		"aggregates of a repeated step":       {`match r1: a{2,} -> b[n > avg(r1.n)] within 5m having count(r1) > 2 emit { m: max(r1.n) }`, nil},
		"rate of a step":                      {`match r1: a{2,} -> b within 5m having rate(r1) > 2`, []string{"1:48: R208: rate is taken over a window, not over a step"}},
		"another branch": {`match (a | b[n > a.n]) -> c within 5m`, []string{
			`1:27: R211: the step "a" cannot be read here: it stands in another branch of |: only one of them is taken`,
		}},
		"a branch, afterwards": {`match (a | b) -> c[n > a.n or n > b.n] within 5m`, nil},
		"another side": {`match (a & b[n > a.n]) -> c within 5m`, []string{
			`1:27: R211: the step "a" cannot be read here: it may come later: the parts of & and any come in any order`,
		}},
		"a bare field in emit":             {`match a -> b within 5m emit { n: n }`, []string{`1:43: R201: unknown name "n"; a match has several events: write a.n or b.n`}},
		"a bare field in having":           {`match a -> b within 5m having n > 3`, []string{`1:40: R201: unknown name "n"; a match has several events: write a.n or b.n`}},
		"a key in emit":                    {`by k match a -> b within 5m emit { n: k }`, nil},
		"until sees no step":               {`match a -> b within 5m until c[n > a.n]`, []string{`1:45: R211: the step "a" cannot be read here: it belongs to one run, and until ends all runs of the key`}},
		"until sees its own event":         {`by k match a -> b within 5m until c[n > 3 and k != "x"]`, nil},
		"a type lacks the key":             {`by k match a -> d within 5m`, []string{`1:13: R305: events of type d have no field "k" to be the key; give the step a key of its own: d by FIELD`}},
		"a step's own key":                 {`by k match a -> d by owner within 5m`, nil},
		"a step's own key of another type": {`by k match a -> d by n within 5m`, []string{`1:31: R306: key part "k" is an int for d, and a string for the types before it; convert one of them`}},
		"a step's key without the rule's":  {`match a -> d by owner within 5m`, []string{"1:26: R307: a step has a key of its own only where the rule has one; add by … to the rule"}},
		"a step's key with more parts":     {`by k match a -> d by owner, n within 5m`, []string{"1:31: R307: the key of the step has 2 parts, that of the rule has 1"}},
		"a step's key with a name":         {`by k match a -> d by owner as o within 5m`, []string{"1:40: R307: key parts have their names from the rule's by; leave as o out"}},
		"a let in a condition":             {`let big = n > 3 match a[big] -> b[big] within 5m`, nil},
		"a let that fits one step":         {`let o = other match a -> c[o == "x"] within 5m`, nil},
		"a let that fits no step":          {`let o = nope match a -> c within 5m`, []string{`1:18: R203: unknown field "nope" of a`}},
		"a let in emit":                    {`let o = n match a -> c within 5m emit { o: o }`, []string{`1:18: R201: unknown name "n"; a match has several events: write a.n or c.n`}},
		"where filters the types of from":  {`from a, d where n > 3 match a => b within 5m`, nil},
	} {
		t.Run(name, func(t *testing.T) { wantErrors(t, "rule r { "+tc.rule+" }", tc.want...) })
	}
}

// TestBounds: one more than a rule may have is an error at that one.
func TestBounds(t *testing.T) {
	repeat := func(n int, format, join string) string {
		var parts []string
		for i := range n {
			parts = append(parts, fmt.Sprintf(format, i))
		}
		return strings.Join(parts, join)
	}
	for name, tc := range map[string]struct {
		text, format string
		bound        int
		want         string
	}{
		"key parts": {"rule r { from a by %s }", "n as k%d", 16, "more than 16 key parts"},
		"lets":      {"rule r { from a %s }", "let l%d = n", 256, "more than 256 lets"},
		"windows":   {"rule r { from a %s having count(w0) > 1 }", "window w%d last 3", 16, "more than 16 windows"},
		"fields":    {"rule r { from a emit { %s } }", "f%d: n", 256, "more than 256 fields of emit"},
	} {
		t.Run(name, func(t *testing.T) {
			join := ", "
			if name == "lets" || name == "windows" {
				join = " "
			}
			wantPlan(t, fmt.Sprintf(tc.text, repeat(tc.bound, tc.format, join)))
			_, errs := compile(t, fmt.Sprintf(tc.text, repeat(tc.bound+1, tc.format, join)))
			if len(errs) != 1 || errs[0].Code != "R315" || errs[0].Message != tc.want {
				t.Errorf("messages %v, want %q", errs, tc.want)
			}
		})
	}
}

// TestMacroBomb: functions of functions cannot make a small text into endless work.
func TestMacroBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("fn f0(x int) = x + x\n")
	for i := 1; i < 9; i++ {
		fmt.Fprintf(&b, "fn f%d(x int) = f%d(x) + f%d(x)\n", i, i-1, i-1)
	}
	for i := range 600 {
		fmt.Fprintf(&b, "rule r%d { from a where f8(n) > 1 }\n", i)
	}
	set, errs := compile(t, b.String())
	if set != nil || len(errs) != 1 || errs[0].Code != "R315" {
		t.Errorf("set: %t, messages %v", set != nil, errs)
	}
}

func TestCycles(t *testing.T) {
	wantErrors(t, `
		event x1 { n int }
		event x2 { n int }
		rule one { from x1 emit x2 { n: n } }
		rule two { from x2 emit x1 { n: n } }
		rule own { match x1 -> a within 5m emit x1 { n: 1 } }
	`,
		`4:27: R313: rule "one" makes the event "x2", which leads back to it through rule "two": a cycle`,
		`6:43: R313: rule "own" makes the event "x1", which leads back to it through rule "own": a cycle`,
	)
}

func TestErrorsOfAllFilesInOrder(t *testing.T) {
	set, errs := compile(t, "rule one {\n from a where nope > 3\n}", "rule two { from nope }\nevent a { n int }")
	if set != nil {
		t.Error("a set in spite of errors")
	}
	want := []string{
		`p.cep:2:15: R203: unknown field "nope" of a`,
		`q.cep:1:17: R102: unknown event type "nope"; declare it: event nope { … }`,
		`q.cep:2:7: R101: event "a" is declared twice`,
	}
	var got []string
	for _, e := range errs {
		got = append(got, e.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
