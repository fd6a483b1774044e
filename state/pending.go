package state

import (
	"bytes"
	"slices"
	"sort"

	"github.com/cepheus-cep/cepheus/state/journal"
)

// pending is what the journal holds of some epochs in a row and the tree does not. Of
// tables with many records it knows where in the journal the last write of each key is;
// of the others it holds the last writes themselves.
type pending struct {
	index journal.Index
	in    [256]bool // indexed tables with a write
	// listed are the places of all writes of the tables that isListed, by table.
	listed [256][]journal.Place
	small  tables
	bytes  int64 // of all writes, also of those that later ones have replaced
	kept   int64 // of those of small tables, but for what has been replaced
	ops    int64

	// fresh is a full key of the outbox: rows behind it are in no older layer and not in the
	// tree, so that of one which is removed nothing is left to be done. Nil: not known.
	fresh []byte
}

// tables are rows by table, in the order of their keys; they are changed by copying.
type tables [256][]row

// row is a write under a full key; stored is nil where it was deleted.
type row struct{ key, stored []byte }

// size is the memory that a row takes, in bytes, with its place in a table.
func (r *row) size() int64 { return int64(len(r.key)+len(r.stored)) + rowBytes }

const rowBytes = 48

// indexed says whether a table may have many records and is hardly ever scanned but at a
// start, for a scan of it reads from the journal what is pending, or takes it over first.
// (The engine reads the timers that are due all the time, a few of them each: these are kept
// in memory.)
func indexed(t Table) bool {
	switch t {
	case TableKeys, TableDedup, TableWaiting, TableSilences:
		return true
	}
	return int(t) >= len(tableNames)
}

// isListed says of an indexed table that the places of its writes are known apart from those
// of other tables. Keys are not: nearly all places are theirs.
func isListed(t Table) bool { return t != TableKeys }

// above says whether more is pending than n times the bounds.
func (p *pending) above(o *Options, n int64) bool {
	return p.bytes > n*o.Pending || int64(p.index.Len()) > n*o.keysBound() || p.kept > n*o.rowsBound()
}

// latestBytes estimates the size of the last write of each key.
func (p *pending) latestBytes() int64 {
	n := int64(p.index.Len())
	for _, rows := range p.small {
		n += int64(len(rows))
	}
	if p.ops == 0 {
		return 0
	}
	return p.bytes / p.ops * n
}

// add takes in the writes of an epoch, of which withSmall has returned small; places and
// hashes are by their number.
func (p *pending) add(b *Batch, places []journal.Place, hashes []journal.Hash, small *grown) {
	p.bytes += int64(b.Bytes())
	p.ops += int64(b.Len())
	for i := range b.ops {
		if key := b.fullKey(&b.ops[i]); indexed(Table(key[0])) {
			p.enter(key, hashes[i], places[i])
		}
	}
	p.keep(small)
}

// keep takes in those of the writes that are held in memory.
func (p *pending) keep(small *grown) {
	p.small, p.kept = small.all, p.kept+small.grown
}

// grown is the tables that are held in memory with the writes of a batch in them, and how
// many bytes they have grown by.
type grown struct {
	all   tables
	grown int64
}

// count counts a write.
func (p *pending) count(o journal.Op) {
	p.bytes += int64(len(o.Key) + len(o.Stored))
	p.ops++
}

// enter notes the place of a write.
func (p *pending) enter(key []byte, h journal.Hash, at journal.Place) {
	p.in[key[0]] = true
	if isListed(Table(key[0])) {
		p.listed[key[0]] = append(p.listed[key[0]], at)
	}
	p.index.Set(h, at)
}

// withSmall returns the tables that are held in memory with the writes of b in them. It
// changes nothing that a reader sees, and is called once for each b.
func (p *pending) withSmall(b *Batch) *grown {
	with, fresh := &grown{all: p.small}, map[Table][]*op{}
	for i := range b.ops {
		if t := b.table(&b.ops[i]); !indexed(t) {
			fresh[t] = append(fresh[t], &b.ops[i])
		}
	}
	for t, ops := range fresh {
		ops = b.sorted(ops)
		rows, size := copyRows(b, ops)
		merged, gone := merge(with.all[t], rows, p.isSpent)
		with.all[t], with.grown = merged, with.grown+size-gone
	}
	return with
}

