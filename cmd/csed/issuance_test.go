package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/recheck"
)

// R4: two cards whose keys share a prime are found at night, and proposed for a
// bulk revocation, once; no further key with that prime is certified.
func TestR4_KeysThatShareAPrimeAreProposedForRevocation(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "carlo", 1, staff.RoleOperations)
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	first, err := rand.Prime(rand.Reader, 1024)
	check(t, err)
	request := func(n uint64) ca.Request {
		c := card(t, p, r.active)
		id, err := cns.NewCardID(cns.IssuerToscana, 900_000+n, 0)
		check(t, err)
		c.ID, c.CertSerial, c.TEAM, c.Version = string(id), "", id.TEAM(), 0
		put(t, p, c)
		second, err := rand.Prime(rand.Reader, 1024)
		check(t, err)
		return ca.Request{CF: string(c.CF), Card: c.ID, PersonalData: []byte("x"), Expires: c.Expires, Key: &rsa.PublicKey{N: new(big.Int).Mul(first, second), E: 65537}}
	}
	a, b, late := request(1), request(2), request(3)
	_, err = p.authority.Issue(ctx, a)
	check(t, err)
	found, err := p.sweepKeys(ctx)
	check(t, err)
	if len(found) != 0 {
		t.Fatalf("one alone: %v", found)
	}
	r.clock.Advance(24 * time.Hour)
	_, err = p.authority.Issue(ctx, b)
	check(t, err)
	for range 2 {
		found, err = p.sweepKeys(ctx)
		check(t, err)
	}
	if len(found) != 1 || found[0].Card != b.Card || len(found[0].With) != 1 || found[0].With[0] != a.Card {
		t.Fatalf("found %+v", found)
	}
	op, err := p.directory.OperatorByAccount("carlo")
	check(t, err)
	list, err := p.campaigns.List(ctx, op, campaign.Revocation)
	check(t, err)
	if len(list) != 1 || list[0].State != campaign.Draft || list[0].Total != 2 {
		t.Errorf("proposed: %+v", list)
	}
	if _, err := p.authority.Issue(ctx, late); !errors.Is(err, words.Refuse("CSE-194")) {
		t.Errorf("a third key with that prime: %v", err)
	}
}

// R15: every certificate is what was reserved, signed, journalled, listed and
// answered; one that is not is named.
func TestR15_TheCheckOfTheCertificates(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{Duties: allDuties()}, "web")
	r.clock.Advance(time.Hour)
	_, err := p.publisher.Publish(t.Context())
	check(t, err)
	errUndone := errors.New("undone")
	inspect := func(ctx context.Context) (codes []string) {
		sum, err := p.checkCertificates(ctx, "", func(f recheck.Finding) error {
			codes = append(codes, f.Code)
			return nil
		})
		check(t, err)
		if sum.Certificates == 0 || sum.Lists == 0 {
			t.Errorf("looked at %+v", sum)
		}
		return codes
	}
	if got := inspect(t.Context()); len(got) != 0 {
		t.Fatalf("in what is right: %v", got)
	}
	for sql, want := range map[string]string{
		"UPDATE certificate SET state = 'pending' WHERE card = '" + r.active + "'":                             recheck.TrailState,
		"UPDATE certificate SET person = 'VRDGNN85M41D612X' WHERE card = '" + r.active + "'":                   "cns_subject_reserved",
		"UPDATE certificate SET state = 'good', activated_at = issued_at + 1 WHERE card = '" + r.waiting + "'": recheck.Listed,
		"DELETE FROM certificate WHERE card = '" + r.waiting + "'":                                             recheck.NoRecord,
	} {
		var got []string
		err := p.db.Atomically(t.Context(), func(ctx context.Context) error {
			if _, err := p.db.Conn(ctx).ExecContext(ctx, sql); err != nil {
				return err
			}
			got = inspect(ctx)
			return errUndone
		})
		if !errors.Is(err, errUndone) || !slices.Contains(got, want) {
			t.Errorf("%s: %v, %v", sql, got, err)
		}
	}
}
