package cryptoki

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
)

func TestTokenBeforeThePIN(t *testing.T) {
	for _, p := range []cns.Profile{cns.Neutral(), cns.ST2021(), cns.CNS10()} {
		t.Run(p.Name, func(t *testing.T) {
			d, card := newDesk(t, p)
			ids, rv := d.SlotList(true, true)
			d.want(OK, rv)
			if len(ids) != 1 {
				t.Fatalf("slots %v", ids)
			}
			i, rv := d.TokenInfo(ids[0])
			d.want(OK, rv)
			if i.Serial != string(card.ID) || i.Label != "TS-CNS "+holdertest.CF || i.Flags != FlagLoginRequired|FlagUserPINInit|FlagTokenInitialized {
				t.Fatalf("%+v", i)
			}
			h := d.session(false)
			if d.find(h, classPrivateKey) != 0 {
				t.Fatal("the private key shows before the PIN")
			}
			value := []Wanted{{Type: attrValue, Room: 4096}, {Type: attrSubject, Room: -1}}
			d.want(OK, d.AttributeValue(h, d.find(h, classCertificate), value))
			if !bytes.Equal(value[0].Value, card.Leaf.Raw) || value[1].Length != uint(len(card.Leaf.RawSubject)) || value[1].Value != nil {
				t.Fatal("certificate or length of its subject is wrong")
			}
			if d.find(h, classPublicKey) == 0 || d.opened != 0 {
				t.Fatalf("no public key, or the card was left open (%d)", d.opened)
			}
		})
	}
}

// Every mechanism signs what crypto/rsa verifies, on every profile.
func TestSignatures(t *testing.T) {
	message := bytes.Repeat([]byte("what is signed "), 100)
	hashes := map[MechanismType]crypto.Hash{
		SHA256RSAPKCS: crypto.SHA256, SHA384RSAPKCS: crypto.SHA384, SHA512RSAPKCS: crypto.SHA512,
		SHA256RSAPKCSPSS: crypto.SHA256, SHA384RSAPKCSPSS: crypto.SHA384, SHA512RSAPKCSPSS: crypto.SHA512,
	}
	numbers := map[crypto.Hash]MechanismType{crypto.SHA256: SHA256, crypto.SHA384: SHA384, crypto.SHA512: SHA512}
	for _, p := range []cns.Profile{cns.Neutral(), cns.ST2021(), cns.CNS10()} {
		d, card := newDesk(t, p)
		h := d.login()
		key, public := d.find(h, classPrivateKey), card.Leaf.PublicKey.(*rsa.PublicKey)
		for how, hash := range hashes {
			for _, salt := range []int{0, 20, hash.Size()} {
				t.Run(fmt.Sprintf("%s/%03X/%d", p.Name, how, salt), func(t *testing.T) {
					m := Mechanism{Type: how}
					if abilities[how].pss {
						m.Parameter = pssBytes(numbers[hash], mgf[hash], uint(salt))
						if salt+hash.Size()+2 > (p.ModulusBits+6)/8 {
							d.want(MechanismParamInvalid, d.SignInit(h, m, key))
							return
						}
					}
					d.want(OK, d.SignInit(h, m, key))
					d.want(OK, d.SignUpdate(h, message[:700]))
					d.want(OK, d.SignUpdate(h, message[700:]))
					_, size, rv := d.SignFinal(h, -1)
					d.want(OK, rv)
					if size != public.Size() {
						t.Fatalf("size %d", size)
					}
					sig, _, rv := d.SignFinal(h, size)
					d.want(OK, rv)
					x := hash.New()
					x.Write(message)
					err := rsa.VerifyPKCS1v15(public, hash, x.Sum(nil), sig)
					if abilities[how].pss {
						options := &rsa.PSSOptions{SaltLength: salt}
						if salt == 0 {
							options.SaltLength = rsa.PSSSaltLengthAuto
						}
						err = rsa.VerifyPSS(public, hash, x.Sum(nil), sig, options)
					}
					if err != nil {
						t.Fatal(err)
					}
				})
			}
		}
		// the caller hashes: TLS 1.2 brings a DigestInfo, TLS 1.3 a digest for PSS
		digest := sha256.Sum256(message)
		d.want(OK, d.SignInit(h, Mechanism{Type: RSAPKCS}, key))
		info := append([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, digest[:]...)
		sig, _, rv := d.Sign(h, info, 256)
		d.want(OK, rv)
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], sig); err != nil {
			t.Fatal(err)
		}
		d.want(OK, d.SignInit(h, Mechanism{Type: RSAPKCSPSS, Parameter: pssBytes(SHA256, 2, 32)}, key))
		sig, _, rv = d.Sign(h, digest[:], 256)
		d.want(OK, rv)
		if err := rsa.VerifyPSS(public, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: 32}); err != nil {
			t.Fatal(err)
		}
	}
}

