package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cepheus-cep/cepheus"

// A room and everything below it may import the rooms of its line, rooms below
// itself, the standard library and its own libraries. The longest line wins:
// lang/plan is under its own law, not under that of lang. A name ending in /...
// stands for a room with all below it.
var roomLaw = map[string][]string{
	"event":             {},
	"windows":           {"event"},
	"lang":              {"lang/...", "windows", "event"},
	"lang/source":       {},
	"lang/plan":         {"lang/source", "windows", "event"},
	"lang/syntax":       {"lang/source", "windows", "event"},
	"lang/predicate":    {"lang/syntax", "lang/source", "lang/plan", "windows", "event"},
	"lang/check":        {"lang/syntax", "lang/predicate", "lang/source", "lang/plan", "windows", "event"},
	"lang/format":       {"lang/syntax", "lang/source"},
	"engine":            {"engine/...", "lang/plan", "windows", "state", "event"},
	"state":             {"state/...", "event"},
	"state/journal":     {},
	"state/seal":        {},
	"redact":            {"lang/plan", "windows", "event"},
	"engine/enginetest": {"engine/...", "lang/...", "windows", "state", "event"},
	"sources":           {"event"},
	"sources/kafka":     {"internal/wire", "event"},
	"sinks":             {"sinks", "event"},
	"sinks/sinktest":    {"sinks"},
	"sinks/kafka":       {"internal/wire", "sinks", "event"},
	"rules":             {"lang", "lang/source", "lang/plan", "event"},
	"rules/lookup":      {"lang/plan", "event"},
	"rules/story":       {"engine/...", "lang/plan", "event"},
	"rules/trial":       {"engine/...", "state", "lang/plan", "event"},
	"rules/backtest":    {"event"},
	"rules/infer":       {"event"},
	"rules/packs":       {},
	"rules/tester":      {"rules/story", "rules/trial", "engine/...", "lang", "lang/source", "lang/plan", "event"},
	"rules/service":     {"rules/lookup", "rules/trial", "engine", "state", "lang", "lang/source", "lang/plan", "event"},
	"rules/ruletest":    {"rules", "rules/lookup", "engine/...", "state", "lang", "lang/source", "lang/plan", "event"},
	"api":               {"rules/service", "rules/trial", "redact", "engine", "lang", "lang/plan", "lang/source", "sinks", "sinks/route", "sinks/deadletter", "event"},
	"config":            {"sources/...", "sinks/...", "internal/wire", "engine", "lang/source", "event", "state/seal"},
	"cmd":               {"..."},
	"benchmarks":        {"..."},
	"examples":          {"..."},
	"traces":            {"sinks", "engine", "event"},
	"internal":          {},
	"test":              {},
}

// The rooms in which each library is imported; of a library that is not here the
// test asks for a line. Test files may import any library of this table, and alone
// those with no room.
var libraryRooms = map[string][]string{
	"github.com/alecthomas/participle":   {"lang/syntax"},
	"github.com/expr-lang/expr":          {"lang/predicate"},
	"github.com/dgraph-io/badger":        {"state"},
	"github.com/cespare/xxhash":          {"event"},
	"github.com/alecthomas/kong":         {"cmd"},
	"github.com/goccy/go-yaml":           {"config"},
	"github.com/fsnotify/fsnotify":       {"rules/service"},
	"github.com/klauspost/compress":      {"sources/file", "state/journal", "sinks/file"},
	"github.com/axiomhq/hyperloglog":     {"windows"},
	"github.com/DataDog/sketches-go":     {"windows"},
	"github.com/segmentio/kafka-go":      {"internal/wire", "sources/kafka", "sinks/kafka"},
	"github.com/gin-gonic/gin":           {"api"},
	"github.com/cenkalti/backoff":        {"sinks"},
	"github.com/sony/gobreaker":          {"sinks"},
	"golang.org/x/crypto":                {"api", "state/seal"},
	"golang.org/x/time":                  {"sinks", "api"},
	"github.com/jackc/pgx":               {"sinks/postgres"},
	"github.com/redis/go-redis":          {"sinks/redis"},
	"github.com/rabbitmq/amqp091-go":     {"sinks/rabbitmq"},
	"github.com/emersion/go-smtp":        {},
	"github.com/emersion/go-sasl":        {},
	"github.com/prometheus":              {"api", "cmd"},
	"go.opentelemetry.io/otel":           {"traces"},
	"go.opentelemetry.io/proto/otlp":     {},
	"google.golang.org/protobuf":         {},
	"golang.org/x/sync":                  {"engine", "sources", "sinks", "cmd"},
	"golang.org/x/sys":                   {"state", "cmd", "benchmarks"},
	"golang.org/x/term":                  {"cmd"},
	"golang.org/x/text":                  {"lang/source"},
	"github.com/google/go-cmp":           {},
	"pgregory.net/rapid":                 {},
	"github.com/rogpeppe/go-internal":    {},
	"go.uber.org/goleak":                 {},
	"github.com/tsenart/vegeta":          {},
	"github.com/twmb/franz-go/pkg/kfake": {"cmd"},
	"github.com/twmb/franz-go/pkg/kgo":   {"cmd"},
	"github.com/twmb/franz-go/pkg/kmsg":  {"cmd"},
	"github.com/twmb/franz-go/pkg/kerr":  {"cmd"},

	"github.com/twmb/franz-go/pkg/kversion": {},
	"github.com/santhosh-tekuri/jsonschema": {},
}

