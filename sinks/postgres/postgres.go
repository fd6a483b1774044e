package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/cepheus-cep/cepheus/sinks"
)

// Options of a sink. URL must be given.
type Options struct {
	// URL is postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, or the words of
	// libpq, host=… user=….
	URL string

	// Table is its name, with a schema or without. Default cepheus_alerts.
	Table string
}

// Sink writes into one table, by one connection.
type Sink struct {
	config *pgx.ConnConfig
	table  pgx.Identifier
	conn   *pgx.Conn // nil: none yet, or it broke
	ready  bool      // the table is there and up to date
}

var (
	_ sinks.Sink      = (*Sink)(nil)
	_ sinks.Previewer = (*Sink)(nil)
	_ sinks.Answerer  = (*Sink)(nil)
)

// New returns a sink. Nothing is connected yet.
func New(o Options) (*Sink, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, errors.New("postgres: the URL cannot be read; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE, with other characters than letters, digits and -._~ of a user or password escaped (%40 for @)")
	}
	if o.Table == "" {
		o.Table = "cepheus_alerts"
	}
	table := strings.Split(o.Table, ".")
	for _, part := range table {
		if part == "" || len(part) > 63 || len(table) > 2 || strings.ContainsRune(part, 0) {
			return nil, fmt.Errorf("postgres: %q is no name of a table; it is NAME or SCHEMA.NAME", o.Table)
		}
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "cepheus"
	}
	return &Sink{config: config, table: table}, nil
}

// Name is what the sink is called in messages and in the state.
func (s *Sink) Name() string {
	return fmt.Sprintf("postgres://%s:%d/%s#%s", s.config.Host, s.config.Port, s.config.Database, strings.Join(s.table, "."))
}

// Deliver writes all rows in one statement.
func (s *Sink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	_, taken, err = s.Ask(ctx, rows)
	return taken, err
}

// Preview shows the row of the first.
func (s *Sink) Preview(rows []sinks.Row) (text string, taken int, err error) {
	a, err := sinks.ParseAlert(rows[0].Alert)
	if err != nil {
		return "", 0, err
	}
	key, err := keyOf(a)
	if err != nil {
		return "", 0, err
	}
	return sinks.PreviewParts("INSERT INTO "+s.table.Sanitize()+" ... ON CONFLICT (id) DO NOTHING",
		sinks.PreviewPart{Name: "id", Value: a.ID}, sinks.PreviewPart{Name: "rule", Value: a.Rule}, sinks.PreviewPart{Name: "severity", Value: a.Severity},
		sinks.PreviewPart{Name: "title", Value: a.Title}, sinks.PreviewPart{Name: "time", Value: a.Time.UTC().Format(time.RFC3339Nano)},
		sinks.PreviewPart{Name: "key", Value: key}, sinks.PreviewPart{Name: "alert", Value: string(rows[0].Alert)}), 1, nil
}

// Ask writes all rows in one statement and returns what the database said of it.
func (s *Sink) Ask(ctx context.Context, rows []sinks.Row) (answer string, taken int, err error) {
	columns, err := columnsOf(rows)
	if err != nil {
		return "", 0, err
	}
	if err := s.connect(ctx); err != nil {
		return "", 0, s.meaning(err, len(rows))
	}
	said, err := s.conn.Exec(ctx, s.insert(), columns...)
	if err != nil {
		return "", 0, s.meaning(err, len(rows))
	}
	return "answered " + said.String(), len(rows), nil
}

func (s *Sink) insert() string {
	return `INSERT INTO ` + s.table.Sanitize() + ` (id, rule, severity, title, time, key, alert)
		SELECT i, r, s, t, m, k::jsonb, a::jsonb
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[]) AS n (i, r, s, t, m, k, a)
		ON CONFLICT (id) DO NOTHING`
}

// columnsOf are the parameters of the statement, an array each.
func columnsOf(rows []sinks.Row) ([]any, error) {
	var ids, rules, severities, titles, keys, alerts []string
	var times []time.Time
	for _, r := range rows {
		a, err := sinks.ParseAlert(r.Alert)
		if err != nil {
			return nil, inBatch(err, len(rows))
		}
		key, err := keyOf(a)
		if err != nil {
			return nil, inBatch(err, len(rows))
		}
		ids, rules, severities, titles = append(ids, a.ID), append(rules, a.Rule), append(severities, a.Severity), append(titles, a.Title)
		times, keys, alerts = append(times, a.Time), append(keys, key), append(alerts, string(r.Alert))
	}
	return []any{ids, rules, severities, titles, times, keys, alerts}, nil
}

// connect makes a connection where there is none, and the table where it is not ready.
func (s *Sink) connect(ctx context.Context) error {
	if s.conn == nil || s.conn.IsClosed() {
		conn, err := pgx.ConnectConfig(ctx, s.config)
		if err != nil {
			return err
		}
		s.conn, s.ready = conn, false
	}
	if s.ready {
		return nil
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	s.ready = true
	return nil
}

// Flush has nothing to do: what was taken is committed.
func (s *Sink) Flush(context.Context) error { return nil }

// Close ends the connection.
func (s *Sink) Close() error {
	if s.conn == nil || s.conn.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.conn.Close(ctx)
}

// Probe connects, logs in, looks at the table, and changes nothing.
func (s *Sink) Probe(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return s.meaning(err, 1)
	}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		_, err := s.version(ctx, tx)
		return err
	})
	if closing := conn.Close(ctx); err == nil {
		return closing
	}
	return s.meaning(err, 1)
}
