package holder_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

var (
	pin   = secret.FromString(holdertest.PIN)
	wrong = secret.FromString("99174")
	puk   = secret.FromString(holdertest.PUK)
)

// bench is one card on the table: the chip, its counter, its holder.
type bench struct {
	card  holdertest.Card
	count *reader.APDUCounter
	*holder.Holder
	seen [][]byte
}

func lay(t *testing.T, profile cns.Profile) *bench {
	t.Helper()
	b := &bench{card: holdertest.Make(t, filepath.Join(t.TempDir(), "card"), profile, 12), count: &reader.APDUCounter{}}
	c, err := chip.Open(b.card.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	card := reader.Observe(reader.FromChip(c), func(command, response []byte) {
		b.count.See(command, response)
		b.seen = append(b.seen, bytes.Clone(command))
	})
	if b.Holder, err = holder.New(card); err != nil {
		t.Fatal(err)
	}
	return b
}

// sent counts the commands of an instruction that carried data.
func (b *bench) sent(ins byte) (n int) {
	for _, c := range b.seen {
		if c[1] == ins && len(c) > 5 {
			n++
		}
	}
	return n
}

func TestReadsTheCard(t *testing.T) {
	for _, profile := range []cns.Profile{cns.Neutral(), cns.ST2021(), cns.CNS10()} {
		t.Run(profile.Name, func(t *testing.T) {
			b := lay(t, profile)
			id, err := b.CardID()
			if err != nil || id != b.card.ID {
				t.Fatalf("card number %s, %v; want %s", id, err, b.card.ID)
			}
			data, raw, err := b.ReadPersonalData()
			if err != nil || data != b.card.Data || len(raw) != cns.SizePersonalData {
				t.Fatalf("personal data %+v (%d bytes), %v", data, len(raw), err)
			}
			c, err := b.Certificate()
			if err != nil || !c.Equal(b.card.Leaf) {
				t.Fatalf("certificate %v, %v", c, err)
			}
		})
	}
}

func TestCodes(t *testing.T) {
	b := lay(t, cns.Neutral())
	left := func(wantPIN, wantPUK int) {
		t.Helper()
		got, err := b.Tries()
		if want := (holder.Tries{PIN: holder.Counter{Known: true, Left: wantPIN}, PUK: holder.Counter{Known: true, Left: wantPUK}}); err != nil || got != want {
			t.Fatalf("tries %+v, %v; want %+v", got, err, want)
		}
	}
	left(3, 3)
	var bad *holder.WrongPINError
	if err := b.VerifyPIN(wrong); !errors.As(err, &bad) || bad.Left != 2 || !errors.Is(err, words.Refuse("CSE-210")) {
		t.Fatalf("wrong PIN: %v", err)
	}
	left(2, 3)
	want(t, b.VerifyPIN(pin), "")
	left(3, 3)

	fresh := secret.FromString("70416")
	want(t, b.ChangePIN(wrong, fresh), "CSE-210")
	want(t, b.ChangePIN(pin, fresh), "")
	want(t, b.VerifyPIN(pin), "CSE-210")
	want(t, b.VerifyPIN(pin), "CSE-210")
	want(t, b.VerifyPIN(pin), "CSE-212")
	want(t, b.VerifyPIN(fresh), "CSE-212")
	left(0, 3)

	var badPUK *holder.WrongPUKError
	if err := b.UnblockPIN(secret.FromString("00000001"), pin); !errors.As(err, &badPUK) || badPUK.Left != 2 {
		t.Fatalf("wrong PUK: %v", err)
	}
	left(0, 2)
	want(t, b.UnblockPIN(puk, pin), "")
	left(3, 3)
	want(t, b.VerifyPIN(pin), "")
	for _, code := range []string{"CSE-213", "CSE-213", "CSE-214", "CSE-214"} {
		want(t, b.UnblockPIN(secret.FromString("00000001"), fresh), code)
	}
	left(3, 0)
}

// want checks the CSE code of an error; "" is no error.
func want(t *testing.T, err error, code string) {
	t.Helper()
	got := ""
	if f := words.FaultOf(err); f != nil {
		got = f.Code
	} else if err != nil {
		got = err.Error()
	}
	if got != code {
		t.Fatalf("got %q, want %q", got, code)
	}
}

func TestBadShapesCostNoTry(t *testing.T) {
	b := lay(t, cns.Neutral())
	for _, c := range []struct {
		name string
		err  error
		code string
	}{
		{"short PIN", b.VerifyPIN(secret.FromString("1234")), "CSE-221"},
		{"long PIN", b.VerifyPIN(secret.FromString("123456789")), "CSE-221"},
		{"letters", b.VerifyPIN(secret.FromString("12a45")), "CSE-221"},
		{"empty", b.VerifyPIN(secret.Text{}), "CSE-221"},
		{"new PIN short", b.ChangePIN(pin, secret.FromString("123")), "CSE-221"},
		{"new PIN simple", b.ChangePIN(pin, secret.FromString("12345")), "CSE-222"},
		{"new PIN born", b.ChangePIN(pin, secret.FromString("010180")), "CSE-222"},
		{"PUK short", b.UnblockPIN(secret.FromString("1234567"), wrong), "CSE-223"},
		{"unblock to simple", b.UnblockPIN(puk, secret.FromString("11111")), "CSE-222"},
	} {
		t.Run(c.name, func(t *testing.T) { want(t, c.err, c.code) })
	}
	if n := b.sent(iso7816.InsVerify) + b.sent(iso7816.InsChangeReferenceData) + b.sent(iso7816.InsResetRetryCounter); n != 0 {
		t.Fatalf("%d commands with codes reached the card", n)
	}
}

func TestTriesAreNotAskedFromUnprovedMasks(t *testing.T) {
	b := lay(t, cns.ST2021())
	got, err := b.Tries()
	if err != nil || got.PIN.Known || got.PUK.Known || b.count.Count().APDUs != 0 {
		t.Fatalf("%+v, %v, %d APDUs", got, err, b.count.Count().APDUs)
	}
	want(t, b.VerifyPIN(wrong), "CSE-210")
	if got, _ = b.Tries(); got.PIN != (holder.Counter{Known: true, Left: 2}) {
		t.Fatalf("after the card told: %+v", got)
	}
	if b.seen[0][3] != 0x90 {
		t.Fatalf("PIN reference %02X, STIncard masks want 90", b.seen[0][3])
	}
}

func TestSigns(t *testing.T) {
	digest := sha256.Sum256([]byte("handshake"))
	for _, profile := range []cns.Profile{cns.Neutral(), cns.ST2021(), cns.CNS10(), refusingChains(), refusingExtended()} {
		for name, opts := range map[string]crypto.SignerOpts{
			"PKCS1": crypto.SHA256,
			"PSS":   &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256},
		} {
			t.Run(profile.Name+"/"+name, func(t *testing.T) {
				b := lay(t, profile)
				asked := 0
				s, err := b.Signer(func() (secret.Text, error) { asked++; return secret.FromString(holdertest.PIN), nil })
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					sig, err := s.Sign(rand.Reader, digest[:], opts)
					if err != nil {
						t.Fatal(err)
					}
					check(t, s.Public(), digest[:], sig, opts)
				}
				if asked != 1 || b.sent(iso7816.InsVerify) != 1 {
					t.Fatalf("asked %d times, %d VERIFY; want one each", asked, b.sent(iso7816.InsVerify))
				}
			})
		}
	}
}

