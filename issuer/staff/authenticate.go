package staff

import (
	"context"
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1" // otpHash
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/throttle"
)

// TOTP as RFC 6238 and every authenticator app: SHA-1, 6 digits, 30 seconds;
// one step of clock difference is allowed each way.
const (
	totpPeriod = 30
	totpDigits = 1_000_000
	totpSecret = 20
	totpSkew   = 1
)

// AEAD seals operators' TOTP secrets.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// AuthenticatorParts are what an Authenticator stands on; all are needed.
type AuthenticatorParts struct {
	Directory *Directory
	Tries     throttle.Tries
	// UseTOTP remembers the last time step that account used; false when step is
	// not later than it. It runs inside an act.
	UseTOTP    func(ctx context.Context, account string, step int64) (bool, error)
	Seal       AEAD
	Clock      civil.Clock
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
}

// Authenticator proves operators by password and one-time code. Make one with
// NewAuthenticator; it is safe for concurrent use.
type Authenticator struct {
	d     AuthenticatorParts
	brake throttle.Brake
	// sources counts who tries from where.
	sources throttle.Brake
	// proofs are the places of those whose password is being compared.
	proofs turns
}

// NewAuthenticator refuses a missing part.
func NewAuthenticator(d AuthenticatorParts) (*Authenticator, error) {
	if d.Directory == nil || d.Tries == nil || d.UseTOTP == nil || d.Seal == nil || d.Clock == nil || d.Atomically == nil || d.Record == nil {
		return nil, errors.New("staff: an authenticator needs all its parts")
	}
	return &Authenticator{d: d, brake: throttle.Brake{Tries: d.Tries, Clock: d.Clock}, sources: throttle.Brake{Tries: d.Tries, Clock: d.Clock, Free: freeTries}, proofs: newTurns()}, nil
}

// Try is one try at an operator's account.
type Try struct {
	Account        string
	Password, Code secret.Text
	// Source is the network address that tries, empty where there is none.
	Source string
	// Device names the browser when this account has entered from it before; login
	// vouches for that. Empty: a browser never seen with this account.
	Device string
}

// freeTries are the wrong tries that a source may make in a day before it waits:
// a whole office may stand behind one address.
const freeTries = 20

// wait asks whoever pays for a wrong try: the known browser alone, so that nobody
// else's errors keep an operator away from his own desk; else the account and the
// source.
func (c *Authenticator) wait(ctx context.Context, y Try) (time.Duration, error) {
	if y.Device != "" {
		return c.brake.Wait(ctx, device(y))
	}
	a, err := c.brake.Wait(ctx, stranger(y))
	if err != nil || y.Source == "" {
		return a, err
	}
	b, err := c.sources.Wait(ctx, source(y))
	return max(a, b), err
}

func (c *Authenticator) failed(ctx context.Context, y Try) error {
	if y.Device != "" {
		_, err := c.brake.Failed(ctx, device(y))
		return err
	}
	_, err := c.brake.Failed(ctx, stranger(y))
	if err != nil || y.Source == "" {
		return err
	}
	_, err = c.sources.Failed(ctx, source(y))
	return err
}

func device(y Try) string   { return throttle.Subject("operator.device", y.Account+"|"+y.Device) }
func stranger(y Try) string { return throttle.Subject("operator", y.Account) }
func source(y Try) string   { return throttle.Subject("operator.source", y.Source) }

// Authenticate proves an operator by account, password and one-time code at
// instant at. Whatever is wrong, the answer is CSE-142; tries slow down per
// account and source, and apart from those per browser that the account has
// entered from before (CSE-143); a one-time code serves once. Whoever has no
// account either may ask, so few passwords are compared at a time: the others wait
// until ctx ends.
func (c *Authenticator) Authenticate(ctx context.Context, y Try, at time.Time) (Operator, error) {
	if wait, err := c.wait(ctx, y); err != nil {
		return Operator{}, err
	} else if wait > 0 {
		return Operator{}, throttle.Refuse("CSE-143", wait)
	}
	leave, err := c.proofs.take(ctx)
	if err != nil {
		return Operator{}, err
	}
	op, step, good := c.prove(y.Account, y.Password, y.Code, at) // slow, so before the act
	leave()
	var refusal *words.Fault
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		refusal = nil
		wait, err := c.wait(ctx, y)
		if err != nil {
			return err
		}
		if wait > 0 { // somebody else tried meanwhile
			refusal = throttle.Refuse("CSE-143", wait)
			return nil
		}
		fresh := false
		if good {
			if fresh, err = c.d.UseTOTP(ctx, y.Account, step); err != nil {
				return err
			}
		}
		if !good || !fresh {
			refusal = words.Refuse("CSE-142")
			return c.refused(ctx, y)
		}
		mine := stranger(y)
		if y.Device != "" {
			mine = device(y)
		}
		if err := c.brake.Clear(ctx, mine); err != nil {
			return err
		}
		return c.d.Record(ctx, journal.Entry{Act: "operator.authenticated", Actor: y.Account, Office: op.Office.ID})
	})
	switch {
	case err != nil:
		return Operator{}, err
	case refusal != nil:
		return Operator{}, refusal
	}
	return op, nil
}

