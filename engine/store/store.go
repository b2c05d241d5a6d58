// Package store keeps the platform's records in SQLite or PostgreSQL.
//
// Queries are written once, in the PostgreSQL dialect (queries/ROOM.sql), and
// compiled by sqlc for database/sql into internal/ROOMdb; SQLite receives them
// with $n rewritten as ?n. Columns are BIGINT, BYTEA or TEXT; instants are
// BIGINT microseconds UTC, civil days TEXT (ISO 8601, empty for none), booleans
// BIGINT 0/1; identifiers are made by us.
//
// One act is one transaction: Atomically opens it and carries it in the
// context; an inner Atomically joins the outer one; reads outside an act use a
// read-only pool. Each room's adapter (people.go, cards.go, …) implements the
// small interfaces that the room declares.
package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the "sqlite" driver
)

//go:embed migrations/*.sql
var migrations embed.FS

// DBTX is what generated queries need; *sql.DB and *sql.Tx have it.
type DBTX interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// DB is an open store. Make one with Open.
type DB struct {
	write, read *sql.DB
	sqlite      bool
	// turn is held by the act that is running. Nearly every act writes the head of
	// the audit log, so two at once can only make one of them start again; with
	// three hundred operators at work PostgreSQL did little else. SQLite's pool has
	// one writer for the same reason. Acts of other processes are put in order by
	// the database, and tried again.
	turn turn
	// onMove is told which certificates an act moved (PKIStore.OnMove).
	onMove []func([]Moved)
}

// Open opens "sqlite:PATH" or "postgres://…" and brings the schema up to date.
func Open(ctx context.Context, dsn string) (*DB, error) {
	db, err := open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := db.indexOldGuardians(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func open(ctx context.Context, dsn string) (*DB, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return openSQLite(ctx, path)
	}
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return nil, errors.New("store: the address must begin with sqlite: or postgres://")
	}
	w, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	w.SetMaxOpenConns(16)
	w.SetMaxIdleConns(8)
	if err := w.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: reach PostgreSQL: %w", err), w.Close())
	}
	return &DB{write: w, read: w}, nil
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if err := keepPrivate(path); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// busy_timeout comes first: the other pragmas may have to wait.
	base := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)"
	// secure_delete: what an act destroys is overwritten, and not left in free pages.
	w, err := openPrepared(base + "&_txlock=immediate&_pragma=secure_delete(1)")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	w.SetMaxOpenConns(1)
	if err := w.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: open %s: %w", path, err), w.Close())
	}
	r, err := openPrepared(base + "&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), w.Close())
	}
	r.SetMaxOpenConns(4)
	return &DB{write: w, read: r, sqlite: true}, nil
}

// keepPrivate makes the file before SQLite does, which would let everybody on
// the machine read it: people and their cards stand there in clear. The journal
// beside it gets the same mode. The mode of a file that is there is the
// administrator's.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (db *DB) migrate(ctx context.Context) error {
	last, err := SchemaVersion()
	if err != nil {
		return err
	}
	return db.migrateTo(ctx, last)
}

// migrateTo brings the schema to the state after the migration of that number.
func (db *DB) migrateTo(ctx context.Context, version int64) error {
	dialect := goose.DialectPostgres
	if db.sqlite {
		dialect = goose.DialectSQLite3
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	p, err := goose.NewProvider(dialect, db.write, sub)
	if err != nil {
		return fmt.Errorf("store: migrations: %w", err)
	}
	if _, err := p.UpTo(ctx, version); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}

// Close closes the pools.
func (db *DB) Close() error {
	if db.read != db.write {
		return errors.Join(db.read.Close(), db.write.Close())
	}
	return db.write.Close()
}

// Ping tells whether the store answers.
func (db *DB) Ping(ctx context.Context) error { return db.read.PingContext(ctx) }

type txKey struct{ db *DB }

// Atomically runs act in one transaction: all of it, or nothing. An act begun
// inside another joins it. PostgreSQL's serialization failures are tried again,
// so act must have no effect outside the store.
func (db *DB) Atomically(ctx context.Context, act func(ctx context.Context) error) error {
	if db.tx(ctx) != nil {
		return act(ctx)
	}
	var err error
	for try := range attempts {
		if err = db.once(ctx, act); err == nil || !retryable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause(try)):
		}
	}
	return err
}