func pssBytes(hash MechanismType, generator, salt uint) []byte {
	return append(append(ulong(uint(hash)), ulong(generator)...), ulong(salt)...)
}

// The rules of the standard about operations and room.
func TestOperations(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	h := d.session(false)
	_, _, rv := d.Sign(h, nil, 256)
	d.want(OperationNotInitialized, rv)
	d.want(UserNotLoggedIn, d.SignInit(h, Mechanism{Type: RSAPKCS}, 3))
	d.want(OK, d.Login(h, User, pin(holdertest.PIN)))
	key, certificate := d.find(h, classPrivateKey), d.find(h, classCertificate)
	for _, c := range []struct {
		how  Mechanism
		key  Handle
		want RV
	}{
		{Mechanism{Type: 0x0003}, key, MechanismInvalid}, // CKM_RSA_X_509
		{Mechanism{Type: SHA256}, key, MechanismInvalid},
		{Mechanism{Type: RSAPKCS}, 999, KeyHandleInvalid},
		{Mechanism{Type: RSAPKCS}, certificate, KeyFunctionNotPermitted},
		{Mechanism{Type: RSAPKCS, Parameter: []byte{1}}, key, MechanismParamInvalid},
		{Mechanism{Type: RSAPKCSPSS}, key, MechanismParamInvalid},
		{Mechanism{Type: RSAPKCSPSS, Parameter: pssBytes(SHA256, 3, 32)}, key, MechanismParamInvalid},
		{Mechanism{Type: RSAPKCSPSS, Parameter: pssBytes(SHA1, 1, 20)}, key, MechanismParamInvalid},
		{Mechanism{Type: RSAPKCSPSS, Parameter: pssBytes(SHA256RSAPKCS, 2, 32)}, key, MechanismParamInvalid},
		{Mechanism{Type: RSAPKCSPSS, Parameter: pssBytes(SHA256, 2, Unavailable)}, key, MechanismParamInvalid},
		{Mechanism{Type: SHA256RSAPKCSPSS, Parameter: pssBytes(SHA384, 3, 32)}, key, MechanismParamInvalid},
	} {
		d.want(c.want, d.SignInit(h, c.how, c.key))
	}
	d.want(OK, d.SignInit(h, Mechanism{Type: RSAPKCS}, key))
	d.want(OperationActive, d.SignInit(h, Mechanism{Type: RSAPKCS}, key))
	_, size, rv := d.Sign(h, []byte("x"), 10)
	d.want(BufferTooSmall, rv)
	if size != 256 {
		t.Fatalf("size %d", size)
	}
	sig, _, rv := d.Sign(h, []byte("x"), 256)
	d.want(OK, rv)
	if len(sig) != 256 {
		t.Fatalf("%d bytes", len(sig))
	}
	d.want(OK, d.SignInit(h, Mechanism{Type: RSAPKCS}, key))
	_, _, rv = d.Sign(h, make([]byte, 246), 256)
	d.want(DataLenRange, rv)
	_, _, rv = d.Sign(h, nil, 256)
	d.want(OperationNotInitialized, rv)

	d.want(OK, d.DigestInit(h, Mechanism{Type: SHA256}))
	d.want(OperationActive, d.DigestInit(h, Mechanism{Type: SHA256}))
	sum, _, rv := d.Digest(h, []byte("abc"), 32)
	d.want(OK, rv)
	if fmt.Sprintf("%x", sum[:4]) != "ba7816bf" {
		t.Fatalf("%x", sum)
	}
	d.want(OK, d.FindObjectsInit(h, nil))
	d.want(OperationActive, d.FindObjectsInit(h, nil))
	all, rv := d.FindObjects(h, 2)
	d.want(OK, rv)
	rest, _ := d.FindObjects(h, 2)
	if len(all) != 2 || len(rest) != 1 {
		t.Fatalf("%v, %v", all, rest)
	}
	d.want(OK, d.FindObjectsFinal(h))
	d.want(OperationNotInitialized, d.FindObjectsFinal(h))

	list := []Wanted{{Type: attrValue, Room: 10}, {Type: attrPrivateExponent, Room: 100}, {Type: 0x80000001, Room: 4}, {Type: attrLabel, Room: 4}}
	if rv := d.AttributeValue(h, certificate, list[:1]); rv != BufferTooSmall || list[0].Length != Unavailable {
		t.Fatalf("%v %+v", rv, list[0])
	}
	if rv := d.AttributeValue(h, key, list[1:]); rv == OK || list[1].Length != Unavailable || list[2].Length != Unavailable || string(list[3].Value) != authentication.label {
		t.Fatalf("%v %+v", rv, list)
	}
	d.want(AttributeSensitive, d.AttributeValue(h, key, []Wanted{{Type: attrPrivateExponent, Room: 100}}))
}

