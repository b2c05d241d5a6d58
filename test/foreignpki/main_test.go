// Package foreignpki proves certificates, lists and OCSP answers against other
// people's software: OpenSSL, GnuTLS, curl.
//
// Without CSE_FOREIGN=1 it says that it did nothing. With it, a missing program
// is a failure that names the package to install.
package foreignpki

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// programs are what these tests run, and the Debian package of each.
var programs = []struct{ name, pkg string }{
	{"openssl", "openssl"}, {"certtool", "gnutls-bin"}, {"ocsptool", "gnutls-bin"}, {"curl", "curl"},
}

func TestMain(m *testing.M) {
	if os.Getenv("CSE_FOREIGN") == "" {
		fmt.Println("test/foreignpki: nothing done; set CSE_FOREIGN=1 to run against OpenSSL, GnuTLS and curl")
		os.Exit(0)
	}
	missing := false
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil {
			fmt.Fprintf(os.Stderr, "test/foreignpki: %s is missing: apt-get install %s\n", p.name, p.pkg)
			missing = true
		}
	}
	if missing {
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// office is an authority behind a real listener, at the real time.
type office struct {
	*catest.Authority
	db        *store.DB
	dir       string // the lists, and whatever the tests write
	url       string
	responder *status.Responder
	root, top string // root.pem; root and issuing in one file
}

func open(t testing.TB) *office {
	t.Helper()
	db := storetest.SQLite(t)
	a := catest.NewAt(t, time.Now().Add(-time.Minute), db, db.PKI())
	a.Hand.Set(time.Now())
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: a.Material.Issuing, Cert: a.Material.Responder, Signer: a.Material.ResponderKey, Store: db.PKI(), Clock: a.Hand, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{Authority: a, db: db, dir: t.TempDir(), responder: r, root: a.Material.RootFile}
	s := httptest.NewServer(&status.Site{Responder: r, CRLs: o.dir, Root: a.Material.Root, Issuing: a.Material.Issuing})
	t.Cleanup(s.Close)
	o.url = s.URL
	o.top = o.file(t, "top.pem", pemOf(a.Material.Issuing), pemOf(a.Material.Root))
	return o
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func (o *office) file(t testing.TB, name string, parts ...[]byte) string {
	t.Helper()
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, bytes.Join(parts, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// issue issues and files the certificate of the n-th holder.
func (o *office) issue(t testing.TB, n int) (serial, path string) {
	t.Helper()
	c, err := o.Issue(t.Context(), catest.Request(t, n))
	if err != nil {
		t.Fatal(err)
	}
	return ca.SerialOf(c), o.file(t, fmt.Sprintf("card-%d.pem", n), pemOf(c))
}

// publish writes both lists and answers their paths, in DER and in PEM.
func (o *office) publish(t testing.TB) (der, pems [2]string) {
	t.Helper()
	p, err := status.NewPublisher(status.PublisherParts{
		Issuer: o.Material.Issuing, Signer: o.Material.IssuingKey, Store: o.db.PKI(), Atomically: o.db.Atomically, Clock: o.Hand, Rand: rand.Reader,
		Dir: o.dir, URLs: profile.URLsAt(catest.Base),
	})
	if err != nil {
		t.Fatal(err)
	}
	lists, err := p.Publish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ca.LoadRootKey(o.Material.Dir, keys.Sealed(catest.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	root, err := status.PublishRoot(o.Material.Root, key, o.Hand, rand.Reader, o.dir, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	der = [2]string{lists[0].Path, root.Path}
	for i, path := range der {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pems[i] = o.file(t, filepath.Base(path)+".pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: b}))
	}
	return der, pems
}

// run runs a program and gives what it printed, both ways together.
func run(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	return string(out), err
}

// says runs a program, which must succeed and print all of want.
func says(t testing.TB, want []string, name string, args ...string) {
	t.Helper()
	out, err := run(t, name, args...)
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		return
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("%s %s: no %q in\n%s", name, strings.Join(args, " "), w, out)
		}
	}
}

// refuses runs a program, which must fail and print want.
func refuses(t testing.TB, want, name string, args ...string) {
	t.Helper()
	if out, err := run(t, name, args...); err == nil || !strings.Contains(out, want) {
		t.Errorf("%s %s: %v, want a failure with %q\n%s", name, strings.Join(args, " "), err, want, out)
	}
}
