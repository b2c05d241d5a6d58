//go:build cgo

package hsm_test

import (
	"crypto/rand"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/hsm/hsmtest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// openssl must succeed and print want.
func openssl(t *testing.T, want string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("openssl %s: %v, want %q in\n%s", strings.Join(args, " "), err, want, out)
	}
}

func filed(t *testing.T, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if kind != "" {
		der = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	if err := os.WriteFile(path, der, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// An authority whose keys are all in the token issues, publishes and answers,
// and OpenSSL believes it.
func TestAnAuthorityInAToken(t *testing.T) {
	for name, kinds := range map[string][3]keys.Algorithm{
		"ecdsa": {keys.P384, keys.P256, keys.P256},
		"rsa":   {keys.RSA2048, keys.RSA2048, keys.RSA2048},
	} {
		t.Run(name, func(t *testing.T) {
			conf := hsmtest.New(t, "authority "+name)
			vault := keys.Vault{Token: open(t, conf), Inside: true}
			start := time.Now().Add(-time.Minute)
			clock := civil.NewHand(start)
			p := ca.DefaultPlan()
			p.RootAlgorithm, p.IssuingAlgorithm, p.ResponderAlgorithm = kinds[0], kinds[1], kinds[2]
			p.URLs, p.Vault, p.Clock, p.Rand = profile.URLsAt(catest.Base), vault, clock, rand.Reader
			m, err := ca.Create(t.Context(), t.TempDir(), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []string{ca.FileRootKey, ca.FileIssuingKey, ca.FileResponderKey} {
				if in, err := keys.InToken(filepath.Join(m.Dir, f)); err != nil || !in {
					t.Errorf("%s is not in the token (%v)", f, err)
				}
			}
			db := storetest.SQLite(t)
			a := catest.NewAt(t, start, db, db.PKI(), func(p *ca.Parts) { p.Issuer, p.Signer, p.Clock = m.Issuing, m.IssuingKey, clock })
			good, err := a.Issue(t.Context(), catest.Request(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			clock.Set(time.Now())
			if err := a.Activate(t.Context(), ca.SerialOf(good)); err != nil {
				t.Fatal(err)
			}
			bad, err := a.Issue(t.Context(), catest.Request(t, 2)) // stays on hold: not activated
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			goodFile, badFile := filed(t, dir, "good.pem", "CERTIFICATE", good.Raw), filed(t, dir, "bad.pem", "CERTIFICATE", bad.Raw)
			openssl(t, ": OK", "verify", "-x509_strict", "-CAfile", m.RootFile, "-untrusted", m.IssuingFile, goodFile)

			pub, err := status.NewPublisher(status.PublisherParts{
				Issuer: m.Issuing, Signer: m.IssuingKey, Store: db.PKI(), Atomically: db.Atomically, Clock: clock, Rand: rand.Reader, Dir: dir, URLs: p.URLs,
			})
			if err != nil {
				t.Fatal(err)
			}
			lists, err := pub.Publish(t.Context())
			if err != nil || lists[0].Entries != 1 {
				t.Fatalf("%v (%v), want one entry", lists, err)
			}
			rootKey, err := ca.LoadRootKey(m.Dir, vault)
			if err != nil {
				t.Fatal(err)
			}
			rootList, err := status.PublishRoot(m.Root, rootKey, clock, rand.Reader, dir, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			openssl(t, "verify OK", "crl", "-inform", "DER", "-in", lists[0].Path, "-CAfile", m.IssuingFile, "-noout")
			openssl(t, "verify OK", "crl", "-inform", "DER", "-in", rootList.Path, "-CAfile", m.RootFile, "-noout")

			r, err := status.NewResponder(status.ResponderParts{
				Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: db.PKI(), Clock: clock, Rand: rand.Reader,
			})
			if err != nil {
				t.Fatal(err)
			}
			top := filed(t, dir, "top.pem", "", append(read(t, m.IssuingFile), read(t, m.RootFile)...))
			req := filepath.Join(dir, "req")
			openssl(t, "", "ocsp", "-issuer", m.IssuingFile, "-cert", goodFile, "-cert", badFile, "-no_nonce", "-reqout", req)
			reply, err := r.Answer(t.Context(), read(t, req))
			if err != nil {
				t.Fatal(err)
			}
			resp := filed(t, dir, "resp", "", reply.DER)
			for _, want := range []string{"Response verify OK", goodFile + ": good", badFile + ": revoked"} {
				openssl(t, want, "ocsp", "-issuer", m.IssuingFile, "-cert", goodFile, "-cert", badFile, "-no_nonce", "-respin", resp, "-CAfile", top)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
