package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/event"
)

const (
	records = 20_000 // of the file, as much as stays in a cache
	slice   = 1_000  // records that are timed together
	slices  = 2_000
)

// input is records, one behind the other, as a source hands them on.
type input struct{ batch event.Batch }

func (in *input) record(i int) []byte {
	r := &in.batch.Records[i]
	return in.batch.Text[r.Start:r.End:r.End]
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: decoders FILE")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	lines := bytes.SplitN(text, []byte("\n"), records+1)
	if len(lines) <= records {
		return fmt.Errorf("%s has fewer than %d records", args[0], records)
	}
	alike, shuffled := &input{}, &input{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, line := range lines[:records] {
		alike.batch.Add(0, int64(i), 0, line)
		shuffled.batch.Add(0, int64(i), 0, shuffle(line, rnd))
	}
	runtime.GOMAXPROCS(1)
	fmt.Printf("| %s, %d records | ns a record | members shuffled | allocations | damage it does not see |\n| --- | --- | --- | --- | --- |\n", runtime.Version(), records)
	for _, c := range contenders() {
		if err := row(c, alike, shuffled); err != nil {
			fmt.Printf("| %s | %v | | | |\n", c.name, err)
		}
	}
	return nil
}

// shuffle puts the members of a flat object without commas in its strings into another order.
func shuffle(line []byte, rnd *rand.Rand) []byte {
	members := bytes.Split(line[1:len(line)-1], []byte(","))
	rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return fmt.Appendf(nil, "{%s}", bytes.Join(members, []byte(",")))
}

func row(c contender, alike, shuffled *input) error {
	one, allocs, sum, err := measure(c, alike)
	if err != nil {
		return err
	}
	other, _, otherSum, err := measure(c, shuffled)
	if err != nil {
		return err
	}
	if sum != wanted(alike) || otherSum != sum {
		return errors.New("has read other values")
	}
	fmt.Printf("| %s | %.0f | %.0f | %.0f | %s |\n", c.name, one, other, allocs, c.blind())
	return nil
}

// damages are what can be wrong with a record, each as a last member.
var damages = []struct{ name, member string }{
	{"UTF-8", "\"x\":\"\xff\""}, {"control characters", "\"x\":\"\x01\""}, {"escapes", `"x":"\q"`}, {"numbers", `"x":01`}, {"literals", `"x":[trux]`}, {"commas", `"x":[1 2]`}, {"text behind", `"x":1}}`},
}

// blind lists the damages that a contender takes for a good record, known ones before them.
func (c *contender) blind() string {
	const good = `{"type":"payment","ts":1700000000123,"card":"c000123","amount":512.34,"country":"DE","merchant":"m042"`
	var names []string
	for _, damage := range damages {
		in := &input{}
		for range 5 {
			in.batch.Add(0, 0, 0, []byte(good+`,"x":"x"}`))
		}
		in.batch.Add(0, 0, 0, []byte(good+","+damage.member+"}"))
		read := c.make(in)
		var err error
		for i := range in.batch.Records {
			err = read(i, &payment{})
		}
		if err == nil {
			names = append(names, damage.name)
		}
	}
	if names == nil {
		return "none"
	}
	return strings.Join(names, ", ")
}

// measure returns what a record costs in the fastest slice, how often one allocates, and a
// sum of all that was read.
func measure(c contender, in *input) (ns, allocs, sum float64, err error) {
	read, p := c.make(in), payment{}
	for i := range records {
		p = payment{}
		if err := read(i, &p); err != nil {
			return 0, 0, 0, err
		}
		sum += p.sum()
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	least := time.Duration(math.MaxInt64)
	for k := range slices {
		at := k * slice % records
		start := time.Now()
		for i := at; i < at+slice; i++ {
			if err := read(i, &p); err != nil {
				return 0, 0, 0, err
			}
		}
		least = min(least, time.Since(start))
	}
	runtime.ReadMemStats(&after)
	return float64(least.Nanoseconds()) / slice, float64(after.Mallocs-before.Mallocs) / slices / slice, sum, nil
}

func (p *payment) sum() float64 {
	s := float64(p.TS) + p.Amount
	for _, text := range []string{p.Type, p.Card, p.Country, p.Merchant} {
		for i, c := range []byte(text) {
			s += float64(c) * float64(i+1)
		}
	}
	return s
}

// wanted is the sum as encoding/json has it.
func wanted(in *input) (sum float64) {
	read := std()
	for i := range in.batch.Records {
		var p payment
		if read(in.record(i), &p) == nil {
			sum += p.sum()
		}
	}
	return sum
}
