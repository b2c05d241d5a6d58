package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// answers is OCSP: the same authority, the same delegated responder and P-256
// key, the same questions to ours (on its SQLite store) and to openssl ocsp,
// each on one processor. A question without a nonce may be answered from what
// was signed before; one with a nonce is signed each time. openssl always signs.
var answers = row{"answers", func(t *testing.T, s size) []figure {
	o := newRegister(t, s.of(2000, 200))
	n, most := s.of(10_000, 2000), 7
	var ours struct{ URL string }
	pid, _ := start(t, "ocsp", o.dir, &ours)
	peerPID, peerURL := o.opensslResponder(t, 2*(most*n+len(o.questions)+1)+1)
	us, them := o.client(ours.URL), o.client(peerURL)
	var figures []figure
	for _, kind := range []struct {
		name      string
		questions []question
	}{
		{"OCSP answers", o.questions},
		{"OCSP answers, each with a nonce", withNonces(t, o.questions)},
	} {
		us.warm(t, kind.questions)
		them.warm(t, kind.questions)
		each := func(c client, pid int) float64 {
			begin := cpuOf(t, pid)
			c.ask(t, kind.questions, n)
			return float64(n) / (cpuOf(t, pid) - begin).Seconds()
		}
		a, b := s.rounds(most, func() float64 { return each(us, pid) }, func() float64 { return each(them, peerPID) })
		figures = append(figures, figure{name: kind.name, unit: "answers/CPU-s", ours: a, peer: b, beside: "openssl ocsp"})
	}
	return figures
}}

// question is a request and the certificate that it asks for.
type question struct {
	der  []byte
	cert *x509.Certificate
}

// register is an authority whose certificates both responders know, in a folder:
// cse.db, issuing.pem, responder.pem and .key, index.txt (as openssl ca keeps it).
type register struct {
	dir       string
	issuing   *x509.Certificate
	questions []question
}

