//go:build cgo

package ceremony_test

import (
	"crypto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/pki/ceremony"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/hsm"
	"cse.example/cse/pki/keys/hsm/hsmtest"
)

// The same ceremonies with every key in a token; a kill between the key's birth
// in it and the key's file leaves no orphan.
func TestCeremoniesInAToken(t *testing.T) {
	if os.Getenv("CSE_FOREIGN") == "" {
		t.Log("nothing done; set CSE_FOREIGN=1 to run against SoftHSM2")
		return
	}
	h, conf := newHall(t), hsmtest.New(t, "ceremony")
	pin, err := os.ReadFile(conf.PINFile)
	if err != nil {
		t.Fatal(err)
	}
	h.write("token.pin", string(pin))
	inside := func(text string) string {
		for _, files := range []string{"[root.pass]", "[part1, part2]"} {
			text = strings.ReplaceAll(text, "where: file, passphrase_files: "+files, "where: token")
			text = strings.ReplaceAll(text, ", passphrase_files: "+files, "")
		}
		return strings.Replace(text, "out: ca\n", "out: ca\ntoken: {module: "+conf.Module+", label: ceremony, pin_file: token.pin}\n", 1)
	}
	tok, err := hsm.Open(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer tok.Close()
	f := h.read("root.yaml", inside(h.rootFile()))
	_, born, err := tok.Generate("root.key "+f.Digest()[:16], keys.P384) // and then the kill
	if err != nil {
		t.Fatal(err)
	}
	h.hold("root.yaml", inside(h.rootFile()))
	if c := h.cert("ca/root.pem"); !born.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(c.PublicKey) {
		t.Error("the root's key was made twice")
	}
	h.hold("issuing.yaml", inside(h.issuingFile()))
	tr, path := h.hold("responder.yaml", inside(h.responderFile()))
	if tr.Keys[0].Where != "token" {
		t.Errorf("keys: %+v", tr.Keys)
	}
	if _, err := ceremony.Verify(path, h.cert("ca/issuing.pem")); err != nil {
		t.Error(err)
	}
	for _, k := range []string{"root.key", "issuing.key", "ocsp.key"} {
		if in, err := keys.InToken(filepath.Join(h.path("ca"), k)); err != nil || !in {
			t.Errorf("%s is not in the token (%v)", k, err)
		}
	}
}
