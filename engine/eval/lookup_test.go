package eval

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
)

// listFile makes a list of entries.
func listFile(name string, entries ...string) *plan.File {
	c := &plan.Contents{Columns: [][]string{entries}, Lines: make([]int32, len(entries))}
	return &plan.File{Name: name, Contents: c}
}

// tableFile makes a table of columns: name, cells.
func tableFile(name, key string, columns ...[]string) *plan.File {
	c := &plan.Contents{}
	for _, col := range columns {
		c.Header, c.Columns = append(c.Header, col[0]), append(c.Columns, col[1:])
	}
	c.Lines = make([]int32, len(c.Columns[0]))
	return &plan.File{Name: name, Key: key, Columns: c.ColumnTypes(), Contents: c}
}

// withFiles lets the rig's expressions see files.
func (r *rig) withFiles(files ...*plan.File) *rig {
	r.scope.Globals = &predicate.Globals{}
	for i, f := range files {
		named := &predicate.File{File: f, Number: i}
		if f.Key == "" {
			r.scope.Globals.Lists = append(r.scope.Globals.Lists, predicate.List{Name: f.Name, File: named})
		} else {
			r.scope.Globals.Tables = append(r.scope.Globals.Tables, predicate.Table{Name: f.Name, File: named})
		}
	}
	r.files = files
	return r
}

// lookups holds the files as they are asked for by what the rig has compiled.
func (r *rig) lookups(t testing.TB) []*Lookup {
	t.Helper()
	var out []*Lookup
	for _, f := range r.files {
		if err := f.Fit(f.Contents); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		out = append(out, NewLookup(f, f.Contents))
	}
	return out
}

func filesOfTests() []*plan.File {
	return []*plan.File{
		listFile("names", "Hello", "7", "7.5", "10.1.2.3"),
		listFile("nets", "10.0.0.0/8", "::1", "192.168.1.1", "2001:db8::/32"),
		listFile("mixed", "10.0.0.0/8", "evil.example", "Hello"),
		listFile("whole", "7", "-20", "0"), listFile("numbers", "7", "2.5", "-0.0", "1e3"), listFile("none"),
		tableFile("rows", "id", []string{"id", "Hello", "7", "bare"}, []string{"n", "5", "9", ""}, []string{"x", "1.5", "", "2"}, []string{"ok", "true", "false", ""}, []string{"s", "text", "", "001"}),
		tableFile("hosts", "addr", []string{"addr", "10.1.2.3", "2001:DB8::1"}, []string{"name", "a", "b"}),
		tableFile("prices", "at", []string{"at", "2.5", "7"}, []string{"name", "low", "high"}),
	}
}

