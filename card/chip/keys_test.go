package chip_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/chip/chiptest"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
)

// digestInfo is the DER DigestInfo of SHA-256 over msg.
func digestInfo(t testing.TB, msg string) []byte {
	sum := sha256.Sum256([]byte(msg))
	return append(unhex(t, "3031300D060960864801650304020105000420"), sum[:]...)
}

func type1(size int, payload []byte) []byte {
	b := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, size-3-len(payload))...)
	return append(append(b, 0), payload...)
}

func login(t testing.TB, c *chip.Chip) {
	t.Helper()
	script(t, c, `
		00200010 08 PINPIN -> 9000
		0022F303 00 -> 9000
		0022F1B8 03 830101 -> 9000
		0022F1B6 03 830101 -> 9000
		0022F1A4 03 840101 -> 9000
	`)
}

func public(t testing.TB, c *chip.Chip) *rsa.PublicKey {
	t.Helper()
	k, ok := c.PublicKey()
	if !ok {
		t.Fatal("no key")
	}
	return k
}

// One login and one signature as OpenSC sends them (card.md section 8.1).
func TestDecipherAsOpenSC(t *testing.T) {
	for _, p := range []cns.Profile{cns.Neutral(), cns.ST2021()} {
		c, made := open(t, p)
		login(t, c)
		k := public(t, c)
		if !k.Equal(made.Certificate.PublicKey) {
			t.Fatal("certificate and key differ")
		}
		full := append([]byte{0}, type1(k.Size(), digestInfo(t, "x"))...)
		script(t, c, "102A8086 FF "+hex.EncodeToString(full[:255])+" -> 9000")
		sig, sw := send(t, c, "002A8086 02 "+hex.EncodeToString(full[255:])+" 00")
		sum := sha256.Sum256([]byte("x"))
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], sig); err != nil || !sw.OK() {
			t.Fatalf("%s: %v %v", p.Name, sw, err)
		}
	}
}

func decipher(t testing.TB, c *chip.Chip, block []byte) ([]byte, iso7816.SW) {
	t.Helper()
	apdu, err := iso7816.Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: append([]byte{0}, block...), Le: 65536}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return sendRaw(t, c, apdu)
}

// The plain operation, on blocks of every kind, undone with the public key.
func TestRawRSA(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	login(t, c)
	k := public(t, c)
	random := make([]byte, 256)
	if _, err := rand.Read(random[1:]); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 256)
	one[255] = 1
	last := new(big.Int).Sub(k.N, big.NewInt(1)).FillBytes(make([]byte, 256))
	few := type1(256, digestInfo(t, "few"))
	few[6] = 0 // fewer than eight FF: not PKCS#1
	for name, block := range map[string][]byte{
		"random": random, "zero": make([]byte, 256), "one": one, "n-1": last, "type 1": type1(256, []byte("any")),
		"empty type 1": type1(256, nil), "short padding": few,
	} {
		out, sw := decipher(t, c, block)
		if !sw.OK() || len(out) != 256 {
			t.Errorf("%s: %v, %d bytes", name, sw, len(out))
			continue
		}
		back := new(big.Int).Exp(new(big.Int).SetBytes(out), big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, 256))
		if !bytes.Equal(back, block) {
			t.Errorf("%s: the public key does not undo it", name)
		}
	}
	for name, block := range map[string][]byte{"n": k.N.Bytes(), "all FF": bytes.Repeat([]byte{0xFF}, 256)} {
		if out, sw := decipher(t, c, block); sw != iso7816.WrongData || len(out) != 0 {
			t.Errorf("%s: %v", name, sw)
		}
	}
	for name, block := range map[string][]byte{"short": random[1:], "long": append(random, 1), "empty": nil} {
		if _, sw := decipher(t, c, block); sw != iso7816.WrongLength {
			t.Errorf("%s: %v", name, sw)
		}
	}
	apdu, _ := iso7816.Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: append([]byte{1}, random...), Le: 256}.Bytes()
	if _, sw := sendRaw(t, c, apdu); sw != iso7816.WrongData {
		t.Errorf("indicator 01: %v", sw)
	}
	apdu, _ = iso7816.Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: append([]byte{0}, random...), Le: 16}.Bytes()
	if _, sw := sendRaw(t, c, apdu); sw != 0x6C00 {
		t.Errorf("Le of 16: %v", sw)
	}
}

func TestPSSByTheHost(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	login(t, c)
	k := public(t, c)
	sum := sha256.Sum256([]byte("pss"))
	sig, err := rsa.SignPSS(rand.Reader, throwaway(t), crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	// The encoded message of another 2048-bit key: PSS keeps it below 2^2047.
	em := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(65537), throwaway(t).N)
	out, sw := decipher(t, c, em.FillBytes(make([]byte, 256)))
	if err := rsa.VerifyPSS(k, crypto.SHA256, sum[:], out, nil); err != nil || !sw.OK() {
		t.Fatal(sw, err)
	}
}

