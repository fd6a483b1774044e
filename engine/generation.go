package engine

import (
	"reflect"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// generation is what an engine runs, and what workers decode and route by, between two
// changes of its rule set or its inputs. But for what its world says of files it does not
// change. Workers take the current one for each batch: what they have done by an older one
// is done again when its turn comes (see worker.again).
type generation struct {
	set    *plan.Set
	rules  []compiled
	strata int
	world  *eval.World
	index  *index.Index
	routed *routed // nil: the set has no files

	inputs []Input
	bases  []int32 // by input: global number of its partition
	parts  []event.Partition
	shards int
	direct bool // events go to the shards in stretches: see Engine.isDirect
}

// newGeneration compiles a set. What was compiled for the set before, if it is compiled
// for the same numbers of types, slots, files and reads, serves again.
func newGeneration(set *plan.Set, before *generation, watched bool) (*generation, error) {
	g := &generation{set: set, strata: 1, world: &eval.World{Types: set.Types}}
	reuse := reusable(set, before)
	tests := make([]index.Rule, 0, len(set.Rules)+len(set.Projections))
	for _, rule := range set.Rules {
		c, ok := reuse[ruleID{rule.Name, rule.Version}]
		if !ok {
			var err error
			if c, err = compile(rule, set.Types); err == nil && watched {
				err = c.watch(set.Types)
			}
			if err != nil {
				return nil, err
			}
		}
		c.rule = rule
		tests = append(tests, g.add(c))
	}
	for n := range set.Projections {
		c, err := compileTable(set, n)
		if err != nil {
			return nil, err
		}
		tests = append(tests, g.add(c))
	}
	g.index = index.New(set.Types, tests)
	for _, f := range set.Files {
		g.world.Files = append(g.world.Files, eval.NewLookup(f, f.Contents))
	}
	if len(set.Files) > 0 {
		g.routed = &routed{}
	}
	return g, nil
}

// add gives a rule its number, and returns what the index must know of it.
func (g *generation) add(c compiled) index.Rule {
	g.rules = append(g.rules, c)
	g.strata = max(g.strata, c.rule.Stratum+1)
	if c.rule.Mode == plan.Off {
		return index.Rule{}
	}
	return c.tests()
}

// ruleID names the meaning of a rule.
type ruleID struct{ name, version string }

// reusable are the compiled rules of a generation that serve a set as they are.
func reusable(set *plan.Set, before *generation) map[ruleID]compiled {
	if before == nil || !isAligned(before.set, set) {
		return nil
	}
	all := make(map[ruleID]compiled, len(before.rules))
	for _, c := range before.rules {
		if c.table == nil {
			all[ruleID{c.rule.Name, c.rule.Version}] = c
		}
	}
	return all
}

// isAligned reports whether all that expressions name by its number has the same one in
// two sets.
func isAligned(a, b *plan.Set) bool {
	return !slices.ContainsFunc(moves(a, b), func(m move) bool { return m.again }) && sameTypes(a, b) &&
		slices.EqualFunc(a.Files, b.Files, sameFile) && slices.EqualFunc(a.Reads, b.Reads, sameReads)
}

// sameTypes reports whether two sets have the same types in the same order, whatever is
// decoded of them.
func sameTypes(a, b *plan.Set) bool {
	return slices.EqualFunc(a.Types, b.Types, func(s, t *plan.Type) bool { return s.Schema.Name == t.Schema.Name })
}

func sameFile(a, b *plan.File) bool {
	return a.Name == b.Name && a.At == b.At && a.Key == b.Key && slices.Equal(a.Asked, b.Asked) && reflect.DeepEqual(a.Columns, b.Columns)
}

func sameReads(a, b []plan.Read) bool {
	return slices.EqualFunc(a, b, func(r, s plan.Read) bool {
		return r.Projection == s.Projection && string(r.Key.Append(nil)) == string(s.Key.Append(nil))
	})
}

// move is what becomes of the events of a type in another set.
type move struct {
	to    int32 // its number there; -1: the type is declared no more
	again bool  // other fields are decoded, or as something else
}

// moves says for each type of a set what becomes of its events in another.
func moves(from, to *plan.Set) []move {
	byName := make(map[string]int32, len(to.Types))
	for i, t := range to.Types {
		byName[t.Schema.Name] = int32(i)
	}
	all := make([]move, len(from.Types))
	for i, t := range from.Types {
		n, ok := byName[t.Schema.Name]
		if !ok {
			all[i] = move{to: -1}
			continue
		}
		all[i] = move{to: n, again: !decodesAs(t, to.Types[n])}
	}
	return all
}

// decodesAs reports whether an event of one type is, slot by slot, as it is in the other.
func decodesAs(a, b *plan.Type) bool {
	return slices.Equal(a.Layout.Keyed, b.Layout.Keyed) && reflect.DeepEqual(a.Layout.Slots, b.Layout.Slots) &&
		reflect.DeepEqual(a.Schema.Fields, b.Schema.Fields) && a.Schema.TimeField == b.Schema.TimeField &&
		a.Schema.TimeUnit == b.Schema.TimeUnit && a.Schema.IDField == b.Schema.IDField
}

// newRouter makes a router that sorts items by shard where the lane is direct.
func (g *generation) newRouter() *index.Router {
	spread := index.Spread{}
	if shards := g.shards; g.direct {
		spread = index.Spread{Lists: shards, Of: func(_ int32, hash uint64) int { return shardOf(hash, shards) }}
	}
	return g.index.NewRouter(g.world, spread)
}

// newDecoder makes the decoder of an input.
func (g *generation) newDecoder(input int) *event.Decoder {
	layouts := make([]*event.Layout, len(g.set.Types))
	for i, t := range g.set.Types {
		layouts[i] = &t.Layout
	}
	return event.NewDecoder(layouts, g.inputs[input].Decode)
}
