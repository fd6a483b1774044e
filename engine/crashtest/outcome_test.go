package crashtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/cepheus-cep/cepheus/state"
)

// readAlerts reads what a sink's file holds, without repeats.
func readAlerts(path string) (first []string, repeats int, err error) {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return nil, 0, err
	}
	return distinct(strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"))
}

// digest shortens an alert to its beginning and a hash of it, for there may be millions.
func digest(line []byte) string {
	return fmt.Sprintf("%.110s #%016x", line, xxhash.Sum64(line))
}

// distinct removes repeats by id, as a receiver that keeps ids does; a repeat that says
// something else is a fault.
func distinct(lines []string) (first []string, repeats int, err error) {
	known := map[string]string{}
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, `{"id":"`)
		id, _, whole := strings.Cut(rest, `"`)
		if !ok || !whole || id == "" {
			return nil, 0, fmt.Errorf("an alert that makes no sense: %.300s", line)
		}
		switch was, ok := known[id]; {
		case !ok:
			known[id] = line
			first = append(first, line)
		case was != line:
			return nil, 0, fmt.Errorf("one id, two alerts:\n%.500s\n%.500s", was, line)
		default:
			repeats++
		}
	}
	return first, repeats, nil
}

// records returns what a state directory holds, as text by table and key, but for states of
// keys and their deadlines: what is over in them is dropped sooner or later, as epochs come;
// what is alive shows in the alerts of the events that follow. Marks of dedup that are about
// to be forgotten are left out likewise, and the numbers of silences.
func records(ctx context.Context, dir string) (map[string]string, error) {
	s, err := state.OpenBadger(dir, state.Options{NoSync: true, MemTable: 1 << 20})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	newest, err := newestMark(ctx, s)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for table := state.TableMeta; table <= state.TableSilences; table++ {
		err := s.Scan(ctx, table, nil, nil, func(k, v []byte) error {
			switch {
			case table == state.TableKeys, table == state.TableTimers, table == state.TableMeta && bytes.HasPrefix(k, []byte("keys.")):
				return nil
			case table == state.TableDedup && markTime(v) < newest-int64(20*time.Second):
				return nil
			case table == state.TableSilences:
				v = withoutLast(v)
			}
			all[fmt.Sprintf("%s %q", table, k)] = fmt.Sprintf("%q", v)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// newestMark is the time of the newest mark of dedup.
func newestMark(ctx context.Context, s *state.Badger) (newest int64, err error) {
	err = s.Scan(ctx, state.TableDedup, nil, nil, func(_, v []byte) error {
		newest = max(newest, markTime(v))
		return nil
	})
	return newest, err
}

func markTime(v []byte) int64 {
	t, _ := binary.Varint(v)
	return t
}

// withoutLast cuts the varint off that v ends with.
func withoutLast(v []byte) []byte {
	v = v[:len(v)-1]
	for len(v) > 0 && v[len(v)-1] >= 0x80 {
		v = v[:len(v)-1]
	}
	return v
}
