package trustlist

import (
	"context"
	"time"

	"cse.example/cse/pki/trust/tsl"
)

// head is a list of the store that is current or waiting, read.
type head struct {
	Row
	// list is nil when its signer is pinned no more.
	list *tsl.List
}

// listed is the list of a head that may be none.
func (h *head) listed() *tsl.List {
	if h == nil {
		return nil
	}
	return h.list
}

// numbers are those that a newer list must pass, also when the one in force is
// not believed any more: a new signer cannot go back.
func (h *head) numbers() *tsl.List {
	if h == nil {
		return nil
	}
	return &tsl.List{Sequence: h.Sequence, Issued: h.Issued}
}

// heads are the current list of a scheme and the one that waits.
func (r *Room) heads(ctx context.Context, s Scheme) (current, waiting *head, err error) {
	rows, err := r.d.Store.Heads(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		if row.List != s.Name {
			continue
		}
		l, err := r.parsed(ctx, s, row)
		if err != nil {
			return nil, nil, err
		}
		h := &head{row, l}
		if row.State == Current {
			current = h
		} else {
			waiting = h
		}
	}
	return current, waiting, nil
}

// parsed reads a list of the store, once for this process. Its signature is
// verified again by those who are pinned now: one that is no longer believed is
// nil, and grants nobody.
func (r *Room) parsed(ctx context.Context, s Scheme, row Row) (*tsl.List, error) {
	r.mu.Lock()
	l, there := r.read[row.ID]
	r.mu.Unlock()
	if there {
		return l, nil
	}
	body, err := r.d.Store.Body(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	l, err = tsl.Read(body, s.Signers, s.Territory)
	if err != nil {
		r.d.Log.Error("trusted list: the one that is kept is not believed", "list", s.Name, "hash", row.Hash, "err", err)
		l = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.read) > manyLists {
		r.read = map[string]*tsl.List{}
	}
	r.read[row.ID] = l
	return l, nil
}

// Believed is an authority that a list grants now.
type Believed struct {
	tsl.Issuer
	List string
	// Until is the list's next update.
	Until time.Time
}

// Believed are the authorities that are believed now, by the current lists less
// what a list that waits no longer grants.
func (r *Room) Believed(ctx context.Context) ([]Believed, error) {
	now := r.d.Clock.Now()
	var out []Believed
	for _, s := range r.d.Schemes {
		current, waiting, err := r.heads(ctx, s)
		if err != nil {
			return nil, err
		}
		l := current.listed()
		if l == nil || !r.inDays(s, l, now) {
			continue
		}
		left := map[string]bool{}
		if w := waiting.listed(); w != nil {
			for _, x := range w.Issuers(s.Type, now) {
				left[x.Fingerprint()] = true
			}
		}
		for _, x := range l.Issuers(s.Type, now) {
			if waiting.listed() == nil || left[x.Fingerprint()] {
				out = append(out, Believed{x, s.Name, l.NextUpdate})
			}
		}
	}
	return out, nil
}

// inDays tells whether the list's days allow it; of one that is past them the
// log is told once.
func (r *Room) inDays(s Scheme, l *tsl.List, now time.Time) bool {
	if l.Current(now) {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if key := s.Name + l.NextUpdate.String(); !r.said[key] {
		r.said[key] = true
		r.d.Log.Warn("trusted list: past its next update", "list", s.Name, "next_update", l.NextUpdate, "believed", s.Lenient)
	}
	return s.Lenient
}

// View is a list of the configuration with what is kept of it.
type View struct {
	Scheme
	Current, Waiting *Row
	// Expired: the current one is past its next update.
	Expired bool
	// Changes are what the waiting one would change, or what the first one brought.
	Changes  tsl.Changes
	Believed []Believed
	History  []Row
}

// Views are all lists, for a page and for `csed trust list`.
func (r *Room) Views(ctx context.Context) ([]View, error) {
	now := r.d.Clock.Now()
	all, err := r.Believed(ctx)
	if err != nil {
		return nil, err
	}
	var out []View
	for _, s := range r.d.Schemes {
		v := View{Scheme: s}
		current, waiting, err := r.heads(ctx, s)
		if err != nil {
			return nil, err
		}
		if v.History, err = r.d.Store.History(ctx, s.Name, manyLists); err != nil {
			return nil, err
		}
		for i := range v.History {
			switch v.History[i].State {
			case Current:
				v.Current = &v.History[i]
			case Waiting:
				v.Waiting = &v.History[i]
			}
		}
		if l := current.listed(); l != nil {
			v.Expired = !l.Current(now)
		}
		if w := waiting.listed(); w != nil {
			v.Changes = w.Changes(current.listed(), s.Type, now)
		}
		for _, b := range all {
			if b.List == s.Name {
				v.Believed = append(v.Believed, b)
			}
		}
		out = append(out, v)
	}
	return out, nil
}
