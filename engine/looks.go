package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// ErrNoRule says that no rule, or table, of that name runs.
var ErrNoRule = errors.New("engine: it does not run")

// KeyError says that what was asked for is no key of the rule.
type KeyError struct{ Text string }

// Error says what is wrong with it.
func (e *KeyError) Error() string { return e.Text }

// What is shown of a key at most: a look must not hold the engine up.
const (
	shownRuns  = 100
	shownBytes = 1 << 20
	// looksAtOnce is how many questions wait for the coordinator; who has another one waits.
	looksAtOnce = 16
)

// question is what somebody wants to see of a key, and the answer.
type question struct {
	rule string
	key  []string
	ctx  context.Context //nolint:containedctx // nobody is answered who has gone
	done chan struct{}
	view *KeyView
	err  error
}

// Explain tells what a rule of the running engine remembers of a key, as of the last round:
// of one that is remembered no more, or never was, that nothing is known. The parts of the
// key are as alerts write them, in order, or each as NAME=VALUE. The coordinator looks
// between two rounds, so that nothing changes meanwhile, and the engine is held up no longer
// than it takes to copy what is shown; in rules over windows that is in proportion to what they
// hold. Errors are ErrNoRule, a [*KeyError], ErrEnded, that of ctx, and those of the store. It
// may be called from any goroutine but those that the engine calls back in.
func (e *Engine) Explain(ctx context.Context, rule string, key []string) (*KeyView, error) {
	return e.ask(ctx, &question{rule: rule, key: key, ctx: ctx, done: make(chan struct{})})
}

// Row tells what a table of the running engine holds of a key: see [Engine.Explain].
func (e *Engine) Row(ctx context.Context, table string, key []string) (*KeyView, error) {
	return e.Explain(ctx, tableRule(table), key)
}

// tableRule is the name of the rule that stands for a projection.
func tableRule(name string) string { return TablePrefix + name }

// TablePrefix is what a table's name follows where it stands among those of rules.
const TablePrefix = "table "

func (e *Engine) ask(ctx context.Context, q *question) (*KeyView, error) {
	select {
	case e.questions <- q:
		e.clock.ring()
	case <-e.over:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-q.done:
		return q.view, q.err
	case <-e.over:
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer answers one question, if there is one. The shards rest. Several may have rung the bell
// once: it is rung for those that are left.
func (e *Engine) answer() {
	if len(e.questions) == 0 {
		return
	}
	q := <-e.questions
	if len(e.questions) > 0 {
		e.clock.ring()
	}
	if q.ctx.Err() == nil {
		q.view, q.err = e.Look(q.rule, q.key)
	}
	close(q.done)
}

// Look is Explain for who is called back by the engine where [Engine.Remembered] may be, or
// where Run does not run.
func (e *Engine) Look(rule string, key []string) (*KeyView, error) {
	n := slices.IndexFunc(e.rules, func(c compiled) bool { return c.rule.Name == rule })
	if n < 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoRule, rule)
	}
	values, err := keyOf(e.rules[n].rule, key)
	if err != nil {
		return nil, err
	}
	encoded := []byte{}
	for _, v := range values {
		encoded = event.AppendKey(encoded, v)
	}
	l := &machine.Look{Now: e.epoch.worked, Most: shownRuns, Bytes: shownBytes}
	if err := e.look(n, encoded, l); err != nil {
		return nil, err
	}
	v := newKeyView(&e.rules[n], values, l)
	v.silence(e.silences[n], encoded, &e.rules[n], l.Now)
	v.set = e.o.Set
	return v, nil
}

// look looks at a key of a rule, in memory or in the store.
func (e *Engine) look(n int, key []byte, l *machine.Look) (err error) {
	defer func() {
		if r := recover(); r != nil { // a damaged record, perhaps: it is not to end the run
			err = fmt.Errorf("%w: rule %s, key %s: %v", errState, e.rules[n].rule.Name, keyInError(key), r)
		}
	}()
	hash := event.KeyHash(key)
	sh := e.shards[shardOf(hash, len(e.shards))]
	if u := sh.units[n]; u != nil {
		return u.look(sh, hash, key, l)
	}
	return nil
}

