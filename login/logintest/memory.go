package logintest

import (
	"context"
	"maps"
	"sync"
	"time"

	"cse.example/cse/login/handover"
	"cse.example/cse/login/provider"
)

// Memory keeps login's records in maps and hands out copies, as a database does.
// Its Atomically runs one act at a time and undoes a failed one.
type Memory struct {
	mu sync.Mutex
	tables
}

type tables struct {
	flows    map[string]handover.Flow
	tickets  map[string]handover.Ticket
	sessions map[string]provider.SessionRow
	grants   map[string]provider.GrantRow
	tokens   map[string]provider.TokenRow
	spent    map[string]string
}

// NewMemory is an empty Memory.
func NewMemory() *Memory {
	return &Memory{tables: tables{
		flows: map[string]handover.Flow{}, tickets: map[string]handover.Ticket{},
		sessions: map[string]provider.SessionRow{}, grants: map[string]provider.GrantRow{},
		tokens: map[string]provider.TokenRow{}, spent: map[string]string{},
	}}
}

func (t tables) clone() tables {
	return tables{
		flows: maps.Clone(t.flows), tickets: maps.Clone(t.tickets), sessions: maps.Clone(t.sessions),
		grants: maps.Clone(t.grants), tokens: maps.Clone(t.tokens), spent: maps.Clone(t.spent),
	}
}

type inAct struct{}