func (db *DB) once(ctx context.Context, act func(ctx context.Context) error) (err error) {
	if err := db.turn.take(ctx); err != nil {
		return err
	}
	defer db.turn.give()
	opts := &sql.TxOptions{}
	if !db.sqlite {
		opts.Isolation = sql.LevelSerializable
	}
	tx, err := db.write.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("store: begin: %w", err)
	}
	done := false
	defer func() {
		if !done { // error or panic
			_ = tx.Rollback() // the act's own error is the one to report
		}
	}()
	var moved []Moved
	inside := context.WithValue(context.WithValue(ctx, txKey{db}, tx), movedKey{db}, &moved)
	if err := act(inside); err != nil {
		return err
	}
	done = true
	if err := tx.Commit(); err != nil {
		db.tell(moved) // nobody knows whether it was committed
		return fmt.Errorf("store: commit: %w", err)
	}
	db.tell(moved)
	return nil
}

// attempts bounds the repetitions of an act that PostgreSQL could not put in
// order with others; with pause it gives a crowd on one row some ten seconds.
const attempts = 60

// pause grows to a quarter of a second and is random, so that those who
// collided do not meet again.
func pause(try int) time.Duration {
	most := min(250*time.Millisecond, 4*time.Millisecond<<min(try, 8))
	return time.Duration(rand.Int64N(int64(most))) + time.Millisecond
}

func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") || outdated(err)
}

func (db *DB) tx(ctx context.Context) *sql.Tx {
	tx, _ := ctx.Value(txKey{db}).(*sql.Tx)
	return tx
}

// Conn is the act's transaction, or the read-only pool outside an act. Writing
// outside an act fails on SQLite and is a bug everywhere.
func (db *DB) Conn(ctx context.Context) DBTX {
	if tx := db.tx(ctx); tx != nil {
		return db.dialect(tx)
	}
	if !db.sqlite {
		return replanned{db.read}
	}
	return db.dialect(db.read)
}

// SQLite tells which engine this is; only tests and backup ask.
func (db *DB) SQLite() bool { return db.sqlite }

func (db *DB) dialect(x DBTX) DBTX {
	if db.sqlite {
		return questionMarks{x}
	}
	return x
}

var dollar = regexp.MustCompile(`\$(\d+)`)

// questionMarks hands PostgreSQL's $n to SQLite as ?n.
type questionMarks struct{ DBTX }

func (d questionMarks) ExecContext(ctx context.Context, q string, a ...any) (sql.Result, error) {
	return d.DBTX.ExecContext(ctx, rewrite(q), a...)
}

func (d questionMarks) PrepareContext(ctx context.Context, q string) (*sql.Stmt, error) {
	return d.DBTX.PrepareContext(ctx, rewrite(q))
}

func (d questionMarks) QueryContext(ctx context.Context, q string, a ...any) (*sql.Rows, error) {
	return d.DBTX.QueryContext(ctx, rewrite(q), a...)
}

func (d questionMarks) QueryRowContext(ctx context.Context, q string, a ...any) *sql.Row {
	return d.DBTX.QueryRowContext(ctx, rewrite(q), a...)
}

// micros and instant turn instants into columns and back; zero is "never".
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// SchemaDigest names the schema that this program migrates a database to: SHA-256 over its migrations, in hexadecimal.
func SchemaDigest() string {
	h := sha256.New()
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		b, err := fs.ReadFile(migrations, name)
		if err != nil {
			panic(err) // embedded
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil))
}