func TestListsAndTablesFromFilesMean(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`s1 in names`, `bool true`},
		{`s2 in names`, `bool false`},
		{`"hello" in names`, `bool false`},
		{`s1 not in names`, `bool false`},
		{`s1 in none`, `bool false`},
		{`key in names`, `bool false`},
		{`a1 in nets`, `bool true`},
		{`a2 in nets`, `bool false`},
		{`"10.9.9.9" in nets`, `bool true`},
		{`"0::1" in nets`, `bool true`},
		{`"11.0.0.0" in nets`, `bool false`},
		{`"2001:db8:ffff::" in nets`, `bool true`},
		{`"::ffff:10.1.1.1" in nets`, `bool true`},
		{`"10.0.0.0/8" in nets`, `bool true`},
		{`"no address" in nets`, `bool false`},
		{`s1 in mixed`, `bool true`},
		{`"10.2.0.1" in mixed`, `bool true`},
		{`"10.1.2.3" in names`, `bool true`},
		{`"::ffff:10.1.2.3" in names`, `bool false`},
		{`i1 in whole`, `bool true`},
		{`i1 + 1 in whole`, `bool false`},
		{`-20 in whole`, `bool true`},
		{`i2 in whole`, `bool false`},
		{`x1 in numbers`, `bool true`},
		{`x2 in numbers`, `bool false`},
		{`x1 - x1 in numbers`, `bool true`},
		{`x1 * 400 in numbers`, `bool true`},
		{`float(i1) in numbers`, `bool true`},
		{`any1.n in whole`, `bool false`},
		{`any1.n + 4 in whole`, `bool true`},
		{`any1.n + 4 in names`, `bool true`},
		{`any1.f + 6 in names`, `bool true`},
		{`any1.z in names`, `bool false`},
		{`any1.l in names`, `bool false`},
		{`any1.f + 1 in numbers`, `bool true`},
		{`any1.s in mixed`, `bool false`},
		{`rows[s1].n`, `int 5`},
		{`rows[s1].x`, `float 1.5`},
		{`rows[s1].ok`, `bool true`},
		{`rows[s1].s`, `string "text"`},
		{`rows[s1].id`, `string "Hello"`},
		{`rows["bare"].n`, `nil null`},
		{`rows["bare"].ok`, `nil null`},
		{`rows["bare"].s`, `string "001"`},
		{`rows["7"].s`, `nil null`},
		{`rows["7"].x`, `nil null`},
		{`rows["nope"].n`, `nil null`},
		{`rows[s2].n`, `nil null`},
		{`rows[s1].n + 1`, `int 6`},
		{`rows[s1].x * 2 > 2.5`, `bool true`},
		{`rows["nope"].x > 0`, `bool false`},
		{`rows["nope"].n == nil`, `bool true`},
		{`not rows["7"].ok`, `bool true`},
		{`rows[s1].ok and rows[s1].s == "text"`, `bool true`},
		{`rows["nope"].n ?? 3`, `int 3`},
		{`"${rows[s1].n}/${rows["nope"].n}"`, `string "5/"`},
		{`-rows["7"].n`, `int -9`},
		{`len(rows[s1].s)`, `int 4`},
		{`rows[s1] == nil`, `bool false`},
		{`rows["nope"] == nil`, `bool true`},
		{`rows["nope"] != nil`, `bool false`},
		{`s1 in rows`, `bool true`},
		{`s2 in rows`, `bool false`},
		{`rows[s1]`, `record {"id":"Hello","n":5,"x":1.5,"ok":true,"s":"text"}`},
		{`rows["bare"]`, `record {"id":"bare","n":null,"x":2,"ok":null,"s":"001"}`},
		{`rows["nope"]`, `nil null`},
		{`(b2 ? rows["7"] : rows[s1]).n`, `int 5`},
		{`(rows["nope"] ?? rows["7"]).n`, `int 9`},
		{`rows[rows[s1].id].n`, `int 5`},
		{`hosts[a1].name`, `string "a"`},
		{`hosts[a2].name`, `nil null`},
		{`prices[x1].name`, `string "low"`},
		{`prices[x2].name`, `nil null`},
		{`any(["x", "Hello"], # in names)`, `bool true`},
		{`map(["Hello", "7"], rows[#].n)`, `list [5,9]`},
		{`one.s1 in names`, `bool false`},
		{`rows[one.s1].n`, `nil null`},
		{`rows[many[1].s1].n`, `nil null`},
	} {
		t.Run(c.text, func(t *testing.T) {
			r := newRig().withFiles(filesOfTests()...)
			e := r.mustCompile(t, c.text)
			f := r.frame(r.event(sample()))
			f.World.Files = r.lookups(t)
			if got := r.compiler().Value(e)(f); show(got) != c.want {
				t.Errorf("%s is %s, want %s", e, show(got), c.want)
			}
			if f.Fault.Count != 0 {
				t.Errorf("%d faults: %s", f.Fault.Count, f.Fault.Last)
			}
			if is := r.compiler().Bool(e)(f); is != (c.want == "bool true") && strings.HasPrefix(c.want, "bool") {
				t.Errorf("as a condition %v, want %s", is, c.want)
			}
		})
	}
}