func (c *Authenticator) refused(ctx context.Context, y Try) error {
	if err := c.failed(ctx, y); err != nil {
		return err
	}
	if _, known := c.d.Directory.Account(y.Account); !known {
		return nil // an invented name is no business of the journal
	}
	return c.d.Record(ctx, journal.Entry{Act: "operator.refused", Actor: y.Account})
}

// prove compares password and code; every path does the same work.
func (c *Authenticator) prove(account string, password, code secret.Text, at time.Time) (Operator, int64, bool) {
	a, known := c.d.Directory.Account(account)
	hash := nobody()
	if known && a.PasswordHash != "" {
		if h, err := parseHash(a.PasswordHash); err == nil { // checked when the directory was made
			hash = h
		}
	}
	good := hash.matches(password)
	op, err := c.d.Directory.OperatorByAccount(account)
	if err != nil || !good {
		return Operator{}, 0, false
	}
	key, err := c.openTOTP(a)
	if err != nil {
		return Operator{}, 0, false
	}
	step, ok := totpStep(key, code, at)
	return op, step, ok
}

// CodeMatches tells whether code is an authenticator's code for key at an instant.
func CodeMatches(key, code secret.Text, at time.Time) bool {
	_, ok := totpStep(key, code, at)
	return ok
}

// totpStep finds the time step whose code this is.
func totpStep(key, code secret.Text, at time.Time) (int64, bool) {
	now := at.Unix() / totpPeriod
	var hit int64
	found := false
	for step := now - totpSkew; step <= now+totpSkew; step++ {
		want := hotp(key, step)
		if subtle.ConstantTimeCompare([]byte(want), code.Reveal()) == 1 {
			hit, found = step, true
		}
	}
	return hit, found
}

// otpHash is RFC 6238's, as every authenticator app does it.
const otpHash = crypto.SHA1

// OTPName is how one-time codes are made, in one line.
func OTPName() string { return fmt.Sprintf("TOTP (HMAC-%s, %d s)", otpHash, totpPeriod) }

// TOTP is the one-time code of key at an instant: what an authenticator app
// shows. The demo plays the operator with it.
func TOTP(key secret.Text, at time.Time) secret.Text {
	return secret.FromString(hotp(key, at.Unix()/totpPeriod))
}

// hotp is RFC 4226 section 5.3 with six digits.
func hotp(key secret.Text, step int64) string {
	m := hmac.New(otpHash.New, key.Reveal())
	_ = binary.Write(m, binary.BigEndian, step) // a hash does not fail
	sum := m.Sum(nil)
	off := sum[len(sum)-1] & 0xF
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[off:])&0x7FFFFFFF)%totpDigits)
}

// NewTOTP makes an operator's secret of 160 bits.
func NewTOTP(rand io.Reader) (secret.Text, error) {
	b := make([]byte, totpSecret)
	defer clear(b)
	if _, err := io.ReadFull(rand, b); err != nil {
		return secret.Text{}, fmt.Errorf("staff: TOTP secret: %w", err)
	}
	return secret.New(b), nil
}

// TOTPAddress is the otpauth:// address that a phone reads as a QR code. It
// contains the secret: show it once.
func TOTPAddress(account string, key secret.Text) secret.Text {
	s := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(key.Reveal())
	return secret.FromString("otpauth://totp/CSE:" + account + "?secret=" + s + "&issuer=CSE&algorithm=SHA1&digits=6&period=30")
}

func totpBound(account string) []byte { return []byte("cse.counter/1|totp|" + account) }

// SealTOTP makes what configuration keeps of an operator's secret.
func SealTOTP(seal AEAD, account string, key secret.Text) (string, error) {
	b := key.Reveal()
	defer clear(b)
	s, err := seal.Encrypt(b, totpBound(account))
	if err != nil {
		return "", fmt.Errorf("staff: seal the TOTP secret: %w", err)
	}
	return base64.StdEncoding.EncodeToString(s), nil
}

func (c *Authenticator) openTOTP(a Account) (secret.Text, error) {
	b, err := base64.StdEncoding.DecodeString(a.TOTP)
	if err != nil {
		return secret.Text{}, fmt.Errorf("staff: operator %s: TOTP: %w", a.Account, err)
	}
	key, err := c.d.Seal.Decrypt(b, totpBound(a.Account))
	if err != nil {
		return secret.Text{}, fmt.Errorf("staff: operator %s: TOTP: %w", a.Account, err)
	}
	if len(key) == 0 {
		return secret.Text{}, errors.New("staff: operator " + a.Account + ": TOTP is empty")
	}
	defer clear(key)
	return secret.New(key), nil
}
