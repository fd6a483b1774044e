package engine

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/cepheus-cep/cepheus/state"
)

// What a rule has left that is gone, or remembers something else now, is doomed: it is removed
// some records in each epoch, for there may be millions. Meanwhile a rule of that name does
// not see it: each time that a rule begins without the state that is there, its records go
// under the name of another generation. The store knows what is doomed until it is gone.

// generationMark comes between a rule's name, which has none, and its generation, in the
// names of records.
const generationMark = "\x00"

// metaDoomed is how records of TableMeta begin that say what is doomed: the name of a rule
// with its generation.
const metaDoomed = "drop."

// generationField begins the field of what the store knows of a rule that is its generation.
const generationField = "generation="

// recordName is the name of a rule in its records; of the first generation it is its own.
func recordName(rule string, generation int) string {
	if generation == 0 {
		return rule
	}
	return rule + generationMark + strconv.Itoa(generation)
}

// ruleOf is the rule that a name in records is of.
func ruleOf(name string) string {
	rule, _, _ := strings.Cut(name, generationMark)
	return rule
}

// recordName is the name of the rule in its records.
func (c *compiled) recordName() string { return recordName(c.rule.Name, c.generation) }

// stored is what the store is to know of the rule: see cutVersion and generationOf.
func (c *compiled) stored() string {
	text := c.rule.Version + " " + c.rule.Memory
	if c.generation > 0 {
		text += " " + generationField + strconv.Itoa(c.generation)
	}
	return text
}

// generationOf is the generation that the store knows of a rule.
func generationOf(stored string) int {
	_, n, ok := strings.Cut(stored, " "+generationField)
	if !ok {
		return 0
	}
	generation, _ := strconv.Atoi(n)
	return generation
}

// doomed are records of TableKeys, and their rows of the diary, that are being removed.
type doomed struct {
	name   string // in the records
	stored bool   // the store knows
	next   []byte // the record to go on with; nil: the first
	since  uint32 // the last epoch in which there were others
}

// doom sees to it that the records of a name are removed.
func (e *Engine) doom(name string) {
	if !e.isDoomed(name) {
		e.doomed = append(e.doomed, doomed{name: name, since: e.era - 1})
	}
}

func (e *Engine) isDoomed(name string) bool {
	return slices.ContainsFunc(e.doomed, func(d doomed) bool { return d.name == name })
}

// nameOfRow is the name in a row of the diary.
func nameOfRow(row []byte) string {
	name, _, _ := cutPrefix(row[rowHead:])
	return name
}

// restoreDoomed reads what is still to be removed.
func (e *Engine) restoreDoomed(ctx context.Context) error {
	return e.store.Scan(ctx, state.TableMeta, []byte(metaDoomed), nil, func(key, _ []byte) error {
		e.doomed = append(e.doomed, doomed{name: string(key[len(metaDoomed):]), stored: true})
		return nil
	})
}

// beginGeneration gives a rule the first generation, from one on, of which no records are
// there.
func (e *Engine) beginGeneration(n, from int) {
	for e.isDoomed(recordName(e.rules[n].rule.Name, from)) {
		from++
	}
	e.setGeneration(n, from)
}

func (e *Engine) setGeneration(n, generation int) {
	c := &e.rules[n]
	delete(e.diary.byName, c.recordName())
	c.generation = generation
	e.diary.byName[c.recordName()] = int32(n)
}

// putDoomed adds to the batch what the store is to know of what is doomed.
func (e *Engine) putDoomed() {
	for i := range e.doomed {
		if d := &e.doomed[i]; !d.stored {
			e.commits.batch().Put(state.TableMeta, []byte(metaDoomed+d.name), nil)
			d.stored = true
		}
	}
}

// dropSome adds to the batch the removal of some of what is doomed: of about half as many
// keys as an epoch may change.
func (e *Engine) dropSome(ctx context.Context) error {
	left := max(1, e.o.EpochKeys/2)
	for left > 0 && len(e.doomed) > 0 {
		d := &e.doomed[0]
		if d.since > e.safe {
			return nil // the store does not show all of them yet
		}
		n, whole, err := e.dropRecords(ctx, d, left)
		if err != nil || !whole {
			return err
		}
		if d.stored {
			e.commits.batch().Delete(state.TableMeta, []byte(metaDoomed+d.name))
		}
		e.doomed = e.doomed[1:]
		left -= n
	}
	return nil
}

// dropRecords removes records of a name, at most a number; whole reports whether they were
// the last.
func (e *Engine) dropRecords(ctx context.Context, d *doomed, most int) (n int, whole bool, err error) {
	whole = true
	b := e.commits.batch()
	err = e.store.Scan(ctx, state.TableKeys, keyPrefix(nil, d.name), d.next, func(key, value []byte) error {
		if n == most {
			d.next, whole = bytes.Clone(key), false
			return state.ErrStop
		}
		n++
		b.Delete(state.TableKeys, key)
		_, stored, _ := cutPrefix(key)
		_, cell, _ := cutKey(stored[min(1, len(stored)):], value)
		if _, f, _, err := readCell(cell); err == nil && f.part != unfiled {
			b.Delete(state.TableTimers, e.shards[0].diaryKey(f, key))
		}
		return nil
	})
	return n, whole, err
}
