package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
)

// hello is a ClientHello made by hand: no library of today offers these suites.
func hello(version uint16, name string, suite uint16) []byte {
	extension := func(id uint16, body []byte) []byte {
		return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), uint16(len(body))), body...)
	}
	sized := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	extensions := bytes.Join([][]byte{
		extension(0, sized(append([]byte{0}, sized([]byte(name))...))),
		extension(10, sized([]byte{0, 29, 0, 23, 0, 24})),                // x25519, P-256, P-384
		extension(11, []byte{1, 0}),                                      // uncompressed
		extension(13, sized([]byte{4, 3, 8, 4, 4, 1, 5, 3, 2, 1, 2, 3})), // with SHA-1 among them
	}, nil)
	body := binary.BigEndian.AppendUint16(nil, min(version, 0x0303))
	body = append(body, make([]byte, 32)...)
	body = append(body, 0)
	body = append(body, sized(binary.BigEndian.AppendUint16(nil, suite))...)
	body = append(append(body, 1, 0), sized(extensions)...)
	message := append([]byte{1, 0}, sized(body)...)
	return append(append([]byte{22, 3, 1}, sized(message)...), []byte{}...)
}

// greeted sends a hello and tells whether a ServerHello came; else the alert.
func greeted(t *testing.T, address string, h []byte) (bool, byte) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	check(t, err)
	defer c.Close()
	check(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = c.Write(h)
	check(t, err)
	head := make([]byte, 7)
	n, err := io.ReadFull(c, head)
	if n < 7 {
		t.Fatalf("no answer at all: %x, %v", head[:n], err)
	}
	if head[0] == 22 && head[5] == 2 {
		return true, 0
	}
	return false, head[6]
}

// scanned is the platform that is looked at.
type scanned struct {
	t     *testing.T
	p     *Platform
	ca    string
	names []string
	path  string // what openssl asks for; empty: /
}

// openssl tells whether `openssl s_client` came to a session.
func (s scanned) openssl(name string, args ...string) (bool, string) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, "openssl", append([]string{
		"s_client", "-connect", s.p.ports.TLS().String(), "-servername", name, "-CAfile", s.ca, "-verify_return_error", "-ign_eof",
	}, args...)...)
	cmd.Stdin = strings.NewReader("GET " + cmp.Or(s.path, "/") + " HTTP/1.1\r\nHost: " + name + "\r\nConnection: close\r\n\r\n")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil || cmd.ProcessState == nil {
		s.t.Fatalf("openssl %v: %v", args, err)
	}
	return err == nil && bytes.Contains(out, []byte("HTTP/1.1 ")), string(out)
}

// What is too weak is refused by every listener, whoever asks: versions, suites,
// SHA-1 in the handshake, small client keys, SHA-1 in a certificate.
func TestR91_TheScanFindsNothingWeak(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CSE_FOREIGN") != "" {
			t.Fatal("openssl is missing: apt-get install openssl")
		}
		t.Skip("openssl is missing")
	}
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.config.Login.AllowRSA1024 = true // for issuers marked legacy; ours is none
	p := r.serve(t, knownRoles()...)
	s := scanned{t: t, p: p, ca: filepath.Join(t.TempDir(), "ca.pem")}
	text, err := os.ReadFile(filepath.Join(p.Config.under("webca"), "webca.pem"))
	check(t, err)
	check(t, os.WriteFile(s.ca, text, 0o600))
	for _, h := range p.doors() {
		s.names = append(s.names, h.Name)
	}
	if len(s.names) != 4 {
		t.Fatalf("%d listeners", len(s.names))
	}
	s.hellos()
	s.clients()
	s.machines()
	s.cards(r)
}