func refusingChains() cns.Profile {
	p := cns.ST2021()
	p.Name, p.RefuseChaining = "no-chaining", true
	return p
}

func refusingExtended() cns.Profile {
	p := cns.Neutral()
	p.Name, p.RefuseExtended = "no-extended", true
	return p
}

func check(t *testing.T, public crypto.PublicKey, digest, sig []byte, opts crypto.SignerOpts) {
	t.Helper()
	key := public.(*rsa.PublicKey)
	var err error
	if o, ok := opts.(*rsa.PSSOptions); ok {
		err = rsa.VerifyPSS(key, o.Hash, digest, sig, o)
	} else {
		err = rsa.VerifyPKCS1v15(key, opts.HashFunc(), digest, sig)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignerNeverRepeatsVERIFY(t *testing.T) {
	b := lay(t, cns.Neutral())
	asked := 0
	s, err := b.Signer(func() (secret.Text, error) { asked++; return secret.FromString("99174"), nil })
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	_, err = s.Sign(rand.Reader, digest[:], crypto.SHA256)
	want(t, err, "CSE-210")
	if asked != 1 || b.sent(iso7816.InsVerify) != 1 {
		t.Fatalf("asked %d times, %d VERIFY; want one each", asked, b.sent(iso7816.InsVerify))
	}
	stop := errors.New("no")
	s, _ = b.Signer(func() (secret.Text, error) { return secret.Text{}, stop })
	if _, err = s.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, stop) || b.sent(iso7816.InsVerify) != 1 {
		t.Fatalf("refusal to give the PIN: %v", err)
	}
}

// The PIN is lost at reset: the next signature asks again, once.
func TestSignerAsksAgainAfterReset(t *testing.T) {
	card := holdertest.Make(t, filepath.Join(t.TempDir(), "card"), cns.Neutral(), 7)
	c, err := chip.Open(card.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h, err := holder.New(reader.FromChip(c))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	s, err := h.Signer(func() (secret.Text, error) { asked++; return secret.FromString(holdertest.PIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	for want := 1; want <= 2; want++ {
		if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil || asked != want {
			t.Fatalf("%v, asked %d times, want %d", err, asked, want)
		}
		c.Reset()
	}
}

func TestFewAPDUs(t *testing.T) {
	b := lay(t, cns.Neutral())
	s, err := b.Signer(func() (secret.Text, error) { return secret.FromString(holdertest.PIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	got := b.count.Count()
	t.Logf("one login: %+v", got)
	if got.APDUs > 6 { // SELECT, READ, VERIFY, MSE, MSE, PSO
		t.Errorf("%d APDUs for certificate and signature, want 6 at most", got.APDUs)
	}
}

func TestUnknownAndEmptyCards(t *testing.T) {
	_, err := holder.New(fake{atr: []byte{0x3B, 0x80, 0x80, 0x01, 0x01}})
	want(t, err, "CSE-204")

	path := filepath.Join(t.TempDir(), "blank")
	c, err := chip.Create(path, cns.Neutral())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h, err := holder.New(reader.FromChip(c))
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Certificate()
	want(t, err, "CSE-224")
	_, err = h.CardID()
	want(t, err, "CSE-225")
}

// fake is a card with a script: the answers in order.
type fake struct {
	atr     []byte
	answers *[][]byte
	err     error
}

func (f fake) ATR() []byte            { return f.atr }
func (f fake) Begin() (func(), error) { return func() {}, nil }
func (f fake) Reset() error           { return nil }
func (f fake) Close() error           { return nil }
func (f fake) Transmit([]byte) ([]byte, error) {
	if f.answers == nil || len(*f.answers) == 0 {
		return nil, f.err
	}
	a := (*f.answers)[0]
	*f.answers = (*f.answers)[1:]
	return a, nil
}

func TestCardTakenOutWhileChanging(t *testing.T) {
	h, err := holder.New(fake{atr: cns.ST2021().ATR, err: words.Refuse("CSE-203").Because(reader.ErrRemoved)})
	if err != nil {
		t.Fatal(err)
	}
	want(t, h.ChangePIN(pin, secret.FromString("70416")), "CSE-216")
	want(t, h.VerifyPIN(pin), "CSE-203")
}

// A card over T=0 corrects Le (6Cxx) and holds data back (61xx).
func TestGetResponse(t *testing.T) {
	id := []byte("6090000000000123")
	answers := [][]byte{
		{0x90, 0x00},                            // SELECT
		{0x6C, 0x10},                            // READ BINARY with a wrong Le
		{0x61, 0x10},                            // READ BINARY again
		append(bytes.Clone(id[:9]), 0x61, 0x07), // GET RESPONSE
		append(bytes.Clone(id[9:]), 0x90, 0x00), // GET RESPONSE
	}
	h, err := holder.New(fake{atr: cns.ST2021().ATR, answers: &answers})
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.CardID()
	if err != nil || string(got) != string(id) || len(answers) != 0 {
		t.Fatalf("%q, %v, %d answers left", got, err, len(answers))
	}
}

func TestGarbageIsRefused(t *testing.T) {
	for _, answer := range [][]byte{{}, {0x90}, {0x6F, 0x00}} {
		answers := [][]byte{answer}
		h, err := holder.New(fake{atr: cns.ST2021().ATR, answers: &answers})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.CardID(); err == nil {
			t.Errorf("answer %X was accepted", answer)
		}
	}
}

func TestCodesAreNotInErrors(t *testing.T) {
	b := lay(t, cns.Neutral())
	err := b.VerifyPIN(wrong)
	if bytes.Contains([]byte(err.Error()), wrong.Reveal()) {
		t.Fatal("the PIN is in the error")
	}
}

// lying is a card whose signatures do not match its certificate.
type lying struct{ reader.Card }

func (l lying) Transmit(apdu []byte) ([]byte, error) {
	r, err := l.Card.Transmit(apdu)
	if len(r) > 2 && apdu[1] == iso7816.InsPerformSecurity {
		r[0] ^= 1
	}
	return r, err
}

func TestWrongSignatureIsNotHandedOut(t *testing.T) {
	card := holdertest.Make(t, filepath.Join(t.TempDir(), "card"), cns.Neutral(), 9)
	c, err := reader.FromFile(card.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h, err := holder.New(lying{c})
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Signer(func() (secret.Text, error) { return secret.FromString(holdertest.PIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	sig, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
	want(t, err, "CSE-226")
	if sig != nil {
		t.Fatal("the signature was handed out")
	}
	if _, err := s.Sign(rand.Reader, digest[:5], crypto.SHA256); err == nil {
		t.Fatal("a digest of a wrong length was signed")
	}
}
