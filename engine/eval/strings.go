package eval

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// parsedNumber reads decimal text as a number; what is none is nil.
func parsedNumber(s string, k event.Kind) event.Value {
	s = strings.TrimSpace(s)
	if k == event.Int {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return event.OfInt(n)
		}
		return event.Value{}
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		return event.OfFloat(x)
	}
	return event.Value{}
}

func trim(_ *Frame, a []event.Value) event.Value {
	if len(a) > 1 {
		return event.OfString(strings.Trim(a[0].S, a[1].S))
	}
	return event.OfString(strings.TrimSpace(a[0].S))
}

// split cuts a text at a separator, into at most a[2] parts where that is positive.
func split(_ *Frame, a []event.Value) event.Value {
	n := -1
	if len(a) > 2 && a[2].Int() > 0 {
		n = int(min(a[2].Int(), math.MaxInt32))
	}
	parts := strings.SplitN(a[0].S, a[1].S, n)
	c := &event.Compound{Elems: make([]event.Value, len(parts))}
	for i, p := range parts {
		c.Elems[i] = event.OfString(p)
	}
	return event.Value{Kind: event.List, C: c}
}

// replace puts a[2] in place of a[1], at most a[3] times where that is not negative.
func replace(f *Frame, a []event.Value) event.Value {
	n := -1
	if len(a) > 3 && a[3].Int() >= 0 {
		n = int(min(a[3].Int(), math.MaxInt32))
	}
	s, old, with := a[0].S, a[1].S, a[2].S
	hits := strings.Count(s, old)
	if n >= 0 {
		hits = min(hits, n)
	}
	if hits > 0 && len(with) > len(old) && (maxText-len(s))/hits < len(with)-len(old) {
		fits(f, maxText+1)
		return event.Value{}
	}
	return event.OfString(strings.Replace(s, old, with, n))
}

// entropy is Shannon's, in bits a character; of the empty text it is 0.
func entropy(s string) float64 {
	if s == "" {
		return 0
	}
	var counts [utf8.RuneSelf]int
	var others map[rune]int
	total := 0
	for _, r := range s {
		total++
		if r < utf8.RuneSelf {
			counts[r]++
			continue
		}
		if others == nil {
			others = map[rune]int{}
		}
		others[r]++
	}
	return entropyOf(counts[:], others, total)
}

// entropyOf adds up counts in order of size: floats added in a map's order would
// differ from run to run.
func entropyOf(counts []int, others map[rune]int, total int) float64 {
	for _, n := range others {
		counts = append(counts, n)
	}
	if others != nil {
		slices.Sort(counts)
	}
	var bits float64
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(total)
			bits -= p * math.Log2(p)
		}
	}
	return max(bits, 0)
}

// domain is the host that a URL, an e-mail address or a host with a port names, in
// lower case, without a final dot; nil where there is none.
func domain(_ *Frame, a []event.Value) event.Value {
	s := a[0].S
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		s = s[i+1:]
	}
	s = strings.ToLower(strings.TrimSuffix(hostOf(s), "."))
	if s == "" || strings.ContainsAny(s, " \t\r\n") {
		return event.Value{}
	}
	return event.OfString(s)
}

// hostOf drops a port, and the brackets of an IPv6 address.
func hostOf(s string) string {
	if strings.HasPrefix(s, "[") {
		host, _, ok := strings.Cut(s[1:], "]")
		if !ok {
			return ""
		}
		return host
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		return s[:i]
	}
	return s
}

// maxEdit bounds the length of texts whose distance is computed, in characters: the
// work grows with the product of the two.
const maxEdit = 1000

// levenshtein is the least number of insertions, deletions and replacements of
// characters that make one text of the other.
func levenshtein(f *Frame, a []event.Value) event.Value {
	s, t := []rune(a[0].S), []rune(a[1].S)
	if len(s) > maxEdit || len(t) > maxEdit {
		f.fault("levenshtein of more than 1000 characters")
		return event.Value{}
	}
	if !f.spend(1 + len(s)*len(t)/64) {
		return event.Value{}
	}
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range s {
		diagonal := row[0]
		row[0] = i + 1
		for j, q := range t {
			cost := diagonal
			if r != q {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return event.OfInt(int64(row[len(t)]))
}

// native compiles what runs outside: its error is a fault, and so are arguments or a
// joined text longer than a text may be, for what runs outside has no such bound.
func (u *unit) native(e *plan.Expr) valueFn {
	u.faults = true
	args, run, joins := u.values(e.Args), e.Native, e.Text == "join"
	return func(f *Frame) event.Value {
		vs := make([]event.Value, len(args))
		weight := 0
		for i, fn := range args {
			vs[i] = fn(f)
			weight += textWeight(vs[i], maxText-weight)
		}
		if joins && len(vs) > 1 {
			weight += max(0, len(vs[0].Elems())-1) * len(vs[1].S)
		}
		if !fits(f, weight) {
			return event.Value{}
		}
		v, err := run(vs)
		if err != nil {
			f.fault(err.Error())
			return event.Value{}
		}
		return v
	}
}