func newRegister(t *testing.T, n int) *register {
	t.Helper()
	o := &register{dir: t.TempDir()}
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(o.dir, "cse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() // the child opens it
	a := catest.NewAt(t, time.Now().Add(-time.Minute), db, db.PKI())
	o.issuing = a.Material.Issuing
	qs := make([]ca.Request, n)
	for i := range qs {
		qs[i] = catest.Request(t, i)
	}
	var index bytes.Buffer
	for i, r := range a.IssueBatch(t.Context(), qs) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		der, err := ocsp.CreateRequest(r.Certificate, o.issuing, nil)
		if err != nil {
			t.Fatal(err)
		}
		o.questions = append(o.questions, question{der, r.Certificate})
		fmt.Fprintf(&index, "V\t%s\t\t%X\tunknown\t/CN=%d\n", r.Certificate.NotAfter.UTC().Format("060102150405Z"), r.Certificate.SerialNumber.FillBytes(make([]byte, 16)), i)
	}
	err = db.Atomically(t.Context(), func(ctx context.Context) error {
		for _, q := range o.questions {
			if err := a.Activate(ctx, ca.SerialOf(q.cert)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.write(t, "index.txt", index.Bytes())
	o.write(t, "issuing.pem", pemBlock("CERTIFICATE", o.issuing.Raw))
	o.delegate(t, a)
	return o
}

func (o *register) path(name string) string { return filepath.Join(o.dir, name) }

func (o *register) write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(o.path(name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// delegate makes the responder's key and certificate.
func (o *register) delegate(t *testing.T, a *catest.Authority) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := profile.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tbs, err := profile.Authority{
		Serial: serial, Key: k.Public(), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(0, 0, 30),
		URLs: a.Profile.URLs, Names: profile.Names{Country: "IT", Organisation: "CSE", CommonName: "both responders"},
	}.Responder(o.issuing)
	if err != nil {
		t.Fatal(err)
	}
	der, err := profile.Sign(rand.Reader, a.Material.IssuingKey, tbs)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	o.write(t, "responder.pem", pemBlock("CERTIFICATE", der))
	o.write(t, "responder.key", pemBlock("PRIVATE KEY", key))
}

// withNonces gives each question a nonce of 32 octets (RFC 9654).
func withNonces(t *testing.T, qs []question) []question {
	t.Helper()
	type extension struct {
		ID    asn1.ObjectIdentifier
		Value []byte
	}
	out := make([]question, len(qs))
	for i, q := range qs {
		var plain struct{ TBS struct{ List asn1.RawValue } }
		if _, err := asn1.Unmarshal(q.der, &plain); err != nil {
			t.Fatal(err)
		}
		nonce := make([]byte, 32)
		if _, err := rand.Read(nonce); err != nil {
			t.Fatal(err)
		}
		value, err := asn1.Marshal(nonce)
		if err != nil {
			t.Fatal(err)
		}
		var with struct {
			TBS struct {
				List asn1.RawValue
				Exts []extension `asn1:"explicit,tag:2"`
			}
		}
		with.TBS.List = plain.TBS.List
		with.TBS.Exts = []extension{{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}, value}}
		if out[i].der, err = asn1.Marshal(with); err != nil {
			t.Fatal(err)
		}
		out[i].cert = q.cert
	}
	return out
}

// serveOCSP is the platform's responder on the store that register made.
func serveOCSP(t *testing.T, dir string) any {
	o := &register{dir: dir}
	db, err := store.Open(t.Context(), "sqlite:"+o.path("cse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	issuing := readCertificate(t, o.path("issuing.pem"))
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: issuing, Cert: readCertificate(t, o.path("responder.pem")), Signer: readKey(t, o.path("responder.key")).(*ecdsa.PrivateKey),
		Store: db.PKI(), Clock: civil.System{}, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: &status.Site{Responder: r, CRLs: dir, Issuing: issuing}, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
	return map[string]string{"URL": "http://" + l.Addr().String() + profile.PathOCSP}
}

func readBlock(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		t.Fatalf("%s is not PEM", path)
	}
	return block.Bytes
}

func readCertificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(readBlock(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readKey(t *testing.T, path string) any {
	t.Helper()
	k, err := x509.ParsePKCS8PrivateKey(readBlock(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// opensslResponder starts openssl ocsp over the same certificates, to answer
// most questions at the utmost.
func (o *register) opensslResponder(t *testing.T, most int) (pid int, url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil { // openssl cannot be told to choose one
		t.Fatal(err)
	}
	line := pinned("openssl", "ocsp", "-index", o.path("index.txt"), "-port", port, "-rsigner", o.path("responder.pem"),
		"-rkey", o.path("responder.key"), "-CA", o.path("issuing.pem"), "-nmin", "60", "-nrequest", strconv.Itoa(most))
	c := exec.Command(line[0], line[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive us, whatever happens
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // killed: its error says so
	})
	return c.Process.Pid, "http://127.0.0.1:" + port
}

// verifiedOf: of so many answers one has its signature verified; all are read.
const verifiedOf = 50

// client asks one responder over one connection, which it keeps to the end:
// openssl ocsp serves one at a time, and spins on one that its client closed.
type client struct {
	*http.Client
	o   *register
	url string
}

func (o *register) client(url string) client {
	return client{&http.Client{Timeout: time.Minute, Transport: &http.Transport{}}, o, url}
}

// warm waits until the responder listens and asks it everything once.
func (c client) warm(t *testing.T, qs []question) {
	t.Helper()
	for range 200 {
		err := c.post(qs[0], true)
		if err == nil {
			c.ask(t, qs, len(qs))
			return
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("nobody listens at %s", c.url)
}

// ask posts n questions, one after the other.
func (c client) ask(t *testing.T, qs []question, n int) {
	t.Helper()
	for i := range n {
		if err := c.post(qs[i%len(qs)], i%verifiedOf == 0); err != nil {
			t.Fatal(err)
		}
	}
}

func (c client) post(q question, verify bool) error {
	resp, err := c.Post(c.url, "application/ocsp-request", bytes.NewReader(q.der))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || len(body) < 100 {
		return fmt.Errorf("%s answers %s with %d octets", c.url, resp.Status, len(body))
	}
	if !verify {
		return nil
	}
	r, err := ocsp.ParseResponseForCert(body, q.cert, c.o.issuing)
	if err == nil && r.Status != ocsp.Good {
		err = fmt.Errorf("status %d, want good", r.Status)
	}
	return err
}
