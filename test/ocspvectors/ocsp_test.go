// Package ocspvectors holds our judgement of OCSP answers against others' test
// data: OpenSSL's own (test/ocsp-tests, from Debian's source package, brought by
// `make ocsp-vectors`, which prints each miss and last `ocsp: N of 59, F false
// accepts`), and, in `make test`, the answers of python3-cryptography-vectors,
// which say what can be read and what cannot.
package ocspvectors

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/trust/path"
)

// vector is one line of OpenSSL's recipe.
type vector struct {
	title, answer, anchor, untrusted, option string
	valid                                    bool
}

var line = regexp.MustCompile(`test_ocsp\("([^"]+)",\s*"([^"]+)", "([^"]+)",\s*"([^"]*)", (\d), \d(?:, "([^"]+)")?\)`)

func vectors(t *testing.T, dir string) []vector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "80-test_ocsp.t"))
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	for _, m := range line.FindAllStringSubmatch(string(b), -1) {
		out = append(out, vector{title: m[1], answer: m[2], anchor: m[3], untrusted: m[4], valid: m[5] == "0", option: m[6]})
	}
	return out
}

// decoded is an answer, base64 in a file.
func decoded(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "ocsp-tests", name))
	if err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(b)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func certificates(t *testing.T, dir, name string) []*path.Certificate {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "ocsp-tests", name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := path.ParseAll(b)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// subject is a certificate of the number and the issuer that an answer is about: the vectors have answers only. Its signature is
// nobody's, and is not looked at.
func subject(t *testing.T, issuer *path.Certificate, about *ocsp.Response) *path.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	above := &x509.Certificate{RawSubject: issuer.Subject.Raw, PublicKey: key.Public()}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: about.SerialNumber, NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter}, above, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := path.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func judge(t *testing.T, dir string, v vector) error {
	t.Helper()
	// What an answer is about, and when, is that of the sound one of its family.
	family := v.answer[strings.LastIndexByte(v.answer, '_')+1:]
	sound, err := ocsp.ParseResponse(decoded(t, dir, family), nil)
	if err != nil {
		t.Fatalf("%s: %v", family, err)
	}
	o := path.Options{At: sound.ThisUpdate.Add(time.Minute), Legacy: true}
	anchor := certificates(t, dir, v.anchor)[0]
	issuer := anchor
	if v.untrusted != "" {
		shown := certificates(t, dir, v.untrusted)
		issuer = shown[0]
		if _, err := path.Build(issuer, shown[1:], []*path.Certificate{anchor}, o); err != nil {
			return err
		}
	}
	a, err := path.ParseAnswer(decoded(t, dir, v.answer))
	if err != nil {
		return err
	}
	_, err = (&path.Evidence{Answers: []*path.Answer{a}}).Standing(subject(t, issuer, sound), issuer, nil, o)
	return err
}

func TestOpenSSLVectors(t *testing.T) {
	dir := os.Getenv("CSE_OCSP_VECTORS")
	if dir == "" {
		t.Skip("OpenSSL's test data are not here: make ocsp-vectors")
	}
	right, falseAccepts := 0, 0
	all := vectors(t, dir)
	for _, v := range all {
		err := judge(t, dir, v)
		switch {
		case (err == nil) == v.valid:
			right++
			continue
		case err == nil:
			falseAccepts++
		}
		t.Logf("miss: %s with %s: want valid %v, got %v", v.answer, v.anchor, v.valid, err)
	}
	fmt.Printf("ocsp: %d of %d, %d false accepts\n", right, len(all), falseAccepts)
	if len(all) < 59 || right != len(all) {
		t.Errorf("%d of %d right, want all of 59 or more", right, len(all))
	}
}

// What others wrote to be read, and to be refused, is.
func TestAnswersOfOthersAreRead(t *testing.T) {
	const dir = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/ocsp"
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CSE_FOREIGN") == "" {
			t.Skip("apt install python3-cryptography-vectors")
		}
		t.Fatal("install python3-cryptography-vectors: ", err)
	}
	for name, read := range map[string]bool{
		"ocsp-army.deps.mil-resp": true, "resp-delegate-unknown-cert": true, "resp-responder-key-hash": true, "resp-revoked": true,
		"resp-revoked-no-next-update": true, "resp-revoked-reason": true, "resp-sct-extension": true, "resp-sha256": true, "resp-single-extension-reason": true,
		"resp-unknown-extension": true, "resp-unknown-hash-alg": true, "resp-invalid-signature-oid": true,
		"resp-response-type-unknown-oid": false, "resp-successful-no-response-bytes": false, "resp-unauthorized": false, "resp-unknown-response-status": false,
		"req-sha1": false,
	} {
		b, err := os.ReadFile(filepath.Join(dir, name+".der"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = path.ParseAnswer(b)
		if (err == nil) != read {
			t.Errorf("%s: %v, want read %v", name, err, read)
		}
		if _, err := path.ParseAnswer(pem.EncodeToMemory(&pem.Block{Type: "OCSP RESPONSE", Bytes: b})); (err == nil) != read {
			t.Errorf("%s as PEM: %v", name, err)
		}
	}
}
