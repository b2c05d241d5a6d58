package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/status/presigned"
)

// answers is OCSP: the same authority, the same delegated responder and P-256
// key, the same questions to ours, to openssl ocsp, to cfssl ocspserve (which is
// given answers signed before) and to a handler that writes so many octets and does
// nothing, each on one processor. Ours follows the changes in its SQLite store and
// answers a question without a nonce from what was signed before; one with a nonce
// is signed each time. openssl always signs. The tier has files of signed answers
// and no store. The last figure is how long a revocation by another process takes
// to show.
var answers = row{"answers", func(t *testing.T, s size) []figure {
	o := newRegister(t, s.of(2000, 200))
	n, most := s.of(10_000, 1000), 7
	var ours, bare, tier struct{ URL string }
	pid, _ := start(t, "ocsp", o.dir, &ours)
	tierPID, _ := start(t, "tier", o.dir, &tier)
	us, shelf := o.client(ours.URL), o.client(tier.URL)
	withNonce := withNonces(t, o.questions)
	us.warm(t, o.questions)
	shelf.warm(t, o.questions)
	o.write(t, "constant", us.body(t, o.questions[0]))
	barePID, _ := start(t, "bare", o.dir, &bare)
	nothing := o.client(bare.URL)
	nothing.constant = true
	nothing.warm(t, o.questions)
	opensslPID, opensslURL := o.opensslResponder(t, 4*(most*n+len(o.questions)+1)+1)
	them := o.client(opensslURL)
	them.warm(t, o.questions)
	them.warm(t, withNonce)
	each := func(c client, pid int, qs []question) func() float64 {
		return func() float64 {
			begin := cpuOf(t, pid)
			c.ask(t, qs, n)
			return float64(n) / (cpuOf(t, pid) - begin).Seconds()
		}
	}
	unit := "answers/CPU-s"
	mine, signed := each(us, pid, o.questions), each(us, pid, withNonce)
	var figures []figure
	side := func(name string, a, b func() float64, beside string) {
		x, y := s.rounds(most, a, b)
		figures = append(figures, figure{name: name, unit: unit, ours: x, peer: y, beside: beside})
	}
	side("OCSP answers", mine, each(them, opensslPID, o.questions), "openssl ocsp")
	if pid, url := o.cfssl(t); url != "" {
		c := o.client(url)
		c.warm(t, o.questions)
		side("OCSP answers beside cfssl", mine, each(c, pid, o.questions), "cfssl ocspserve")
	}
	side("OCSP answers beside a bare handler", mine, each(nothing, barePID, o.questions), "a bare net/http handler")
	side("OCSP answers of the tier beside a bare handler", each(shelf, tierPID, o.questions), each(nothing, barePID, o.questions), "a bare net/http handler")
	side("OCSP answers, each with a nonce", signed, each(them, opensslPID, withNonce), "openssl ocsp")
	return append(figures, o.visible(t, s, us))
}}

// visible revokes certificates, one after the other, and asks the responder, which
// is another process on the same store, until it says so.
func (o *register) visible(t *testing.T, s size, us client) figure {
	most := time.Duration(0)
	for _, q := range o.questions[:s.of(300, 10)] {
		if err := o.authority.Revoke(t.Context(), ca.SerialOf(q.cert), ca.KeyCompromise); err != nil {
			t.Fatal(err)
		}
		for begin := time.Now(); ; time.Sleep(2 * time.Millisecond) {
			r, err := ocsp.ParseResponseForCert(us.body(t, q), q.cert, o.issuing)
			if err != nil {
				t.Fatal(err)
			}
			if r.Status == ocsp.Revoked {
				most = max(most, time.Since(begin))
				break
			}
			if time.Since(begin) > time.Minute {
				t.Fatal("a revocation does not show")
			}
		}
	}
	return figure{name: "a revocation shows in another process, the slowest", unit: "ms", ours: []float64{float64(most) / 1e6}}
}

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
	authority *catest.Authority
}