// testKits are packages that only tests import: what they may import is what tests may.
var testKits = []string{"state/storetest", "state/golden", "sinks/sinktest", "test/servers"}

func (f *file) forTests() bool { return f.test || slices.Contains(testKits, f.dir()) }

// importFaults holds every import of a file that is no test against the two tables.
// Of test files it asks only that each library has a line: they may cross rooms,
// since comparing a room with its twin is what some of them are for.
func importFaults(files []*file) []string {
	var faults []string
	for _, f := range files {
		for _, imp := range f.imports() {
			if fault := importFault(f, imp); fault != "" {
				faults = append(faults, f.path+": "+fault)
			}
		}
	}
	return faults
}

func importFault(f *file, imp string) string {
	if room, ours := strings.CutPrefix(imp, module+"/"); ours {
		if f.test || mayImport(f.dir(), room) && (f.forTests() || !slices.Contains(testKits, room)) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s (ARCHITECTURE.md, rooms); declare what it needs as its own interface, or move the line to the room it belongs to", f.dir(), room)
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return ""
	}
	rooms, known := librariesRooms(imp)
	switch {
	case !known:
		return fmt.Sprintf("library %s has no room yet; give it a line in libraryRooms and its reason in docs/decisions", imp)
	case f.forTests() || slices.ContainsFunc(rooms, func(r string) bool { return within(f.dir(), r) }):
		return ""
	case len(rooms) == 0:
		return fmt.Sprintf("%s is for test files", imp)
	}
	return fmt.Sprintf("%s is imported in %s only; ask that room", imp, strings.Join(rooms, " and "))
}

// mayImport reports whether the law lets the package in dir import the one in room.
func mayImport(dir, room string) bool {
	if room == "internal/invariants" {
		return true
	}
	law, ok := lawOf(dir)
	if !ok {
		return false
	}
	if within(room, dir) {
		return true
	}
	return slices.ContainsFunc(roomLaw[law], func(allowed string) bool {
		if base, all := strings.CutSuffix(allowed, "..."); all {
			return within(room, strings.TrimSuffix(base, "/"))
		}
		return room == allowed
	})
}

// lawOf finds the line of roomLaw that governs dir: its own, or that of the nearest
// room above.
func lawOf(dir string) (string, bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := roomLaw[d]; ok {
			return d, true
		}
	}
	return "", false
}

// within reports whether dir is room or below it; every dir is within "".
func within(dir, room string) bool {
	return room == "" || dir == room || strings.HasPrefix(dir, room+"/")
}

func librariesRooms(imp string) (rooms []string, known bool) {
	for lib, rooms := range libraryRooms {
		if within(imp, lib) {
			return rooms, true
		}
	}
	return nil, false
}

func TestRoomsImportOnlyWhatTheLawAllows(t *testing.T) {
	report(t, importFaults(repository(t)))
}

func TestImportLawCatches(t *testing.T) {
	cases := map[string]struct {
		path, imp string
		fault     bool
	}{
		"event imports nothing of ours":            {"event/x.go", module + "/windows", true},
		"windows may import event":                 {"windows/x.go", module + "/event", false},
		"engine may not see the syntax":            {"engine/x.go", module + "/lang/syntax", true},
		"engine may see the plan":                  {"engine/shard/x.go", module + "/lang/plan", false},
		"a room below engine may see another":      {"engine/machine/x.go", module + "/engine/eval", false},
		"lang may see its parts":                   {"lang/x.go", module + "/lang/check", false},
		"a part of lang is under its own law":      {"lang/plan/x.go", module + "/lang/check", true},
		"state may not see the engine":             {"state/x.go", module + "/engine", true},
		"cmd sees all":                             {"cmd/cepheus/x.go", module + "/engine", false},
		"a test kit may use libraries for tests":   {"state/storetest/x.go", "pgregory.net/rapid", false},
		"a test kit is not for the product":        {"cmd/cepheus/x.go", module + "/state/storetest", true},
		"an unknown room sees nothing":             {"plugins/x.go", module + "/event", true},
		"a test may cross rooms":                   {"windows/x_test.go", module + "/engine", false},
		"the standard library is free":             {"event/x.go", "encoding/json", false},
		"a library in its room":                    {"state/x.go", "github.com/dgraph-io/badger/v4", false},
		"a library below its room":                 {"state/badger/x.go", "github.com/dgraph-io/badger/v4/options", false},
		"a library in another room":                {"engine/x.go", "github.com/dgraph-io/badger/v4", true},
		"a library without a room":                 {"engine/x.go", "example.org/new", true},
		"a library without a room in a test":       {"engine/x_test.go", "example.org/new", true},
		"a library for tests in a test":            {"engine/x_test.go", "pgregory.net/rapid", false},
		"a library for tests in a product file":    {"engine/x.go", "pgregory.net/rapid", true},
		"a name that only begins like a library's": {"state/x.go", "github.com/dgraph-io/badgerish", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := parsed(t, c.path, fmt.Sprintf("package x\nimport _ %q\n", c.imp))
			if got := importFaults([]*file{f}); (len(got) > 0) != c.fault {
				t.Errorf("%s importing %s: faults %q, want a fault: %v", c.path, c.imp, got, c.fault)
			}
		})
	}
}
