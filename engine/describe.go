package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// metaSet is the name in TableMeta of the version of the rule set that ran last.
const metaSet = "set"

// Description says what a store holds, as far as can be told without its rules.
type Description struct {
	Epoch     uint64             `json:"epoch"`
	Set       string             `json:"rule_set"` // version of the set that ran last
	Watermark *int64             `json:"-"`        // the merged time, in nanoseconds since 1970; nil: no event yet
	Sources   []DescribedSource  `json:"sources"`
	Rules     []DescribedRule    `json:"rules"` // in the order of their names
	Tables    []DescribedRecords `json:"records"`
	Outbox    DescribedOutbox    `json:"outbox"`
}

// DescribedSource is where a partition stands.
type DescribedSource struct {
	Name      string `json:"name"`
	Offset    int64  `json:"offset"` // where reading goes on
	Watermark *int64 `json:"-"`      // its greatest event time, in nanoseconds since 1970
	Arrived   uint64 `json:"events"`
}

// DescribedRule is what a rule, or a projection ("table NAME"), remembers.
type DescribedRule struct {
	Name    string `json:"name"`
	Version string `json:"version"` // of what its states mean
	Keys    uint64 `json:"keys"`
	Bytes   uint64 `json:"bytes"` // keys and records, without what the store adds

	records string // its name in them
}

// DescribedRecords is what else is there, table by table.
type DescribedRecords struct {
	Table   string `json:"table"`
	Records uint64 `json:"records"`
	Bytes   uint64 `json:"bytes"`
}

// DescribedOutbox is what waits to be delivered.
type DescribedOutbox struct {
	Waiting   uint64            `json:"waiting"`
	Last      uint64            `json:"last"`      // row
	Delivered map[string]uint64 `json:"delivered"` // by sink: its last row
}

