package foreignpki

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
)

// certificates is how many the two responders know.
const certificates = 100

// BenchmarkOCSPOurs and BenchmarkOCSPOpenSSL answer the same questions, from the
// same client, for the same certificates: two rows of make bench.
func BenchmarkOCSPOurs(b *testing.B) {
	o := open(b)
	ask(b, o.url+"/ocsp", o.questions(b))
}

func BenchmarkOCSPOpenSSL(b *testing.B) {
	o := open(b)
	qs := o.questions(b)
	ask(b, o.opensslResponder(b, qs[0]), qs)
}

func (o *office) questions(b *testing.B) [][]byte {
	b.Helper()
	var out [][]byte
	for n := range certificates {
		serial, _ := o.issue(b, n)
		if err := o.Activate(b.Context(), serial); err != nil {
			b.Fatal(err)
		}
		r, err := o.Get(b.Context(), serial)
		if err != nil {
			b.Fatal(err)
		}
		c, err := r.Certificate()
		if err != nil {
			b.Fatal(err)
		}
		q, err := ocsp.CreateRequest(c, o.Material.Issuing, nil)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, q)
	}
	return out
}

// ask posts b.N questions one after the other, since openssl ocsp serves one
// connection at a time, even one that says nothing; and checks that the first
// answer to each is a good one.
func ask(b *testing.B, url string, qs [][]byte) {
	b.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	post := func(q []byte) []byte {
		resp, err := client.Post(url, "application/ocsp-request", bytes.NewReader(q))
		if err != nil {
			b.Error(err)
			return nil
		}
		body, err := io.ReadAll(resp.Body)
		if err := resp.Body.Close(); err != nil {
			b.Error(err)
		}
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Errorf("%s (%v)", resp.Status, err)
		}
		return body
	}
	for _, q := range qs {
		if r, err := ocsp.ParseResponse(post(q), nil); err != nil || r.Status != ocsp.Good {
			b.Fatalf("answer: %v", err)
		}
	}
	b.ResetTimer()
	for i := range b.N {
		post(qs[i%len(qs)])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}

// opensslResponder starts openssl ocsp over the same certificates, with a
// delegated P-256 responder of its own, waits until it answers q, and gives its
// address.
func (o *office) opensslResponder(b *testing.B, q []byte) string {
	b.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	serial, err := profile.NewSerial(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	tbs, err := profile.Authority{
		Serial: serial, Key: k.Public(), NotBefore: now.Add(-time.Minute), NotAfter: now.AddDate(0, 0, 30), URLs: o.Profile.URLs,
		Names: profile.Names{Country: "IT", Organisation: "CSE", CommonName: "openssl ocsp"},
	}.Responder(o.Material.Issuing)
	if err != nil {
		b.Fatal(err)
	}
	der, err := profile.Sign(rand.Reader, o.Material.IssuingKey, tbs)
	if err != nil {
		b.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		b.Fatal(err)
	}
	cert := o.file(b, "peer.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	key := o.file(b, "peer.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	addr := freePort(b)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "openssl", "ocsp", "-index", o.index(b), "-port", addr, "-rsigner", cert, "-rkey", key,
		"-CA", o.Material.IssuingFile, "-nmin", "60", "-ignore_err")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stop()
		_ = cmd.Wait() // killed: its error says so
	})
	// Not by dialling: a connection without a request stops openssl ocsp for ever.
	question := o.file(b, "question", q)
	for range 50 {
		if _, err := run(b, "curl", "-sS", "-m", "2", "-H", "Content-Type: application/ocsp-request", "--data-binary", "@"+question,
			"-o", os.DevNull, "http://127.0.0.1:"+addr); err == nil {
			return "http://127.0.0.1:" + addr
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatal("openssl ocsp does not answer")
	return ""
}

// index is the text database of openssl ca.
func (o *office) index(b *testing.B) string {
	b.Helper()
	var text bytes.Buffer
	for n := range certificates {
		cs, err := o.db.PKI().OfCard(b.Context(), catest.Request(b, n).Card)
		if err != nil || len(cs) != 1 {
			b.Fatal(len(cs), err)
		}
		c, err := cs[0].Certificate()
		if err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(&text, "V\t%s\t\t%X\tunknown\t/CN=%d\n", c.NotAfter.UTC().Format("060102150405Z"), c.SerialNumber.FillBytes(make([]byte, 16)), n)
	}
	return o.file(b, "index.txt", text.Bytes())
}

func freePort(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	return port
}