func newRegister(t *testing.T, n int) *register {
	t.Helper()
	o := &register{dir: t.TempDir()}
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(o.dir, "cse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // the children open it, too
	a := catest.NewAt(t, time.Now().Add(-time.Minute), db, db.PKI(), recorded(t, db))
	o.authority = a
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

// recorded has the acts leave their records, as the platform's do: whoever follows
// changes goes by their order.
func recorded(t *testing.T, db *store.DB) func(*ca.Parts) {
	return func(p *ca.Parts) {
		trail, err := audit.New(audit.Config{
			Conn: func(ctx context.Context) audit.DBTX { return db.Conn(ctx) }, Atomically: db.Atomically, Clock: p.Clock,
			Key: secret.FromString(strings.Repeat("k", 32)),
		})
		if err != nil {
			t.Fatal(err)
		}
		p.Record = trail.Record
	}
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

// serveOCSP is the platform's responder on the store that register made, kept up
// with its changes.
func serveOCSP(t *testing.T, dir string) any {
	r, db := responderOf(t, dir)
	follower := status.NewFollower(db.PKI(), civil.System{}, r)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go follower.Run(ctx, func(err error) { t.Error(err) })
	return serve(t, &status.Site{Responder: r, CRLs: dir, Issuing: r.Issuer()})
}

func responderOf(t *testing.T, dir string) (*status.Responder, *store.DB) {
	o := &register{dir: dir}
	db, err := store.Open(t.Context(), "sqlite:"+o.path("cse.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: readCertificate(t, o.path("issuing.pem")), Cert: readCertificate(t, o.path("responder.pem")),
		Signer: readKey(t, o.path("responder.key")).(*ecdsa.PrivateKey), Store: db.PKI(), Clock: civil.System{}, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, db
}

func serve(t *testing.T, h http.Handler) any {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
	return map[string]string{"URL": "http://" + l.Addr().String() + profile.PathOCSP}
}

// serveConstant writes the same answer whatever is asked: what net/http alone costs.
func serveConstant(t *testing.T, dir string) any {
	body, err := os.ReadFile(filepath.Join(dir, "constant"))
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/ocsp-response")
		_, _ = w.Write(body)
	}))
}

// serveTier is the validation tier, on files of signed answers: those that lie in
// the folder, or of the register's certificates.
func serveTier(t *testing.T, dir string) any {
	if _, err := os.Stat(filepath.Join(dir, presigned.FolderAnswers)); err != nil {
		r, db := responderOf(t, dir)
		p, err := presigned.NewPublisher(presigned.Parts{
			Dir: filepath.Join(dir, presigned.FolderAnswers), Label: profile.FirstLabel, Responder: r, Changes: db.PKI(), Clock: civil.System{},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Make(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	x, err := presigned.NewTier(presigned.TierParts{Dir: dir, Work: dir, Clock: civil.System{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go x.Run(ctx)
	return serve(t, x)
}

// cfssl starts cfssl ocspserve over answers signed before, one a line, if
// scripts/bench.sh could build it; it says so when not.
func (o *register) cfssl(t *testing.T) (pid int, url string) {
	t.Helper()
	program := os.Getenv("CSE_BENCH_CFSSL")
	if program == "" {
		fmt.Fprintln(os.Stderr, "bench: cfssl is not there: no figure beside it (docs/bench.md)")
		return 0, ""
	}
	// It verifies the certificate that a delegate's answer carries each time it gives
	// it: the authority signs these itself, which is its best case.
	var lines bytes.Buffer
	for _, q := range o.questions {
		der, err := ocsp.CreateResponse(o.issuing, o.issuing, ocsp.Response{
			Status: ocsp.Good, SerialNumber: q.cert.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(24 * time.Hour),
		}, o.authority.Material.IssuingKey)
		if err != nil {
			t.Fatal(err)
		}
		lines.WriteString(base64.StdEncoding.EncodeToString(der) + "\n")
	}
	o.write(t, "answers.txt", lines.Bytes())
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	return o.spawn(t, program, "ocspserve", "-address", "127.0.0.1", "-port", port, "-responses", o.path("answers.txt"), "-loglevel", "4"),
		"http://127.0.0.1:" + port
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
	_, port, err := net.SplitHostPort(freePort(t)) // openssl cannot be told to choose one
	if err != nil {
		t.Fatal(err)
	}
	return o.spawn(t, "openssl", "ocsp", "-index", o.path("index.txt"), "-port", port, "-rsigner", o.path("responder.pem"),
		"-rkey", o.path("responder.key"), "-CA", o.path("issuing.pem"), "-nmin", "60", "-nrequest", strconv.Itoa(most)), "http://127.0.0.1:" + port
}

// spawn starts a server on its processor, to the end of the test.
func (o *register) spawn(t *testing.T, name string, args ...string) (pid int) {
	t.Helper()
	line := pinned(name, args...)
	c := exec.Command(line[0], line[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it must not outlive us, whatever happens
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // killed: its error says so
	})
	return c.Process.Pid
}

// verifiedOf: of so many answers one has its signature verified; all are read.
const verifiedOf = 50

// client asks one responder over one connection, which it keeps to the end:
// openssl ocsp serves one at a time, and spins on one that its client closed.
type client struct {
	*http.Client
	o   *register
	url string
	// constant is of who answers the same to everything: nothing to verify.
	constant bool
}

func (o *register) client(url string) client {
	return client{&http.Client{Timeout: time.Minute, Transport: &http.Transport{}}, o, url, false}
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

// body is the answer to a question.
func (c client) body(t *testing.T, q question) []byte {
	t.Helper()
	b, err := c.fetch(q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c client) fetch(q question) ([]byte, error) {
	resp, err := c.Post(c.url, "application/ocsp-request", bytes.NewReader(q.der))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || len(body) < 100 {
		return nil, fmt.Errorf("%s answers %s with %d octets", c.url, resp.Status, len(body))
	}
	return body, nil
}

func (c client) post(q question, verify bool) error {
	body, err := c.fetch(q)
	if err != nil || !verify || c.constant {
		return err
	}
	r, err := ocsp.ParseResponseForCert(body, q.cert, c.o.issuing)
	if err == nil && r.Status != ocsp.Good {
		err = fmt.Errorf("status %d, want good", r.Status)
	}
	return err
}