// plainIn is membership of a list, entry by entry, in the words of the language: text
// equals text; a list with a block matches addresses.
func plainIn(entries []string, v event.Value) bool {
	hasBlock := false
	for _, s := range entries {
		_, err := netip.ParsePrefix(s)
		hasBlock = hasBlock || err == nil && strings.Contains(s, "/") && !netip.MustParsePrefix(s).IsSingleIP()
	}
	for _, s := range entries {
		x, err := strconv.ParseFloat(s, 64)
		switch {
		case v.Kind == event.Int:
			if err == nil && s == strconv.FormatInt(v.Int(), 10) {
				return true
			}
		case v.Kind == event.Float:
			if err == nil && x == v.Float() {
				return true
			}
		case v.Kind == event.String && s == v.S:
			return true
		case v.Kind == event.IP || hasBlock:
			a, err := netip.ParseAddr(v.S)
			if err != nil {
				continue
			}
			p, err := netip.ParsePrefix(s)
			if one, notOne := netip.ParseAddr(s); notOne == nil {
				p, err = netip.PrefixFrom(one.Unmap(), one.Unmap().BitLen()), nil
			}
			if err == nil && p.Contains(a.Unmap()) {
				return true
			}
		}
	}
	return false
}

// Membership agrees with going through the list, for values of every kind.
func TestMembershipAgreesWithGoingThroughTheList(t *testing.T) {
	entry := rapid.OneOf(
		rapid.StringMatching(`10\.[0-3]\.0\.[0-3]`), rapid.StringMatching(`10\.[0-3]\.0\.[0-3]/(8|1[4-6]|3[0-2])`),
		rapid.StringMatching(`(::[0-3])|(2001:db8::[0-3])|(2001:db8::[0-3]/(12[5-8]|32))|(::ffff:10\.0\.0\.[0-3])`),
		rapid.StringMatching(`-?[1-9]|0|[1-3]\.5`), rapid.StringMatching(`[ab]{1,2}`),
	)
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(entry, 0, 20).Draw(t, "entries")
		kind := rapid.SampledFrom([]event.Kind{event.String, event.IP, event.Int, event.Float, event.Any}).Draw(t, "kind")
		f := listFile("l", entries...)
		f.Ask(kind)
		if f.Fit(f.Contents) != nil {
			f.Asked = []event.Kind{event.Any} // holds what the kind cannot be compared with
			kind = event.Any
		}
		l := NewLookup(f, f.Contents)
		for range 20 {
			v := event.OfString(entry.Draw(t, "text"))
			switch rapid.IntRange(0, 2).Draw(t, "as") {
			case 0:
				v = event.OfInt(int64(rapid.IntRange(-3, 9).Draw(t, "int")))
			case 1:
				v = event.OfFloat(float64(rapid.IntRange(-6, 18).Draw(t, "halves")) / 2)
			}
			if kind != event.Any && v.Kind != kind {
				if kind != event.IP || v.Kind != event.String {
					continue
				}
				a, err := netip.ParseAddr(v.S)
				if err != nil {
					continue
				}
				v = event.Value{Kind: event.IP, S: a.Unmap().String()}
			}
			var row int32
			if kind == event.IP {
				row = l.byAddress(v.S)
			} else {
				row = l.byValue(v)
			}
			if want := plainIn(entries, v); (row != noRow) != want {
				t.Fatalf("%s in %q as %s: row %d, want %v", show(v), entries, kind, row, want)
			}
		}
	})
}

// randomBlocks are n blocks of both families, wide and narrow, some within others.
func randomBlocks(rnd *rand.Rand, n int) []string {
	var out []string
	for range n {
		if rnd.IntN(4) == 0 {
			var b [16]byte
			b[0], b[1], b[5], b[7] = 0x20, 1, byte(rnd.Uint32()), byte(rnd.Uint32())
			out = append(out, netip.PrefixFrom(netip.AddrFrom16(b), 36+rnd.IntN(93)).String())
			continue
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], rnd.Uint32())
		out = append(out, netip.PrefixFrom(netip.AddrFrom4(b), 14+rnd.IntN(19)).String())
	}
	return out
}

