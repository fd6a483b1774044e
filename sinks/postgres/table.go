package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/cepheus-cep/cepheus/sinks"
)

// columns of the table, in their order.
var columns = []string{"id", "rule", "severity", "title", "time", "key", "alert", "received"}

// migrations bring the table from the version of their place to the next. A table that is
// not there is version 0. They are never changed, only added to.
var migrations = []string{
	`CREATE TABLE %[1]s (
		id       text PRIMARY KEY,
		rule     text NOT NULL,
		severity text NOT NULL,
		title    text NOT NULL,
		time     timestamptz NOT NULL,
		key      jsonb NOT NULL,
		alert    jsonb NOT NULL,
		received timestamptz NOT NULL DEFAULT now()
	);
	CREATE INDEX ON %[1]s (time);
	CREATE INDEX ON %[1]s (rule, time)`,
}

// versionText begins the table's comment, which a number ends.
const versionText = "Alerts of Cepheus, version "

// lockNumber keeps two sinks from making the table at once: a number of ours.
const lockNumber = 0x63657068657573

// migrate makes the table or brings it up to date, as one, beside others that do.
func (s *Sink) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(lockNumber)); err != nil {
			return err
		}
		version, err := s.version(ctx, tx)
		if err != nil {
			return err
		}
		if version == len(migrations) {
			return nil
		}
		for _, step := range migrations[version:] {
			if _, err := tx.Exec(ctx, fmt.Sprintf(step, s.table.Sanitize())); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, fmt.Sprintf("COMMENT ON TABLE %s IS '%s%d'", s.table.Sanitize(), versionText, len(migrations)))
		return err
	})
}

// version reads which one the table is, 0 where there is none.
func (s *Sink) version(ctx context.Context, tx pgx.Tx) (version int, err error) {
	var comment *string
	var found []string
	err = tx.QueryRow(ctx, `SELECT obj_description(c.oid, 'pg_class'),
			array(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
		FROM pg_class c WHERE c.oid = to_regclass($1)`, s.table.Sanitize()).Scan(&comment, &found)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, want := range columns {
		if !slices.Contains(found, want) {
			return 0, &otherTable{fmt.Sprintf("has no column %q", want)}
		}
	}
	if comment == nil || !strings.HasPrefix(*comment, versionText) {
		return len(migrations), nil // made by hand, with all that is needed
	}
	if _, err := fmt.Sscanf(strings.TrimPrefix(*comment, versionText), "%d", &version); err != nil || version > len(migrations) {
		return 0, &otherTable{fmt.Sprintf("says it is %q, which this Cepheus does not know", *comment)}
	}
	return version, nil
}

// otherTable says that a table is not ours.
type otherTable struct{ what string }

func (e *otherTable) Error() string { return e.what }

// keyOf is an alert's key as JSON.
func keyOf(a *sinks.Alert) (string, error) {
	if a.Key == nil {
		return "{}", nil
	}
	text, err := json.Marshal(a.Key)
	if err != nil {
		return "", &sinks.RejectedError{Err: err}
	}
	return string(text), nil
}
