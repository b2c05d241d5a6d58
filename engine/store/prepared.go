package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLite parses a query each time that it is given one as text, which took half
// of an import's or an OCSP answer's time. prepared stands between database/sql
// and the driver, and keeps each connection's statements: those that sqlc wrote,
// which begin with "-- name:", are constants, and so are bounded in number. (pgx
// keeps its own for PostgreSQL.)
//
// A kept statement is used by one query at a time: one whose rows are still being
// read is left alone, and the query is prepared anew. A change of the schema is
// SQLite's own business: a statement prepared before it is parsed again when it is
// next run. A connection that database/sql gives up takes its statements with it.
type prepared struct {
	driver driver.Driver
	dsn    string
}

// openPrepared is sql.Open with kept statements.
func openPrepared(dsn string) (*sql.DB, error) {
	plain, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(prepared{plain.Driver(), dsn}), plain.Close()
}

// Driver implements driver.Connector.
func (p prepared) Driver() driver.Driver { return p.driver }

// Connect implements driver.Connector.
func (p prepared) Connect(context.Context) (driver.Conn, error) {
	c, err := p.driver.Open(p.dsn)
	if err != nil {
		return nil, err
	}
	inner, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("store: the SQLite driver's connection is a %T", c), c.Close())
	}
	return &preparedConn{sqliteConn: inner, kept: map[string]*keptStmt{}}, nil
}

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStmt is what its statements can do.
type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// preparedConn is a connection with its statements. database/sql uses a connection
// from one goroutine at a time.
type preparedConn struct {
	sqliteConn
	kept map[string]*keptStmt
}

type keptStmt struct {
	sqliteStmt
	busy bool
}

// statement is the kept one for a query, nil when it must go the plain way.
func (c *preparedConn) statement(ctx context.Context, query string) (*keptStmt, error) {
	if !strings.HasPrefix(query, "-- name:") {
		return nil, nil
	}
	if s := c.kept[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	inner, ok := s.(sqliteStmt)
	if !ok {
		return nil, s.Close()
	}
	k := &keptStmt{sqliteStmt: inner}
	c.kept[query] = k
	return k, nil
}

// ExecContext implements driver.ExecerContext.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &keptRows{rows, s}, nil
}

// Close finalises what was kept, and closes the connection.
func (c *preparedConn) Close() error {
	var errs []error
	for query, s := range c.kept {
		delete(c.kept, query)
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// keptRows give their statement back.
type keptRows struct {
	driver.Rows
	stmt *keptStmt
}

// Close implements driver.Rows.
func (r *keptRows) Close() error {
	err := r.Rows.Close()
	if r.stmt != nil { // the first time: later it may be another query's
		r.stmt.busy, r.stmt = false, nil
	}
	return err
}

// replanned asks PostgreSQL again when a statement that pgx had kept gives other
// columns since somebody changed the schema: pgx forgets it with the error. Within
// an act the act is run again (retryable).
type replanned struct{ DBTX }

func outdated(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "0A000" && pg.Routine == "RevalidateCachedQuery"
}

// QueryContext implements DBTX.
func (r replanned) QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	rows, err := r.DBTX.QueryContext(ctx, q, args...)
	if outdated(err) {
		return r.DBTX.QueryContext(ctx, q, args...)
	}
	return rows, err
}

// QueryRowContext implements DBTX.
func (r replanned) QueryRowContext(ctx context.Context, q string, args ...any) *sql.Row {
	row := r.DBTX.QueryRowContext(ctx, q, args...)
	if outdated(row.Err()) {
		return r.DBTX.QueryRowContext(ctx, q, args...)
	}
	return row
}

// rewritten remembers the queries that sqlc wrote as SQLite takes them.
var rewritten sync.Map

// rewrite hands PostgreSQL's $n to SQLite as ?n.
func rewrite(q string) string {
	if !strings.HasPrefix(q, "-- name:") {
		return dollar.ReplaceAllString(q, "?$1")
	}
	if r, ok := rewritten.Load(q); ok {
		return r.(string) //nolint:forcetypeassert // only strings are stored
	}
	r := dollar.ReplaceAllString(q, "?$1")
	rewritten.Store(q, r)
	return r
}
