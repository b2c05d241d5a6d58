package roster

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
)

// EnrolmentRow is a first access under way: who draws which half, the halves'
// fingerprints, and, once both were shown, the credentials that wait for the
// first one-time code (sealed) with the fingerprint of the page's proof.
type EnrolmentRow struct {
	Account           string
	FirstBy, SecondBy string
	First, Second     []byte
	Pending, Proof    []byte
	Expires           time.Time
}

// enrolmentLife is how long the two halves may be used.
const enrolmentLife = 3 * 24 * time.Hour

// halfLetters are the characters of a half: fifty random bits without the
// letters that are read for others.
const halfLetters = 10

func (r *Room) enrols(ctx context.Context, account string, q approval.Request) error {
	return r.d.Store.PutEnrolment(ctx, EnrolmentRow{
		Account: account, FirstBy: q.AskedBy, SecondBy: q.DecidedBy, Expires: r.d.Clock.Now().Add(enrolmentLife),
	})
}

func half() string {
	return rand.Text()[:halfLetters] // base32 without 0, 1, 8 and 9
}

func halfSum(account, half string) []byte {
	s := strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' {
			return -1
		}
		return c
	}, strings.ToUpper(half))
	h := sha256.Sum256([]byte("cse.roster/1|half|" + account + "|" + s))
	return h[:]
}

// Half draws op's own half of an account's first access: who asked has one, who
// approved the other. It is shown once; drawn again, the former counts no more.
// CSE-507: it is not his to draw, or its time has passed.
func (r *Room) Half(ctx context.Context, op staff.Operator, account string) (secret.Text, error) {
	h := half()
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		e, err := r.d.Store.GetEnrolment(ctx, account)
		if err != nil && !errors.Is(err, ErrNone) {
			return err
		}
		switch {
		case err != nil || !r.d.Clock.Now().Before(e.Expires):
			return words.Refuse("CSE-507")
		case e.FirstBy == op.Account:
			e.First = halfSum(account, h)
		case e.SecondBy == op.Account:
			e.Second = halfSum(account, h)
		default:
			return words.Refuse("CSE-507")
		}
		e.Pending, e.Proof = nil, nil
		if err := r.d.Store.PutEnrolment(ctx, e); err != nil {
			return err
		}
		return r.record(ctx, op, "operator.half-drawn", map[string]string{"account": account})
	})
	if err != nil {
		return secret.Text{}, err
	}
	return secret.FromString(h), nil
}

// Enrolment is a first access half done: the secret for the authenticator, to be
// shown once, and the proof that the page carries to the next step.
type Enrolment struct {
	// Key is the one-time secret, Address its otpauth:// form.
	Key, Address secret.Text
	Proof        string
}

type pending struct {
	Hash string `json:"hash"`
	TOTP string `json:"totp"` // sealed, as the account keeps it
	Key  []byte `json:"key"`
}

// Enrol takes both halves, in any order, and a new password, and gives the
// one-time secret. Wrong halves slow down per account and per source (CSE-509)
// and are told as CSE-508, whatever was wrong; a short password is CSE-398.
func (r *Room) Enrol(ctx context.Context, account, one, two string, password secret.Text, source string) (Enrolment, error) {
	hash, err := staff.HashPassword(r.d.Rand, password)
	if err != nil {
		return Enrolment{}, words.Refuse("CSE-398").At("password").Because(err)
	}
	key, err := staff.NewTOTP(r.d.Rand)
	if err != nil {
		return Enrolment{}, err
	}
	out := Enrolment{Key: key, Address: staff.TOTPAddress(account, key), Proof: rand.Text()}
	err = r.try(ctx, account, source, func(ctx context.Context, e EnrolmentRow) (bool, error) {
		a, b := halfSum(account, one), halfSum(account, two)
		same := func(x, y []byte) int { return subtle.ConstantTimeCompare(x, y) }
		if len(e.First) == 0 || len(e.Second) == 0 || same(a, e.First)&same(b, e.Second)|same(a, e.Second)&same(b, e.First) != 1 {
			return false, nil
		}
		sealed, err := staff.SealTOTP(r.d.Seal, account, key)
		if err != nil {
			return false, err
		}
		raw := key.Reveal()
		defer clear(raw)
		body, err := json.Marshal(pending{hash, sealed, raw})
		if err != nil {
			return false, fmt.Errorf("roster: write credentials: %w", err)
		}
		defer clear(body)
		if e.Pending, err = r.d.Seal.Encrypt(body, append(bound(account), "|pending"...)); err != nil {
			return false, fmt.Errorf("roster: seal credentials: %w", err)
		}
		e.Proof = halfSum(account, out.Proof)
		return true, r.d.Store.PutEnrolment(ctx, e)
	})
	if err != nil {
		return Enrolment{}, err
	}
	return out, nil
}

