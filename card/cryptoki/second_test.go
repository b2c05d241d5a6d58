package cryptoki

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
)

// A card with a second key: its objects, and its own PIN before each signature.
func TestSecondKey(t *testing.T) {
	p := cns.ST2021()
	p.DigitalSignature = true
	d, card := newDesk(t, p)
	h := d.login()
	d.want(OK, d.FindObjectsInit(h, []Attribute{{attrClass, ulong(classPrivateKey)}}))
	keys, rv := d.FindObjects(h, 10)
	d.want(OK, rv)
	d.want(OK, d.FindObjectsFinal(h))
	if len(keys) != 2 {
		t.Fatalf("%d private keys", len(keys))
	}
	list := []Wanted{{Type: attrLabel, Room: 10}, {Type: attrAlwaysAuthenticate, Room: 1}, {Type: attrModulus, Room: 256}}
	d.want(OK, d.AttributeValue(h, keys[1], list))
	public := card.Signature.PublicKey.(*rsa.PublicKey)
	if string(list[0].Value) != "CNS1" || list[1].Value[0] != 1 || string(list[2].Value) != string(public.N.Bytes()) {
		t.Fatalf("%+v", list)
	}
	sha := Mechanism{Type: SHA256RSAPKCS}
	d.want(OperationNotInitialized, d.Login(h, ContextSpecific, pin(holdertest.SignaturePIN)))
	d.want(OK, d.SignInit(h, sha, keys[0]))
	d.want(OperationNotInitialized, d.Login(h, ContextSpecific, pin(holdertest.SignaturePIN)))
	_, _, rv = d.Sign(h, []byte("x"), 256)
	d.want(OK, rv)

	d.want(OK, d.SignInit(h, sha, keys[1]))
	_, _, rv = d.Sign(h, []byte("x"), 256)
	d.want(UserNotLoggedIn, rv) // the first PIN is not enough

	d.want(OK, d.SignInit(h, sha, keys[1]))
	for range 5 {
		d.want(PINIncorrect, d.Login(h, ContextSpecific, pin("11223344")))
	}
	d.want(PINIncorrect, d.Login(h, ContextSpecific, pin("1")))
	d.want(OK, d.Login(h, ContextSpecific, pin(holdertest.SignaturePIN)))
	sig, _, rv := d.Sign(h, []byte("x"), 256)
	d.want(OK, rv)
	digest := sha256.Sum256([]byte("x"))
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], sig); err != nil {
		t.Fatal(err)
	}

	d.want(OK, d.SignInit(h, sha, keys[1]))
	_, _, rv = d.Sign(h, []byte("x"), 256)
	d.want(UserNotLoggedIn, rv) // each signature wants it anew
	d.signOnceWith(h, keys[0])  // and the first key works on
	if n := d.tries(); n != 3 {
		t.Fatalf("the first PIN has %d tries left", n)
	}
}

func (d *desk) signOnceWith(h, key Handle) {
	d.t.Helper()
	d.want(OK, d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, key))
	_, _, rv := d.Sign(h, []byte("x"), 256)
	d.want(OK, rv)
}
