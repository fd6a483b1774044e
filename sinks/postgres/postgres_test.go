package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/sinktest"
	"github.com/cepheus-cep/cepheus/test/servers"
)

func url(s *servers.Server) string {
	return fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", s.Addr())
}

func open(t testing.TB, o Options) *Sink {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func query(t testing.TB, s *servers.Server, sql string, args ...any) (all []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url(s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func exec(t testing.TB, s *servers.Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url(s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// TestPostgres is against a real one; its parts share it.
func TestPostgres(t *testing.T) {
	db := servers.StartPostgres(t)
	ids := func() []string { return query(t, db, "SELECT id FROM cepheus_alerts") }

	t.Run("alerts are rows, once", func(t *testing.T) {
		for range 2 { // what comes again is there
			got := sinktest.Deliver(t, open(t, Options{URL: url(db)}), sinks.Delivery{}, sinktest.Alerts(2500))
			if got.Err != nil || got.Stats.Delivered != 2500 {
				t.Fatalf("%+v", got)
			}
		}
		if n := len(ids()); n != 2500 {
			t.Errorf("%d rows", n)
		}
		row := query(t, db, `SELECT concat_ws('|', rule, severity, title, time AT TIME ZONE 'UTC', key ->> 'card', alert -> 'fields' ->> 'text', alert = $2::jsonb) FROM cepheus_alerts WHERE id = $1`, sinktest.ID(7), sinktest.Alert(7))
		if diff := cmp.Diff([]string{`card_testing|high|Card 7 is <tested>|2026-01-02 03:04:05|c0|a "b" & c|t`}, row); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})

	t.Run("what it cannot hold is a dead letter", func(t *testing.T) {
		exec(t, db, "TRUNCATE cepheus_alerts")
		box := sinktest.Alerts(9)
		box[2] = strings.Replace(box[2], "is <tested>", `is \u0000`, 1)
		box[5] = "no alert"
		box[8] = strings.Replace(box[8], `"charges":9`, `"charges":"\u0000"`, 1)
		got := sinktest.Deliver(t, open(t, Options{URL: url(db)}), sinks.Delivery{}, box)
		if got.Err != nil || len(got.Dead) != 3 || got.Dead[3] == "" || got.Dead[6] == "" || !strings.Contains(got.Dead[9], "22P05") || len(ids()) != 6 {
			t.Errorf("%d rows, %+v", len(ids()), got)
		}
	})

	t.Run("a table of another's", func(t *testing.T) {
		exec(t, db, "CREATE TABLE other (id text, rule text); CREATE SCHEMA s; CREATE TABLE s.later AS SELECT * FROM cepheus_alerts; COMMENT ON TABLE s.later IS 'Alerts of Cepheus, version 99'")
		for table, want := range map[string]string{"other": `has no column "severity"`, "s.later": "version 99", "none.x": `schema "none" does not exist`} {
			got := sinktest.Deliver(t, open(t, Options{URL: url(db), Table: table}), sinks.Delivery{StopOnFault: true}, sinktest.Alerts(1))
			if fault := (*sinks.FaultError)(nil); !errors.As(got.Err, &fault) || !strings.Contains(got.Err.Error(), want) {
				t.Errorf("%s: %v", table, got.Err)
			}
			if err := open(t, Options{URL: url(db), Table: table}).Probe(t.Context()); table != "none.x" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("probe of %s: %v", table, err)
			}
		}
	})

	t.Run("a table that goes is made again", func(t *testing.T) {
		s := open(t, Options{URL: url(db)})
		for range 2 {
			exec(t, db, "DROP TABLE cepheus_alerts")
			if got := sinktest.Deliver(t, s, sinks.Delivery{}, sinktest.Alerts(3)); got.Err != nil || len(ids()) != 3 {
				t.Errorf("%+v", got)
			}
		}
	})

	t.Run("a login that is wrong", func(t *testing.T) {
		exec(t, db, "CREATE ROLE ann LOGIN PASSWORD 'right'")
		for password, want := range map[string]string{"s3cretwrong": "28P01", "right": "42501"} {
			s := open(t, Options{URL: fmt.Sprintf("postgres://ann:%s@%s/postgres?sslmode=disable", password, db.Addr()), Table: "public.anns"})
			got := sinktest.Deliver(t, s, sinks.Delivery{StopOnFault: true}, sinktest.Alerts(1))
			if fault := (*sinks.FaultError)(nil); !errors.As(got.Err, &fault) || !strings.Contains(got.Err.Error(), want) || strings.Contains(got.Err.Error(), "s3cret") {
				t.Errorf("%v", got.Err)
			}
			if err := s.Probe(t.Context()); (err == nil) != (password == "right") {
				t.Errorf("probe: %v", err)
			}
		}
		s := open(t, Options{URL: fmt.Sprintf("postgres://postgres@%s/nowhere?sslmode=disable", db.Addr())})
		if got := sinktest.Deliver(t, s, sinks.Delivery{StopOnFault: true}, sinktest.Alerts(1)); got.Err == nil || !strings.Contains(got.Err.Error(), "3D000") {
			t.Errorf("%v", got.Err)
		}
	})

	t.Run("a database that is slow", func(t *testing.T) {
		exec(t, db, `TRUNCATE cepheus_alerts;
			CREATE FUNCTION slow() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$ LANGUAGE plpgsql;
			CREATE TRIGGER slow AFTER INSERT ON cepheus_alerts FOR EACH STATEMENT EXECUTE FUNCTION slow()`)
		go func() {
			time.Sleep(time.Second)
			exec(t, db, "DROP TRIGGER slow ON cepheus_alerts")
		}()
		got := sinktest.Deliver(t, open(t, Options{URL: url(db)}), sinks.Delivery{Timeout: 200 * time.Millisecond, Batch: 10}, sinktest.Alerts(30))
		if got.Err != nil || got.Stats.Retries == 0 || len(ids()) != 30 {
			t.Errorf("%d rows, %+v", len(ids()), got)
		}
	})

	t.Run("killed and back", func(t *testing.T) {
		exec(t, db, "DROP TABLE IF EXISTS cepheus_alerts")
		sinktest.Survives(t, db, open(t, Options{URL: url(db)}), sinks.Delivery{}, 5000, ids)
	})
}

// TestNoAnswerIsTriedAgain: nobody listens, or someone who never answers.
func TestNoAnswerIsTriedAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := l.Addr().String()
	t.Cleanup(func() { l.Close() })
	for name, addr := range map[string]string{"silent": silent, "nobody": "127.0.0.1:1"} {
		s := open(t, Options{URL: "postgres://ann:s3cret@" + addr + "/db"})
		got := sinktest.Deliver(t, s, sinks.Delivery{Timeout: 50 * time.Millisecond, MaxElapsed: 10 * time.Millisecond}, sinktest.Alerts(1))
		if got.Err != nil || got.Stats.Retries == 0 || !strings.Contains(got.Dead[1], "not taken for") || strings.Contains(got.Dead[1], "s3cret") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"no URL": {URL: "postgres://u:s3cret word@h:x/"}, "a table": {URL: "postgres://h/d", Table: "a.b.c"}, "an empty name": {URL: "postgres://h/d", Table: "a."},
	} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if name := open(t, Options{URL: "postgres://u:s3cret@h:5433/d"}).Name(); name != "postgres://h:5433/d#cepheus_alerts" {
		t.Errorf("name %s", name)
	}
}