// weak are the suites that no listener may speak, by their numbers (IANA).
var weak = map[string]uint16{
	"RC4-MD5": 0x0004, "RC4-SHA": 0x0005, "ECDHE-RSA-RC4-SHA": 0xC011, "ECDHE-ECDSA-RC4-SHA": 0xC007,
	"DES-CBC3-SHA": 0x000A, "ECDHE-RSA-DES-CBC3-SHA": 0xC012, "ECDHE-ECDSA-DES-CBC3-SHA": 0xC008,
	"NULL-MD5": 0x0001, "NULL-SHA": 0x0002, "NULL-SHA256": 0x003B, "ECDHE-RSA-NULL-SHA": 0xC010, "ECDHE-ECDSA-NULL-SHA": 0xC006,
	"EXP-RC4-MD5": 0x0003, "EXP-DES-CBC-SHA": 0x0008, "DES-CBC-SHA": 0x0009,
	"AES128-SHA": 0x002F, "AES256-SHA": 0x0035, "ECDHE-RSA-AES128-SHA": 0xC013, "ECDHE-ECDSA-AES128-SHA": 0xC009, "ECDHE-ECDSA-AES256-SHA": 0xC00A,
	"ECDHE-ECDSA-AES128-SHA256 (CBC)": 0xC023, "AES128-GCM-SHA256 (no forward secrecy)": 0x009C,
	"ADH-AES128-SHA": 0x0034, "AECDH-AES128-SHA": 0xC018, "DHE-RSA-AES128-SHA": 0x0033,
}

const good = 0xC02B // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256

func (s scanned) hellos() {
	s.t.Helper()
	address := s.p.ports.TLS().String()
	for _, name := range s.names {
		if ok, alert := greeted(s.t, address, hello(tls.VersionTLS12, name, good)); !ok {
			s.t.Errorf("%s: a good hello is refused with alert %d: the scan proves nothing", name, alert)
		}
		for suite, id := range weak {
			if ok, _ := greeted(s.t, address, hello(tls.VersionTLS12, name, id)); ok {
				s.t.Errorf("%s speaks %s", name, suite)
			}
		}
		for v, version := range map[string]uint16{"SSL 3.0": 0x0300, "TLS 1.0": tls.VersionTLS10, "TLS 1.1": tls.VersionTLS11} {
			for _, id := range []uint16{good, 0x002F, 0xC009} {
				if ok, _ := greeted(s.t, address, hello(version, name, id)); ok {
					s.t.Errorf("%s speaks %s with %04X", name, v, id)
				}
			}
		}
	}
	if ok, alert := greeted(s.t, address, hello(tls.VersionTLS12, "somebody.else", good)); ok || alert != 112 {
		s.t.Errorf("a name that is not here: %v, alert %d", ok, alert)
	}
}

func (s scanned) clients() {
	s.t.Helper()
	for _, name := range s.names {
		for _, args := range [][]string{{"-tls1_2"}, {"-tls1_3"}} {
			if ok, out := s.openssl(name, args...); !ok {
				s.t.Errorf("%s: openssl %v does not get in: the scan proves nothing\n%s", name, args, out)
			}
		}
		for _, args := range [][]string{
			{"-tls1", "-cipher", "ALL:@SECLEVEL=0"},
			{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"},
			{"-tls1_2", "-cipher", "eNULL:aNULL:@SECLEVEL=0"},
			{"-tls1_2", "-cipher", "SHA1:@SECLEVEL=0"},
			{"-tls1_2", "-cipher", "SHA256:@SECLEVEL=0"},
			{"-tls1_2", "-cipher", "kRSA:kDHE:@SECLEVEL=0"},
			{"-tls1_2", "-cipher", "ALL:@SECLEVEL=0", "-sigalgs", "ECDSA+SHA1:RSA+SHA1"},
		} {
			if ok, out := s.openssl(name, args...); ok {
				s.t.Errorf("%s: openssl %v gets in\n%s", name, args, out)
			}
		}
	}
}

// caller goes to a host with a certificate of its own, or one given.
func (s scanned) caller(name string, pair tls.Certificate, version uint16) (*http.Response, error) {
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: s.p.webCA.Pool(), ServerName: name, Certificates: []tls.Certificate{pair}, MinVersion: version, MaxVersion: version,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
	}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.p.ports.TLS().String())
	}}}
	rq, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "https://"+name+"/", nil)
	if err != nil {
		return nil, err
	}
	defer c.CloseIdleConnections()
	return c.Do(rq)
}

// own signs a certificate with its own key.
func own(t *testing.T, k crypto.Signer) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "programma"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
}