func (u *filterUnit) look(*shard, uint64, []byte, *machine.Look) error { return nil }

// look shows a key. One that is cold stays so: it is decoded, shown, and let go of.
func (u *keyed[K, M]) look(sh *shard, hash uint64, key []byte, l *machine.Look) error {
	sh.x.Key = key
	if id, k := u.table.find(hash, key); id >= 0 {
		u.machine.Look(&sh.x, &k.value.state, l)
		return nil
	}
	if u.disk == nil || u.disk.cold == 0 {
		return nil
	}
	if _, gone := u.disk.gone[string(key)]; gone {
		return nil
	}
	name := sh.recordKey(u.disk.prefix, byte(hash%slots), key)
	record, ok, err := sh.disk.Get(state.TableKeys, name, nil)
	if err != nil || !ok {
		return err
	}
	if _, record, err = cutKey(name[len(u.disk.prefix)+1:], record); err != nil {
		return u.damaged(sh, key, err)
	}
	if err := u.lookInto(sh, record, l); err != nil {
		return u.damaged(sh, key, err)
	}
	return nil
}

// lookInto shows what a record says of the key at hand.
func (u *keyed[K, M]) lookInto(sh *shard, record []byte, l *machine.Look) error {
	seen, _, rest, err := readCell(record)
	if err != nil {
		return err
	}
	var k K
	sh.x.BeforeDecode()
	sh.x.Since = seen
	if err := u.machine.Decode(&sh.x, rest, &k); err != nil {
		return err
	}
	u.machine.Look(&sh.x, &k, l)
	u.machine.Release(&sh.x, &k)
	return nil
}

// keyOf reads the parts of a rule's key.
func keyOf(rule *plan.Rule, texts []string) ([]event.Value, error) {
	if len(texts) != len(rule.Keys) {
		return nil, wrongKey(rule, "%d parts of a key were given", len(texts))
	}
	texts = partsInOrder(rule, texts)
	out := make([]event.Value, len(texts))
	for i, k := range rule.Keys {
		if out[i] = keyPart(texts[i], &k.Type); out[i].IsNil() {
			return nil, wrongKey(rule, "%q is no %s", shortened(texts[i]), k.Type.Kind)
		}
	}
	return out, nil
}

// wrongKey says what is wrong with a key, and what the rule's is.
func wrongKey(rule *plan.Rule, what string, args ...any) error {
	var names []string
	for _, k := range rule.Keys {
		names = append(names, strings.TrimSpace(k.Name+" "+k.Type.Kind.String()))
	}
	is := "no parts: all events have one key"
	if len(names) > 0 {
		is = strings.Join(names, ", ")
	}
	return &KeyError{fmt.Sprintf(what, args...) + "; the key of " + rule.Name + " is " + is}
}

// shortened bounds what an error repeats.
func shortened(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}

// partsInOrder puts parts that are all given as NAME=VALUE into the order of the key's.
func partsInOrder(rule *plan.Rule, texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, k := range rule.Keys {
		i := slices.IndexFunc(texts, func(t string) bool { return k.Name != "" && strings.HasPrefix(t, k.Name+"=") })
		if i < 0 {
			return texts
		}
		out = append(out, texts[i][len(k.Name)+1:])
	}
	return out
}

// keyPart reads a part of a key; nil: it is none of that type.
func keyPart(text string, typ *event.Type) event.Value {
	if typ.Kind == event.String {
		return event.OfString(text)
	}
	if v := event.ParseAs([]byte(text), typ); !v.IsNil() {
		return v
	}
	quoted, _ := json.Marshal(text)
	return event.ParseAs(quoted, typ)
}
