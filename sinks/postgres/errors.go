package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cepheus-cep/cepheus/sinks"
)

// inBatch says of a refusal that it may be about another row of the batch.
func inBatch(err error, rows int) error {
	var rejected *sinks.RejectedError
	if errors.As(err, &rejected) {
		return &sinks.RejectedError{Err: rejected.Err, Batch: rows > 1}
	}
	return err
}

// meaning is what an error says of the rows that were to be written.
func (s *Sink) meaning(err error, rows int) error {
	var (
		said  *pgconn.PgError
		other *otherTable
	)
	switch {
	case errors.As(err, &other):
		return &sinks.FaultError{Err: fmt.Errorf("table %s at %s:%d %s; name another table", strings.Join(s.table, "."), s.config.Host, s.config.Port, other.what)}
	case errors.As(err, &said):
		return s.meaningOf(said, rows)
	}
	return sinks.Unreached(fmt.Sprintf("%s:%d", s.config.Host, s.config.Port), err)
}

func (s *Sink) meaningOf(said *pgconn.PgError, rows int) error {
	told := fmt.Errorf("%s:%d answered %s (%s)", s.config.Host, s.config.Port, said.Message, said.Code)
	switch said.Code[:min(2, len(said.Code))] {
	case "22", "23", "54": // data, constraints, a row that is too large
		return &sinks.RejectedError{Err: told, Batch: rows > 1}
	case "28", "3D", "3F", "42", "0A":
		s.ready = false // the table may have gone
		return &sinks.FaultError{Err: fmt.Errorf("%w%s", told, mend(said.Code))}
	}
	return &sinks.RetryError{Err: told}
}

func mend(code string) string {
	switch code {
	case "28P01", "28000":
		return "; look at the user and password in the URL, and at pg_hba.conf"
	case "3D000":
		return "; look at the database in the URL, or make it"
	case "42501":
		return "; give the user the right to make the table, or to insert into it"
	case "42P01", "42703":
		return "; the table has changed"
	}
	return ""
}