// machines: a program's small key is refused in the handshake.
func (s scanned) machines() {
	s.t.Helper()
	name := hostname(s.p.Config.Public.API)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(s.t, err)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for what, x := range map[string]struct {
			pair tls.Certificate
			in   bool
		}{
			"RSA 1024": {own(s.t, smallKey(s.t)), false}, "RSA 2048": {own(s.t, rsaOf(s.t, 2048)), true}, "P-256": {own(s.t, curve), true},
		} {
			w, err := s.caller(name, x.pair, version)
			if err == nil {
				check(s.t, w.Body.Close())
			}
			if (err == nil) != x.in {
				s.t.Errorf("%s on %s, %s: %v", what, name, tls.VersionName(version), err)
			}
		}
	}
}

func rsaOf(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	check(t, err)
	return k
}

func smallKey(t *testing.T) *rsa.PrivateKey { return rsaOf(t, 1024) }

// cards: certificates like the active card's, signed by our own authority, but
// weak: the door answers with a page that says why.
func (s scanned) cards(r *region) {
	s.t.Helper()
	name, model := hostname(s.p.Config.Public.CNS), r.cardOf(s.t, s.p).Certificate.Leaf
	like := func(k *rsa.PrivateKey, alg x509.SignatureAlgorithm) tls.Certificate {
		tmpl := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), RawSubject: model.RawSubject, NotBefore: model.NotBefore, NotAfter: model.NotAfter,
			SignatureAlgorithm: alg, ExtraExtensions: model.Extensions,
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, s.p.material.Issuing, k.Public(), s.p.material.IssuingKey)
		check(s.t, err)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
	}
	strong, small := rsaOf(s.t, 2048), smallKey(s.t)
	for what, x := range map[string]struct {
		pair tls.Certificate
		code string
	}{
		"RSA 1024": {like(small, 0), "CSE-313"}, "signed with SHA-1": {like(strong, x509.ECDSAWithSHA1), "CSE-308"}, "as it should be, and of no card": {like(strong, 0), "CSE-316"},
	} {
		b := enter(s.t, s.p, &browser.Card{Host: name, Certificate: x.pair})
		if got := b.Page.Code(); got != x.code || b.Page.Status < 400 {
			s.t.Errorf("%s: %s %q, want %s", what, b.Page.Where(), got, x.code)
		}
	}

	// A card that signs the handshake with SHA-1 does not even come to the door.
	pair, file := like(strong, 0), filepath.Join(s.t.TempDir(), "card.pem")
	der, err := x509.MarshalPKCS8PrivateKey(strong)
	check(s.t, err)
	var text bytes.Buffer
	check(s.t, pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	check(s.t, pem.Encode(&text, &pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	check(s.t, os.WriteFile(file, text.Bytes(), 0o600))
	for _, x := range []struct{ algs, want string }{{"RSA+SHA1", "CSE-304"}, {"RSA+SHA256", "CSE-316"}} {
		b, err := browser.New(s.p.webCA.Pool(), nil)
		check(s.t, err)
		check(s.t, b.Get(s.t.Context(), s.p.Config.Public.Portal+"/entra?a=/tessera"))
		door, err := url.Parse(b.Page.Href(func(h string) bool { return strings.Contains(h, name) }))
		check(s.t, err)
		s.path = door.RequestURI()
		args := []string{"-tls1_2", "-cert", file, "-key", file, "-cipher", "ALL:@SECLEVEL=0", "-client_sigalgs", x.algs}
		if _, out := s.openssl(name, args...); !strings.Contains(out, x.want) {
			s.t.Errorf("a handshake signed with %s: no %s in\n%s", x.algs, x.want, out)
		}
	}
}

// A Region that wants TLS 1.3 only has it.
func TestR91_TLS13Only(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.config.Web.TLSMin = "1.3"
	p := r.serve(t, "web")
	for _, h := range p.doors() {
		if ok, alert := greeted(t, p.ports.TLS().String(), hello(tls.VersionTLS12, h.Name, good)); ok || alert != 70 {
			t.Errorf("%s speaks TLS 1.2: %v, alert %d", h.Name, ok, alert)
		}
	}
	s := scanned{t: t, p: p}
	w, err := s.caller(hostname(p.Config.Public.Portal), tls.Certificate{}, tls.VersionTLS13)
	if err != nil {
		t.Fatal(err)
	}
	check(t, w.Body.Close())
	if list, err := p.securityFacts(); err != nil || fmt.Sprint(values(t, list, "versions")) != "[TLS 1.3]" {
		t.Errorf("%v, %v", list, err)
	}
}