var throwawayKey *rsa.PrivateKey

func throwaway(t testing.TB) *rsa.PrivateKey {
	if throwawayKey == nil {
		var err error
		if throwawayKey, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	return throwawayKey
}

func TestComputeSignature(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	login(t, c)
	k := public(t, c)
	info := digestInfo(t, "cds")
	sum := sha256.Sum256([]byte("cds"))
	sig, sw := send(t, c, "002A9E9A 33 "+hex.EncodeToString(info)+" 00")
	if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], sig); err != nil || !sw.OK() {
		t.Fatal(sw, err)
	}
	whole, sw := send(t, c, "002A9E9A 000100 "+hex.EncodeToString(type1(256, info))+" 0100")
	if !sw.OK() || !bytes.Equal(whole, sig) {
		t.Error("full block:", sw)
	}
	script(t, c, `
		002A9E9A -> 6700
		002A9E9A 000101 `+hex.EncodeToString(make([]byte, 257))+` -> 6700
		002A9E9A 0000F6 `+hex.EncodeToString(make([]byte, 246))+` -> 6A80
		002A9E9A 000100 `+hex.EncodeToString(bytes.Repeat([]byte{0xFF}, 256))+` -> 6A80
		002A9E9B 01 00 -> 6A86
	`)
}

// Rules R4 and R70: no use of the key without a VERIFY in this session.
func TestKeyNeedsThePIN(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	use := "002A9E9A 33 " + hex.EncodeToString(digestInfo(t, "x")) + " 00"
	choose := "0022F1B6 03 830101 -> 9000\n"
	script(t, c, use+" -> 6985") // no key chosen
	script(t, c, choose+use+" -> 6982")
	script(t, c, "00200010 08 BADBAD -> 63C2\n"+use+" -> 6982")
	script(t, c, "00200011 08 PUKPUK -> 9000\n"+use+" -> 6982") // the PUK is not the PIN
	script(t, c, "00240010 10 PINPIN NEWNEW -> 9000\n"+use+" -> 6982")
	script(t, c, "00200010 08 NEWNEW -> 9000\n"+use+" -> 9000 *")
	script(t, c, use+" -> 9000 *")
	script(t, c, "0022F303 00 -> 9000\n"+use+" -> 6985") // RESTORE forgets the choice
	script(t, c, choose+use+" -> 9000 *")
	script(t, c, "RESET\n"+choose+use+" -> 6982")
	script(t, c, "00200010 08 NEWNEW -> 9000\n"+use+" -> 9000 *")
	script(t, c, "002C0110 08 PUKPUK -> 9000\n"+use+" -> 6982")
	script(t, c, "00200010 08 NEWNEW -> 9000\n 00200010 08 BADBAD -> 63C2\n 00200010 08 BADBAD -> 63C1\n 00200010 08 BADBAD -> 6983\n"+use+" -> 6982")
}

func TestManageSecurityEnvironment(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	script(t, c, `
		0022F303 -> 9000
		0022F303 00 -> 9000
		0022F301 00 -> 9000
		0022F302 00 -> 6A88
		0022F303 01 00 -> 6700
		0022F1B8 03 830101 -> 9000
		002241B8 03 830101 -> 9000
		002281B6 03 840101 -> 9000
		0022F1B8 03 830102 -> 6A88
		0022F1B8 03 830110 -> 6A88
		0022F1B9 03 830101 -> 6A86
		0022F2B8 03 830101 -> 6A86
		0022F1B8 03 850101 -> 6A80
		0022F1B8 02 8301 -> 6A80
		0022F1B8 04 83020101 -> 6A80
		0022F1B8 -> 6A80
	`)
}

// CNS 1.0 with RSA-1024: one short APDU of 129 bytes, extended length refused.
func TestOlderCard(t *testing.T) {
	p, _ := cns.ParseProfile("cns10")
	c, _ := open(t, p)
	login(t, c)
	k := public(t, c)
	full := append([]byte{0}, type1(128, digestInfo(t, "old"))...)
	sig, sw := send(t, c, "002A8086 81 "+hex.EncodeToString(full)+" 00")
	sum := sha256.Sum256([]byte("old"))
	// crypto/rsa refuses to verify with 1024 bits in new versions: by hand.
	em := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, 128))
	if !sw.OK() || !bytes.HasSuffix(em, sum[:]) || !bytes.Equal(em, full[1:]) {
		t.Fatal(sw)
	}
	script(t, c, "002A8086 000081 "+hex.EncodeToString(full)+" 0000 -> 6700")
}