// Confirm ends the first access with the authenticator's first code: from now on
// the operator enters with his password. CSE-510: the code is wrong, and the page
// may be sent again.
func (r *Room) Confirm(ctx context.Context, account, proof string, code secret.Text, source string) error {
	return r.try(ctx, account, source, func(ctx context.Context, e EnrolmentRow) (bool, error) {
		if len(e.Pending) == 0 || subtle.ConstantTimeCompare(e.Proof, halfSum(account, proof)) != 1 {
			return false, nil
		}
		body, err := r.d.Seal.Decrypt(e.Pending, append(bound(account), "|pending"...))
		if err != nil {
			return false, fmt.Errorf("roster: open credentials: %w", err)
		}
		defer clear(body)
		var p pending
		if err := json.Unmarshal(body, &p); err != nil {
			return false, fmt.Errorf("roster: read credentials: %w", err)
		}
		defer clear(p.Key)
		if !staff.CodeMatches(secret.New(p.Key), code, r.d.Clock.Now()) {
			return false, words.Refuse("CSE-510").At("totp")
		}
		a, ok := r.d.Directory.Account(account)
		if !ok {
			return false, nil
		}
		row, err := r.row(ctx, account)
		if err != nil {
			return false, err
		}
		a.PasswordHash, a.TOTP, a.Disabled = p.Hash, p.TOTP, false
		if row.Body, err = r.seal(a); err != nil {
			return false, err
		}
		self := staff.Operator{Account: account}
		if err := errors.Join(r.put(ctx, self, row), r.d.Store.DeleteEnrolment(ctx, account)); err != nil {
			return false, err
		}
		return true, r.record(ctx, self, "operator.enrolled", map[string]string{"account": account, "asked_by": e.FirstBy, "approved_by": e.SecondBy})
	})
}

// try runs one try at an account's first access under the brake.
func (r *Room) try(ctx context.Context, account, source string, do func(ctx context.Context, e EnrolmentRow) (bool, error)) error {
	subjects := []string{throttle.Subject("enrol", account), throttle.Subject("enrol.source", source)}
	var refusal *words.Fault
	err := r.act(ctx, func(ctx context.Context) error {
		refusal = nil
		wait, err := r.brake.Wait(ctx, subjects...)
		if err != nil {
			return err
		}
		if wait > 0 {
			return throttle.Refuse("CSE-509", wait)
		}
		e, err := r.d.Store.GetEnrolment(ctx, account)
		if err != nil && !errors.Is(err, ErrNone) {
			return err
		}
		good := false
		if err == nil && r.d.Clock.Now().Before(e.Expires) {
			if good, err = do(ctx, e); err != nil && words.FaultOf(err) == nil {
				return err
			}
		}
		if good {
			return r.brake.Clear(ctx, subjects[0])
		}
		if refusal = words.FaultOf(err); refusal == nil {
			refusal = words.Refuse("CSE-508")
		}
		_, err = r.brake.Failed(ctx, subjects...)
		return err
	})
	if err != nil {
		return err
	}
	if refusal != nil {
		return refusal
	}
	return nil
}