// A hundred thousand blocks agree with going through them, at their edges and between.
func TestManyBlocksAgreeWithGoingThroughThem(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 11))
	entries := randomBlocks(rnd, 100_000)
	f := listFile("l", entries...)
	f.Ask(event.IP)
	l := NewLookup(f, f.Contents)
	var all []netip.Prefix
	for _, s := range entries {
		all = append(all, netip.MustParsePrefix(s).Masked())
	}
	inside := 0
	for i := range 300 {
		p := all[rnd.IntN(len(all))]
		a := p.Addr()
		switch i % 3 {
		case 1:
			a = a.Prev()
		case 2:
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], rnd.Uint32())
			a = netip.AddrFrom4(b)
		}
		if !a.IsValid() {
			continue
		}
		want := false
		for _, p := range all {
			want = want || p.Contains(a)
		}
		if want {
			inside++
		}
		if got := l.byAddress(a.String()) != noRow; got != want {
			t.Fatalf("%s: got %v, want %v", a, got, want)
		}
	}
	if inside < 100 || inside > 290 {
		t.Errorf("%d of 300 addresses are in blocks: the test shows nothing", inside)
	}
}

// The row that is found is of the block that holds the address, though wider ones hold
// that block.
func TestABlockFoundHoldsTheAddress(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	entries := randomBlocks(rnd, 2_000)
	f := listFile("l", entries...)
	f.Ask(event.IP)
	l := NewLookup(f, f.Contents)
	for _, s := range entries {
		a := netip.MustParsePrefix(s).Addr()
		row := l.byAddress(a.String())
		if row == noRow || !netip.MustParsePrefix(entries[row]).Contains(a) {
			t.Fatalf("%s is found in row %d", a, row)
		}
	}
}

var fileShapes = []string{
	`s1 in names`, `s1 in mixed`, `one.s1 in mixed`, `"evil.host" in nets`, `a1 in nets`, `i1 in whole`, `x1 in numbers`, `any1 in names`, `rows[s1].n > 3`, `rows[s1].x > 1`, `rows[s1].s == "text"`, `rows[s1].ok`, `rows[s1] != nil`, `hosts[a1].name == "a"`, `s2 in names`, `rows[s2].n == nil`,
}

func TestLookUpsAllocateNothing(t *testing.T) {
	for _, text := range fileShapes {
		r := newRig().withFiles(filesOfTests()...)
		e := r.mustCompile(t, text)
		values := sample()
		values["any1"] = event.OfString("7")
		f := r.frame(r.event(values))
		f.World.Files = r.lookups(t)
		fn := r.compiler().Bool(e)
		fn(f)
		if n := testing.AllocsPerRun(100, func() { fn(f) }); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	keys := []string{"id"}
	numbers := []string{"n"}
	names := []string{"10.1.2.3"}
	for i := range 100_000 {
		keys, numbers, names = append(keys, fmt.Sprintf("m%06d", i)), append(numbers, strconv.Itoa(i)), append(names, fmt.Sprintf("c%06d", i))
	}
	keys, numbers = append(keys, "Hello"), append(numbers, "5")
	for _, text := range []string{`s1 in names`, `a1 in nets`, `rows[s1].n > 3`} {
		b.Run("rows=1e5/expr="+strings.ReplaceAll(text, " ", ""), func(b *testing.B) {
			r := newRig().withFiles(listFile("names", names...), listFile("nets", randomBlocks(rnd, 100_000)...), tableFile("rows", "id", keys, numbers))
			e := r.mustCompile(b, text)
			f := r.frame(r.event(sample()))
			f.World.Files = r.lookups(b)
			fn := r.compiler().Bool(e)
			b.ReportAllocs()
			for b.Loop() {
				fn(f)
			}
		})
	}
}