// sorted returns writes in the order of their keys, and may change ops.
func (b *Batch) sorted(ops []*op) []*op {
	order := func(x, y *op) int { return bytes.Compare(b.fullKey(x), b.fullKey(y)) }
	turn := 1 // the outbox's are two runs: new rows, and behind them those removed, which are older
	for turn < len(ops) && order(ops[turn-1], ops[turn]) <= 0 {
		turn++
	}
	if turn < len(ops) {
		ops = append(ops[turn:len(ops):len(ops)], ops[:turn]...)
		if !slices.IsSortedFunc(ops, order) {
			slices.SortFunc(ops, order)
		}
	}
	return ops
}

// isSpent says of a row that it need not be kept: it removes what only this layer has.
func (p *pending) isSpent(r *row) bool {
	return r.stored == nil && p.fresh != nil && Table(r.key[0]) == TableOutbox && bytes.Compare(r.key, p.fresh) > 0
}

// next returns the layer that follows on p.
func (p *pending) next() *pending {
	n := &pending{fresh: p.fresh}
	if rows := p.small[TableOutbox]; p.fresh != nil && len(rows) > 0 {
		n.fresh = maxKey(p.fresh, rows[len(rows)-1].key)
	}
	return n
}

func maxKey(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}

// copyRows copies writes out of a batch.
func copyRows(b *Batch, ops []*op) (rows []row, size int64) {
	rows = make([]row, 0, len(ops))
	for _, o := range ops {
		size += int64(o.size)
	}
	left := size
	var block []byte // of several rows: it lives as long as the last of them
	for _, o := range ops {
		if cap(block)-len(block) < o.size {
			block = make([]byte, 0, o.size+int(min(left, rowBlock)))
		}
		left -= int64(o.size)
		at, mid := len(block), len(block)+o.keyLen
		block = append(block, b.record(o)...)
		r := row{key: block[at:mid:mid]}
		if !o.deleted {
			r.stored = block[mid:len(block):len(block)]
		}
		rows = append(rows, r)
	}
	return rows, size + int64(len(rows))*rowBytes
}

// merge returns rows with fresh ones over them, without those that are spent, and the size
// of what is gone of both; rows stays as it is for those who read it. Where all fresh ones
// belong behind, they are written behind the end of rows, where no reader looks: there is
// one writer, and rows are used by it once.
func merge(rows, fresh []row, spent func(*row) bool) (merged []row, gone int64) {
	if len(rows) == 0 || bytes.Compare(rows[len(rows)-1].key, fresh[0].key) < 0 {
		merged, rows = rows, nil
	} else {
		merged = make([]row, 0, len(rows)+len(fresh))
	}
	for i := range fresh {
		r := &fresh[i]
		n := gallop(rows, r.key)
		merged, rows = append(merged, rows[:n]...), rows[n:]
		if len(rows) > 0 && bytes.Equal(rows[0].key, r.key) {
			gone += rows[0].size()
			rows = rows[1:]
		}
		if spent(r) {
			gone += r.size()
			continue
		}
		merged = append(merged, *r)
	}
	return append(merged, rows...), gone
}

// gallop is seekRow where the place is likely to be near.
func gallop(rows []row, full []byte) int {
	step := 1
	for step <= len(rows) && bytes.Compare(rows[step-1].key, full) < 0 {
		step *= 2
	}
	low := step / 2
	return low + seekRow(rows[low:min(step, len(rows))], full)
}

// get returns what was last written under a full key of a table held in memory.
func (p *pending) get(full []byte) (stored []byte, ok bool) {
	rows := p.small[full[0]]
	i := seekRow(rows, full)
	if i == len(rows) || !bytes.Equal(rows[i].key, full) {
		return nil, false
	}
	return rows[i].stored, true
}

func seekRow(rows []row, full []byte) int {
	return sort.Search(len(rows), func(i int) bool { return bytes.Compare(rows[i].key, full) >= 0 })
}
