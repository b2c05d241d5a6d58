package foreign

import (
	"crypto/rand"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/ground/secret"
)

// profiles are the cards foreign software must take.
var profiles = []cns.Profile{cns.Neutral(), cns.ST2021()}

func eachProfile(t *testing.T, test func(*desk)) {
	t.Helper()
	for _, p := range profiles {
		t.Run(p.Name, func(t *testing.T) { test(insert(t, p)) })
	}
}

func TestOpenSCRecognisesTheCard(t *testing.T) {
	eachProfile(t, func(d *desk) {
		out := d.run("opensc-tool", "-a", "-n")
		atr, err := cns.ParseProfile(d.profile())
		if err != nil {
			d.t.Fatal(err)
		}
		d.contains(out, colons(atr.ATR), "CNS card")
	})
}

// profile is the name of the profile of the card on the desk.
func (d *desk) profile() string {
	_, name, _ := strings.Cut(d.t.Name(), "/")
	return name
}

// colons is a byte string the way OpenSC prints it.
func colons(b []byte) string {
	const digits = "0123456789abcdef"
	var parts []string
	for _, c := range b {
		parts = append(parts, string([]byte{digits[c>>4], digits[c&0xF]}))
	}
	return strings.Join(parts, ":")
}

func TestPKCS15Dump(t *testing.T) {
	eachProfile(t, func(d *desk) {
		out := d.run("pkcs15-tool", "--dump")
		d.contains(out, "MARIO ROSSI", string(d.card.ID), "CNS0", "X.509 Certificate", "Private RSA Key", "ModLength      : 2048")
	})
}

func TestPKCS11SelfTest(t *testing.T) {
	eachProfile(t, func(d *desk) {
		d.contains(d.run("pkcs11-tool", "--module", module, "--test", "--login", "--pin", holdertest.PIN), "No errors")
	})
}

func TestPKCS11SignatureVerifiesWithOpenSSL(t *testing.T) {
	eachProfile(t, func(d *desk) {
		message := make([]byte, 1000)
		_, _ = rand.Read(message)
		msg := d.file("message", message)
		cert := d.file("card.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.card.Leaf.Raw}))
		public := d.file("public.pem", []byte(d.run("openssl", "x509", "-in", cert, "-pubkey", "-noout")))
		for _, c := range []struct {
			mechanism string
			verify    []string
		}{
			{"SHA256-RSA-PKCS", nil},
			{"SHA256-RSA-PKCS-PSS", []string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"}},
		} {
			sig := filepath.Join(d.home, c.mechanism)
			d.run("pkcs11-tool", "--module", module, "--login", "--pin", holdertest.PIN, "-s", "-m", c.mechanism, "--id", "01", "-i", msg, "-o", sig)
			args := append([]string{"dgst", "-sha256", "-verify", public}, c.verify...)
			d.contains(d.run("openssl", append(args, "-signature", sig, msg)...), "Verified OK")
		}
	})
}

// Three wrong PINs from OpenSC, the PUK and a change by OpenSC; our own program
// sees the same counters.
func TestOpenSCBlocksUnblocksChanges(t *testing.T) {
	eachProfile(t, func(d *desk) {
		for range 3 {
			if out, err := d.try("", "pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "99174"); err == nil {
				d.t.Fatalf("a wrong PIN was accepted:\n%s", out)
			}
		}
		if out, err := d.try("", "pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", holdertest.PIN); err == nil {
			d.t.Fatalf("the right PIN works on a blocked card:\n%s", out)
		}
		d.wantTries(0, 3)
		d.run("pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", holdertest.PUK, "--new-pin", "70416")
		d.wantTries(3, 3)
		d.run("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "70416")
		d.run("pkcs15-tool", "--change-pin", "--auth-id", "01", "--pin", "70416", "--new-pin", "38195")
		if out, err := d.try("", "pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "70416"); err == nil {
			d.t.Fatalf("the old PIN still works:\n%s", out)
		}
		d.wantTries(2, 3)
		d.run("pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", "38195")
		d.wantTries(3, 3)
	})
}

// wantTries looks at the counters in the card's file, beside the reader.
func (d *desk) wantTries(pin, puk int) {
	d.t.Helper()
	c, err := chip.OpenReadOnly(d.card.Path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	for _, x := range []struct {
		reference byte
		want      int
	}{{cns.RefPIN, pin}, {cns.RefPUK, puk}} {
		r, err := c.Transmit([]byte{0x00, 0x20, 0x00, x.reference})
		if err != nil || len(r) != 2 {
			d.t.Fatalf("%X, %v", r, err)
		}
		got := int(r[1] & 0x0F)
		if r[0] == 0x69 && r[1] == 0x83 {
			got = 0
		}
		if got != x.want {
			d.t.Fatalf("code %02X: %d tries left, want %d", x.reference, got, x.want)
		}
	}
}

// One signature by OpenSC and one by us on the same chip: ours must need fewer
// exchanges and fewer bytes.
func TestFewerAPDUsThanOpenSC(t *testing.T) {
	d := insert(t, cns.Neutral())
	msg := d.file("message", []byte("one signature"))
	d.count.Zero()
	d.run("pkcs11-tool", "--module", module, "--login", "--pin", holdertest.PIN, "-s", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", msg, "-o", filepath.Join(d.home, "sig"))
	theirs := d.count.Count()

	d.count.Zero()
	signOverPCSC(t)
	ours := d.count.Count()
	t.Logf("APDUs and bytes for one signature: ours %+v, OpenSC %+v", ours, theirs)
	if ours.APDUs == 0 || ours.APDUs*3 > theirs.APDUs || ours.Sent+ours.Received >= theirs.Sent+theirs.Received {
		t.Errorf("ours %+v, OpenSC %+v; want a third of the exchanges and fewer bytes", ours, theirs)
	}
}

// signOverPCSC opens the card, reads its certificate and signs once.
func signOverPCSC(t *testing.T) {
	t.Helper()
	h, err := holder.New(connect(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := h.Signer(func() (secret.Text, error) { return secret.FromString(holdertest.PIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	signOnce(t, s)
}
