package store

import (
	"errors"
	"slices"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Full tells whether an act failed because there was no room for it, or the file
// system took no more: nothing of it was kept, and it can be done again.
func Full(err error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return true
	case errors.As(err, &lite):
		return slices.Contains(unwritten, lite.Code())
	case errors.As(err, &pg):
		return pg.Code == "53100" // disk_full
	}
	return false
}

// unwritten are SQLite's result codes for a file that could not be written: FULL, and
// of IOERR those of WRITE, FSYNC, DIR_FSYNC, TRUNCATE, SHMOPEN, SHMSIZE. (It tells the
// reason for the first only.)
var unwritten = []int{13, 778, 1034, 1290, 1546, 4618, 4874}