func TestCardThatRefusesChaining(t *testing.T) {
	p := cns.Neutral()
	p.RefuseChaining = true
	c, _ := open(t, p)
	login(t, c)
	script(t, c, "102A8086 01 00 -> 6E00")
	if _, sw := decipher(t, c, type1(256, []byte("x"))); !sw.OK() {
		t.Fatal("extended:", sw)
	}
}

func TestChainingLimits(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	login(t, c)
	link := "102A8086 FF " + hex.EncodeToString(make([]byte, 255))
	for i := range 16 {
		script(t, c, link+" -> 9000")
		if i == 3 {
			script(t, c, "00B00000 01 -> 6986")                             // an interruption drops the chain
			script(t, c, "002A8086 02 0000 00 -> 6700 \n "+link+" -> 9000") // so this is two bytes only
		}
	}
}

func TestInternalAuthenticate(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	script(t, c, "0022F1A4 03 830101 -> 9000\n 00880000 08 0102030405060708 00 -> 6982")
	login(t, c)
	out, sw := send(t, c, "00880000 08 0102030405060708 00")
	k := public(t, c)
	if !sw.OK() {
		t.Fatal(sw)
	}
	em := new(big.Int).Exp(new(big.Int).SetBytes(out), big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, 256))
	if !bytes.Equal(em, type1(256, []byte{1, 2, 3, 4, 5, 6, 7, 8})) {
		t.Errorf("% X", em)
	}
	script(t, c, "00880001 01 00 -> 6A86 \n 00880000 -> 6700 \n 00880000 0000F6 "+hex.EncodeToString(make([]byte, 246))+" -> 6700")
}

func TestExternalAuthenticate(t *testing.T) {
	c, made := open(t, cns.Neutral())
	answer := func() string {
		challenge, sw := send(t, c, "0084000010")
		if !sw.OK() {
			t.Fatal(sw)
		}
		out, err := secmsg.Cryptogram([]byte(chiptest.IssuerKey), challenge)
		if err != nil {
			t.Fatal(err)
		}
		return "00820018 10 " + hex.EncodeToString(out)
	}
	wrong := "00820018 10 " + hex.EncodeToString(make([]byte, 16))
	script(t, c, wrong+" -> 6985") // no challenge
	script(t, c, "0084000008 -> 9000 *\n"+wrong+" -> 6985")
	script(t, c, "0084000010 -> 9000 *\n 00820018 08 0000000000000000 -> 6700 \n"+wrong+" -> 6985")
	script(t, c, "00A4080C0411001101 -> 9000 \n 00D6000001 31 -> 6982")
	script(t, c, "0084000010 -> 9000 *\n"+wrong+" -> 63C2\n"+wrong+" -> 6985")
	good := answer()
	script(t, c, good+" -> 9000 \n 00D6000001 31 -> 6982 \n"+good+" -> 6985") // the certificate: not in clear; no replay
	script(t, c, "00A4080C0412004142 -> 9000 \n 00D6000001 31 -> 9000")       // the installation file: in clear
	script(t, c, "00A4080C0411001102 -> 9000 \n 00D6000001 31 -> 6982")       // personal data: never
	script(t, c, "RESET\n 00A4080C0411001101 -> 9000 \n 00D6000001 31 -> 6982")
	script(t, c, "00A4080C0412004142 -> 9000 \n 00D6000001 31 -> 6982")
	for range 2 { // a right one gives the tries back
		script(t, c, "0084000010 -> 9000 *\n"+wrong+" -> 63C2")
		script(t, c, answer()+" -> 9000")
	}
	for _, want := range []string{"63C2", "63C1", "6983", "6983"} {
		script(t, c, "0084000010 -> 9000 *\n"+wrong+" -> "+want)
	}
	script(t, c, answer()+" -> 6983")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = reopen(t, made)
	script(t, c, answer()+" -> 6983 \n 00820019 10 "+hex.EncodeToString(make([]byte, 16))+" -> 6A88 \n 00820118 10 "+hex.EncodeToString(make([]byte, 16))+" -> 6A86")
}

func TestSignatureKey(t *testing.T) {
	p := cns.Neutral()
	p.DigitalSignature = true
	c, _ := open(t, p)
	use := "002A9E9A 33 " + hex.EncodeToString(digestInfo(t, "ds")) + " 00"
	script(t, c, "0022F1B6 03 830110 -> 9000\n 00200010 08 PINPIN -> 9000\n"+use+" -> 6982") // not with the other PIN
	script(t, c, "0020009A 08 PINPIN -> 9000\n"+use+" -> 9000 *\n 002C001A 10 PUKPUK NEWNEW -> 9000\n"+use+" -> 6982")
}