// Atomically runs act alone.
func (m *Memory) Atomically(ctx context.Context, act func(ctx context.Context) error) error {
	if ctx.Value(inAct{}) != nil {
		return act(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.tables.clone()
	err := act(context.WithValue(ctx, inAct{}, true))
	if err != nil {
		m.tables = before
	}
	return err
}

// in locks for a read outside an act.
func (m *Memory) in(ctx context.Context) func() {
	if ctx.Value(inAct{}) != nil {
		return func() {}
	}
	m.mu.Lock()
	return m.mu.Unlock
}

// SaveFlow implements handover.Flows.
func (m *Memory) SaveFlow(ctx context.Context, f handover.Flow) error {
	defer m.in(ctx)()
	m.flows[f.Hash] = f
	return nil
}

// Flow implements handover.Flows.
func (m *Memory) Flow(ctx context.Context, hash string) (handover.Flow, error) {
	defer m.in(ctx)()
	f, ok := m.flows[hash]
	if !ok {
		return f, handover.ErrUnknown
	}
	return f, nil
}

// EndFlow implements handover.Flows.
func (m *Memory) EndFlow(ctx context.Context, hash string, at time.Time) (bool, error) {
	defer m.in(ctx)()
	f, ok := m.flows[hash]
	if !ok || !f.Ended.IsZero() {
		return false, nil
	}
	f.Ended = at
	m.flows[hash] = f
	return true, nil
}

// SaveTicket implements handover.Tickets.
func (m *Memory) SaveTicket(ctx context.Context, t handover.Ticket) error {
	defer m.in(ctx)()
	m.tickets[t.Hash] = t
	return nil
}

// Ticket implements handover.Tickets.
func (m *Memory) Ticket(ctx context.Context, hash string) (handover.Ticket, error) {
	defer m.in(ctx)()
	t, ok := m.tickets[hash]
	if !ok {
		return t, handover.ErrUnknown
	}
	return t, nil
}

// TakeTicket implements handover.Tickets.
func (m *Memory) TakeTicket(ctx context.Context, hash string, at time.Time) (bool, error) {
	defer m.in(ctx)()
	t, ok := m.tickets[hash]
	if !ok || !t.Taken.IsZero() {
		return false, nil
	}
	t.Taken, t.Identity = at, nil
	m.tickets[hash] = t
	return true, nil
}

// PutSession implements provider.Sessions.
func (m *Memory) PutSession(ctx context.Context, r provider.SessionRow) error {
	defer m.in(ctx)()
	old := m.sessions[r.ID]
	if old.Version != r.Version || (old.Version > 0 && !old.Open) {
		return provider.ErrConflict
	}
	r.Version++
	m.sessions[r.ID] = r
	return nil
}

// Session implements provider.Sessions.
func (m *Memory) Session(ctx context.Context, id string) (provider.SessionRow, error) {
	defer m.in(ctx)()
	r, ok := m.sessions[id]
	if !ok {
		return r, provider.ErrUnknown
	}
	return r, nil
}

// SessionByPAR implements provider.Sessions.
func (m *Memory) SessionByPAR(ctx context.Context, par string) (provider.SessionRow, error) {
	defer m.in(ctx)()
	for _, r := range m.sessions {
		if r.PAR == par && par != "" {
			return r, nil
		}
	}
	return provider.SessionRow{}, provider.ErrUnknown
}

// PutGrant implements provider.Grants.
func (m *Memory) PutGrant(ctx context.Context, r provider.GrantRow) error {
	defer m.in(ctx)()
	old := m.grants[r.ID]
	if old.Version != r.Version || !old.Revoked.IsZero() {
		return provider.ErrConflict
	}
	r.Version++
	if r.Version > 1 {
		r.Credential = old.Credential
	}
	m.grants[r.ID] = r
	return nil
}

// Grant implements provider.Grants.
func (m *Memory) Grant(ctx context.Context, id string) (provider.GrantRow, error) {
	return m.grant(ctx, func(r provider.GrantRow) bool { return r.ID == id })
}

// GrantByCode implements provider.Grants.
func (m *Memory) GrantByCode(ctx context.Context, code string) (provider.GrantRow, error) {
	return m.grant(ctx, func(r provider.GrantRow) bool { return r.Code == code && code != "" })
}

// GrantByRefresh implements provider.Grants.
func (m *Memory) GrantByRefresh(ctx context.Context, refresh string) (provider.GrantRow, error) {
	return m.grant(ctx, func(r provider.GrantRow) bool { return r.Refresh == refresh && refresh != "" })
}

func (m *Memory) grant(ctx context.Context, is func(provider.GrantRow) bool) (provider.GrantRow, error) {
	defer m.in(ctx)()
	for _, r := range m.grants {
		if is(r) {
			return r, nil
		}
	}
	return provider.GrantRow{}, provider.ErrUnknown
}

// EndGrants implements provider.Grants.
func (m *Memory) EndGrants(ctx context.Context, credential string, at time.Time) (int64, error) {
	defer m.in(ctx)()
	var n int64
	for id, r := range m.grants {
		if r.Credential == credential && m.end(id, at) {
			n++
		}
	}
	return n, nil
}

func (m *Memory) end(id string, at time.Time) bool {
	r, ok := m.grants[id]
	if !ok || !r.Revoked.IsZero() {
		return false
	}
	r.Revoked = at
	r.Version++
	m.grants[id] = r
	return true
}

// EndGrant implements provider.Tokens.
func (m *Memory) EndGrant(ctx context.Context, id string, at time.Time) error {
	defer m.in(ctx)()
	m.end(id, at)
	return nil
}

// PutToken implements provider.Tokens.
func (m *Memory) PutToken(ctx context.Context, r provider.TokenRow) error {
	defer m.in(ctx)()
	if old, ok := m.tokens[r.ID]; ok {
		old.Revoked = r.Revoked
		r = old
	}
	m.tokens[r.ID] = r
	return nil
}

// Token implements provider.Tokens.
func (m *Memory) Token(ctx context.Context, id string) (provider.TokenRow, error) {
	defer m.in(ctx)()
	r, ok := m.tokens[id]
	if !ok {
		return r, provider.ErrUnknown
	}
	return r, nil
}

// Spend implements provider.Tokens.
func (m *Memory) Spend(ctx context.Context, name, grant string, _ time.Time) (bool, error) {
	defer m.in(ctx)()
	if _, ok := m.spent[name]; ok {
		return false, nil
	}
	m.spent[name] = grant
	return true, nil
}

// Spent implements provider.Tokens.
func (m *Memory) Spent(ctx context.Context, name string) (string, error) {
	defer m.in(ctx)()
	g, ok := m.spent[name]
	if !ok {
		return "", provider.ErrUnknown
	}
	return g, nil
}