// Objects are never made, changed or destroyed, and the answer says why.
func TestObjectsAreRefused(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	ro, rw := d.session(false), d.session(true)
	onToken := []Attribute{{attrClass, ulong(classData)}, {attrToken, flag(true)}}
	d.want(SessionReadOnly, d.CreateObject(ro, onToken))
	d.want(TokenWriteProtected, d.CreateObject(rw, onToken))
	d.want(FunctionNotSupported, d.CreateObject(rw, onToken[:1]))
	d.want(SessionReadOnly, d.ChangeObject(ro, d.find(ro, classCertificate)))
	d.want(ActionProhibited, d.ChangeObject(rw, d.find(rw, classCertificate)))
	d.want(ObjectHandleInvalid, d.ChangeObject(rw, 12345))
}

func TestReinitialisation(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	d.want(AlreadyInitialized, d.Initialize())
	h := d.login()
	d.want(OK, d.Finalize())
	if d.opened != 0 {
		t.Fatal("the card stays open")
	}
	if d.tries() != 3 {
		t.Fatal("the card was left verified or a try was spent")
	}
	d.want(NotInitialized, d.Finalize())
	d.want(NotInitialized, d.Login(h, User, pin(holdertest.PIN)))
	_, rv := d.SlotList(true, true)
	d.want(NotInitialized, rv)
	d.want(OK, d.Initialize())
	_, rv = d.SessionInfo(h)
	d.want(SessionHandleInvalid, rv)
	d.signOnce(d.login())
}

// signOnce makes one signature.
func (d *desk) signOnce(h Handle) {
	d.t.Helper()
	d.want(OK, d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, d.find(h, classPrivateKey)))
	_, _, rv := d.Sign(h, []byte("x"), 256)
	d.want(OK, rv)
}

// What a browser asks again and again costs the card nothing.
func TestPollingCostsNothing(t *testing.T) {
	d, _ := newDesk(t, cns.ST2021())
	h := d.login()
	d.signOnce(h)
	d.count.Zero()
	for range 1000 {
		d.later(100 * time.Millisecond)
		_, rv := d.SlotInfo(0)
		d.want(OK, rv)
		_, rv = d.TokenInfo(0)
		d.want(OK, rv)
		_, rv = d.SessionInfo(h)
		d.want(OK, rv)
		d.find(h, classCertificate)
	}
	if n := d.count.Count(); n.APDUs != 0 {
		t.Fatalf("%+v", n)
	}
}

// One log-in and one signature: the exchanges are counted.
func TestExchangesOfOneLogin(t *testing.T) {
	for _, c := range []struct {
		profile cns.Profile
		most    int64
	}{{cns.Neutral(), 10}, {cns.ST2021(), 12}} {
		d, _ := newDesk(t, c.profile)
		_, rv := d.TokenInfo(0)
		d.want(OK, rv)
		d.signOnce(d.login())
		n := d.count.Count()
		t.Logf("%s: %+v", c.profile.Name, n)
		if n.APDUs > c.most {
			t.Errorf("%s: %+v, at most %d wanted", c.profile.Name, n, c.most)
		}
	}
}

// No question waits behind a signature.
func TestQuestionsDoNotWaitForASignature(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	h := d.login()
	key := d.find(h, classPrivateKey)
	other := d.session(false)
	busy, done := make(chan struct{}), make(chan struct{})
	d.mu.Lock()
	d.hook = func(c []byte) {
		if c[1] == 0x2A {
			close(busy)
			<-done
		}
	}
	d.mu.Unlock()
	signed := make(chan RV)
	d.want(OK, d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, key))
	go func() { _, _, rv := d.Sign(h, []byte("x"), 256); signed <- rv }()
	<-busy
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for range 50 {
			d.later(time.Second)
			_, _ = d.SlotList(true, false)
			_, _ = d.SlotInfo(0)
			_, _ = d.TokenInfo(0)
			_, _ = d.SessionInfo(h)
			_, _ = d.MechanismList(0)
			d.find(other, classCertificate)
			_, _ = d.WaitForSlotEvent(false)
			n, _ := d.OpenSession(0, true, false)
			_ = d.CloseSession(n)
		}
	}()
	select {
	case <-answered:
	case <-time.After(10 * time.Second):
		t.Fatal("a question waits for the card")
	}
	close(done)
	d.want(OK, <-signed)
}

func TestFixedFields(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"ROSSI", 8, "ROSSI   "}, {"NICCOLÒ", 7, "NICCOL "}, {"NICCOLÒ", 8, "NICCOLÒ"}, {"", 2, "  "}, {strings.Repeat("à", 20), 5, "àà "}} {
		if got := string(Padded(c.in, c.n)); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
