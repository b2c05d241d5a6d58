package provider

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrUnknown is returned by a Store that has no such record.
	ErrUnknown = errors.New("provider: unknown record")
	// ErrConflict is returned by a Store whose record is no longer the version
	// that was read: somebody else was faster, and this act must not happen.
	ErrConflict = errors.New("provider: record changed meanwhile")
)

// SessionRow is an authorization request in progress.
type SessionRow struct {
	// ID and PAR are fingerprints; PAR is empty once the request_uri was used.
	ID, PAR string
	// Body is sealed.
	Body []byte
	// Version is what was read; 0 inserts.
	Version int64
	// Open is false when the request ended, well or badly.
	Open    bool
	Expires time.Time
}

// GrantRow is what one login gave to one client.
type GrantRow struct {
	ID string
	// Code and Refresh are fingerprints of the current authorization code and
	// refresh token, empty for none.
	Code, Refresh string
	// Credential is the card or the account the grant hangs from.
	Credential string
	Body       []byte // sealed
	Version    int64
	Revoked    time.Time
	Expires    time.Time
}

// TokenRow is an access token.
type TokenRow struct {
	// ID is the token's fingerprint.
	ID, Grant string
	Body      []byte // sealed
	Expires   time.Time
	Revoked   time.Time
}

// Sessions keeps authorization requests.
type Sessions interface {
	// PutSession inserts version 0, or replaces exactly the version given by
	// the next one; ErrConflict when it is not there any more.
	PutSession(ctx context.Context, r SessionRow) error
	Session(ctx context.Context, id string) (SessionRow, error)
	SessionByPAR(ctx context.Context, par string) (SessionRow, error)
}

// Grants keeps grants.
type Grants interface {
	// PutGrant is like PutSession. A revoked grant is never replaced.
	PutGrant(ctx context.Context, r GrantRow) error
	Grant(ctx context.Context, id string) (GrantRow, error)
	GrantByCode(ctx context.Context, code string) (GrantRow, error)
	GrantByRefresh(ctx context.Context, refresh string) (GrantRow, error)
	// EndGrants revokes every live grant of a credential and tells how many.
	EndGrants(ctx context.Context, credential string, at time.Time) (int64, error)
}

// Tokens keeps access tokens and what may be used once only.
type Tokens interface {
	// PutToken inserts, or revokes the one that is there.
	PutToken(ctx context.Context, r TokenRow) error
	Token(ctx context.Context, id string) (TokenRow, error)
	// Spend remembers that name was used; false when it already was.
	Spend(ctx context.Context, name, grant string, until time.Time) (bool, error)
	// Spent tells the grant that a name was spent for; ErrUnknown for none.
	Spent(ctx context.Context, name string) (grant string, err error)
	// EndGrant revokes one grant.
	EndGrant(ctx context.Context, id string, at time.Time) error
}
