// Package postgres is the sink that writes alerts into a table of PostgreSQL.
//
// It sits behind the dispatcher of package sinks. A call is one INSERT of all its rows,
// which leaves those alone whose id is there: what comes again after a crash is in the
// table once. The table is made by the sink, and brought up to date: its comment says which
// version it is. One with other columns is a fault of the configuration, and is not touched.
//
// What the database says is told apart by its SQLSTATE (errors.go): data that it cannot hold
// is the alert's fault, a login or a missing right is the configuration's, and a connection
// that breaks, a server that starts or a deadlock pass. No error shows a password.
//
// Open postgres.go first.
package postgres