// Describe reads all of a store. It may be called while an engine runs with it: then it
// tells of the last complete epoch, or, of tables read later, of later ones.
func Describe(ctx context.Context, s Store) (*Description, error) {
	d := &Description{Epoch: s.Epoch(), Sources: []DescribedSource{}, Rules: []DescribedRule{}}
	d.Outbox.Delivered = map[string]uint64{}
	for _, describe := range []func(context.Context, Store) error{d.describeSources, d.describeMeta, d.describeRules, d.describeRest, d.describeOutbox} {
		if err := describe(ctx, s); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Description) describeSources(ctx context.Context, s Store) error {
	return s.Scan(ctx, state.TablePositions, nil, nil, func(key, value []byte) error {
		at, err := decodeStanding(key, value)
		if err != nil {
			return err
		}
		d.Sources = append(d.Sources, DescribedSource{Name: string(key), Offset: at.next, Watermark: known(at.greatest), Arrived: at.arrived})
		return nil
	})
}

// known is nil where no event has set a time yet.
func known(t int64) *int64 {
	if t == math.MinInt64 {
		return nil
	}
	return &t
}

func (d *Description) describeMeta(ctx context.Context, s Store) error {
	b, ok, err := s.Get(state.TableMeta, []byte(metaTime), nil)
	if err != nil {
		return err
	}
	if t, used := binary.Varint(b); ok && used > 0 {
		d.Watermark = known(t)
	}
	if b, _, err = s.Get(state.TableMeta, []byte(metaSet), nil); err != nil {
		return err
	}
	d.Set = string(b)
	return s.Scan(ctx, state.TableMeta, []byte(metaRule), nil, func(key, stored []byte) error {
		version, _, _ := cutVersion(string(stored))
		name := string(key[len(metaRule):])
		d.Rules = append(d.Rules, DescribedRule{Name: name, Version: version, records: recordName(name, generationOf(string(stored)))})
		return nil
	})
}

// describeRules counts the keys of the rules that are known.
func (d *Description) describeRules(ctx context.Context, s Store) error {
	for i := range d.Rules {
		r := &d.Rules[i]
		err := s.Scan(ctx, state.TableKeys, keyPrefix(nil, r.records), nil, func(key, value []byte) error {
			r.Keys++
			r.Bytes += uint64(len(key) + len(value))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Description) describeRest(ctx context.Context, s Store) error {
	for _, t := range []state.Table{state.TableTimers, state.TableDedup, state.TableIdle, state.TableWaiting, state.TableSilences, state.TableOutbox} {
		r := DescribedRecords{Table: t.String()}
		err := s.Scan(ctx, t, nil, nil, func(key, value []byte) error {
			r.Records++
			r.Bytes += uint64(len(key) + len(value))
			return nil
		})
		if err != nil {
			return err
		}
		d.Tables = append(d.Tables, r)
	}
	return nil
}

func (d *Description) describeOutbox(ctx context.Context, s Store) error {
	least := uint64(math.MaxUint64)
	err := s.Scan(ctx, state.TableDelivered, nil, nil, func(sink, value []byte) error {
		if len(value) != 8 {
			return fmt.Errorf("%w: delivered rows of sink %s", errState, sink)
		}
		n := binary.BigEndian.Uint64(value)
		d.Outbox.Delivered[string(sink)] = n
		least = min(least, n)
		return nil
	})
	if err != nil {
		return err
	}
	if len(d.Outbox.Delivered) == 0 {
		least = 0
	}
	return s.Scan(ctx, state.TableOutbox, nil, nil, func(key, _ []byte) error {
		d.Outbox.Last = binary.BigEndian.Uint64(key)
		if d.Outbox.Last > least {
			d.Outbox.Waiting++
		}
		return nil
	})
}

// Checker says what is wrong with a record of a store, beyond its checksum.
type Checker struct {
	codec *eventCodec // nil without rules
	rules map[string]*checkedRule
	x     *shard
	taken int // records in it
	total int // records decoded
}

// checkedRule is a rule whose records are decoded.
type checkedRule struct {
	compiled *compiled
	number   int
	kept     bool   // a run would go on with its records, so they are decoded
	records  string // its name in them
}

// NewChecker makes a checker. Without a set it looks at what does not depend on the rules.
// With one, what a run with it would take back is decoded.
func NewChecker(ctx context.Context, set *plan.Set, s Store) (*Checker, error) {
	c := &Checker{rules: map[string]*checkedRule{}}
	if set == nil {
		return c, nil
	}
	e, err := New(ctx, Options{Set: set, Store: positionless{s}, Outbox: nowhere{}, Shards: 1})
	if err != nil {
		return nil, err
	}
	c.codec, c.x = newEventCodec(set, e.shapes), e.shards[0]
	for n := range e.rules {
		c.rules[e.rules[n].rule.Name] = &checkedRule{compiled: &e.rules[n], number: n}
	}
	err = s.Scan(ctx, state.TableMeta, []byte(metaRule), nil, func(key, stored []byte) error {
		name := string(key[len(metaRule):])
		if r := c.rules[name]; r != nil {
			s := succession{name: name}
			s.compare(r.number, r.compiled, string(stored), "")
			r.kept = s.keeps()
			r.records = recordName(name, generationOf(string(stored)))
		}
		return nil
	})
	return c, err
}

// positionless is a store of which an engine takes back what records refer to alone, such
// as the partitions' names, and no records.
type positionless struct{ Store }

func (p positionless) Scan(ctx context.Context, t state.Table, prefix, from []byte, visit func(key, value []byte) error) error {
	if t != state.TableMeta || string(prefix) == metaRule {
		return nil
	}
	return p.Store.Scan(ctx, t, prefix, from, visit)
}

type nowhere struct{}

func (nowhere) Last() uint64                                { return 0 }
func (nowhere) Append(*state.Batch, []byte) uint64          { return 0 }
func (nowhere) Acknowledge(*state.Batch, map[string]uint64) {}

// Check says what is wrong with a record, nil where nothing is.
func (c *Checker) Check(t state.Table, key, value []byte) (err error) {
	defer func() {
		if r := recover(); r != nil { // records are damaged in ways that only their decoders know
			err = fmt.Errorf("%w: %v", errState, r)
		}
	}()
	switch t {
	case state.TableKeys:
		return c.checkKey(key, value)
	case state.TableTimers:
		return checkRow(key)
	case state.TablePositions:
		_, err = decodeStanding(key, value)
	case state.TableOutbox:
		if len(key) != 8 || !json.Valid(value) {
			err = fmt.Errorf("%w: an alert that is no JSON", errState)
		}
	case state.TableDelivered:
		if len(value) != 8 {
			err = fmt.Errorf("%w: row number of %d bytes", errState, len(value))
		}
	case state.TableIdle:
		_, err = decodeStep(value)
	case state.TableSilences:
		_, err = decodeSilence(value)
	case state.TableDedup:
		err = checkMark(key, value)
	case state.TableWaiting:
		if c.codec != nil {
			_, err = c.codec.ReadEvent(value, nil, 0)
		}
	}
	return err
}

func checkMark(key, value []byte) error {
	_, rest, ok := cutPrefix(key)
	if ok {
		_, _, ok = cutMarkKey(rest)
	}
	if _, used := binary.Varint(value); !ok || used <= 0 {
		return fmt.Errorf("%w: dedup mark", errState)
	}
	return nil
}

// cutPrefix is the inverse of keyPrefix.
func cutPrefix(key []byte) (name string, rest []byte, ok bool) {
	n, used := binary.Uvarint(key)
	if used <= 0 || n > uint64(len(key)-used) {
		return "", nil, false
	}
	return string(key[used : used+int(n)]), key[used+int(n):], true
}

// KeyOf takes the key of a record apart, for people: the rule whose record it is and the
// rule's key, or the partition, or nothing.
func KeyOf(t state.Table, key []byte) (name string, rest []byte) {
	if t == state.TableTimers && len(key) > rowHead {
		t, key = state.TableKeys, key[rowHead:]
	}
	switch t {
	case state.TableKeys, state.TableWaiting, state.TableDedup, state.TableSilences:
		name, rest, ok := cutPrefix(key)
		if ok && t == state.TableKeys && len(rest) > 0 {
			rest = rest[1:] // the slot
		}
		if ok {
			return ruleOf(name), rest
		}
	}
	return "", key
}

func (c *Checker) checkKey(key, value []byte) error {
	rule, rest, ok := cutPrefix(key)
	if !ok || len(rest) == 0 {
		return fmt.Errorf("%w: a key without a rule", errState)
	}
	key, value, err := cutKey(rest[1:], value)
	if err != nil {
		return fmt.Errorf("%w: a record without its key", errState)
	}
	if own := byte(event.KeyHash(key) % slots); rest[0] != own {
		return fmt.Errorf("%w: the key is in slot %d and belongs into %d", errState, rest[0], own)
	}
	if _, _, _, err := readCell(value); err != nil {
		return fmt.Errorf("%w: a record without its time", errState)
	}
	r := c.rules[ruleOf(rule)]
	if r == nil || !r.kept || r.records != rule {
		return nil // it would be dropped
	}
	return c.decode(r, key, value)
}

// checkedAtOnce is how many records are decoded in one shard, which keeps some of what
// they held.
const checkedAtOnce = 1024

// Decoded is how many records of keys have been decoded, which takes their rules.
func (c *Checker) Decoded() int { return c.total }

// decode decodes the record in the only shard, which is replaced now and then.
func (c *Checker) decode(r *checkedRule, key, value []byte) error {
	c.total++
	if c.taken++; c.taken > checkedAtOnce {
		sh := newShard(0, c.x.rules, len(c.x.timers), c.x.x.Frame.World, c.x.x.Limits)
		sh.x.Codec, sh.disk, sh.ctx = c.codec, c.x.disk, c.x.ctx
		c.x, c.taken = sh, 1
	}
	u, ok := c.x.unit(int32(r.number)).(interface {
		check(sh *shard, key, record []byte) error
	})
	if !ok {
		return fmt.Errorf("%w: a record of a filter, which has none", errState)
	}
	err := u.check(c.x, key, value)
	if err != nil && !errors.Is(err, errState) {
		err = fmt.Errorf("%w: %w", errState, err)
	}
	return err
}

// check decodes a record and keeps nothing of it.
func (u *keyed[K, M]) check(sh *shard, key, record []byte) error {
	_, _, rest, err := readCell(record)
	if err != nil {
		return err
	}
	var k K
	sh.x.Key = key
	sh.x.BeforeDecode()
	if err := u.machine.Decode(&sh.x, rest, &k); err != nil {
		return err
	}
	u.machine.Release(&sh.x, &k)
	return nil
}

// checkRow looks at a row of the diary.
func checkRow(row []byte) error {
	if len(row) > rowHead && (row[0] == exact || row[0] == someday) {
		if _, rest, ok := cutPrefix(row[rowHead:]); ok && len(rest) > 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: a row of the diary", errState)
}

// rowHead is part and time of a row of the diary.
const rowHead = 1 + 8
