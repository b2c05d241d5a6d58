package foreign

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"cse.example/cse/card/holder/holdertest"
)

func signOnce(t *testing.T, s crypto.Signer) {
	t.Helper()
	digest := sha256.Sum256([]byte("one signature"))
	if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
}

// host is the name of the server; foreign programs do not resolve it.
const host = "cns.cse.localhost"

// serve starts a TLS server of one version that asks for the card's certificate
// and answers with the name in it. It gives back the path of its authority.
func (d *desk) serve(version uint16) (ca string) {
	d.t.Helper()
	web := holdertest.NewAuthority(d.t, "CSE test web CA")
	leaf, key := web.Server(d.t, host)
	cards := x509.NewCertPool()
	cards.AddCert(d.card.Authority.Certificate)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line := fmt.Sprintf("welcome %s by %s", r.TLS.PeerCertificates[0].Subject.CommonName, tls.VersionName(r.TLS.Version))
		fmt.Fprintln(w, line)
		d.visits <- line
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{
		MinVersion: version, MaxVersion: version, SessionTicketsDisabled: true,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: cards,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}},
	}
	s.StartTLS()
	d.t.Cleanup(s.Close)
	_, d.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return d.file("web-ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate.Raw}))
}

// eachVersion runs test on every profile and both versions of TLS.
func eachVersion(t *testing.T, test func(d *desk, ca, welcome string)) {
	t.Helper()
	for _, p := range profiles {
		for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(p.Name+"/"+tls.VersionName(v), func(t *testing.T) {
				d := insert(t, p)
				test(d, d.serve(v), "welcome "+d.card.Leaf.Subject.CommonName+" by "+tls.VersionName(v))
			})
		}
	}
}

// object is the PKCS#11 URI of the card's certificate or key.
func object(kind string) string {
	u := "pkcs11:object=CNS0;type=" + kind
	if kind == "private" {
		u += ";pin-value=" + url.PathEscape(holdertest.PIN)
	}
	return u
}

func TestCurl(t *testing.T) { eachVersion(t, curl) }

func curl(d *desk, ca, welcome string) {
	d.t.Helper()
	out := d.run("curl", "--silent", "--show-error", "--cacert", ca, "--engine", "pkcs11",
		"--cert-type", "ENG", "--cert", object("cert"), "--key-type", "ENG", "--key", object("private"),
		"--resolve", host+":"+d.port+":127.0.0.1", "https://"+host+":"+d.port+"/")
	d.contains(out, welcome)
}

func TestOpenSSLClient(t *testing.T) { eachVersion(t, opensslClient) }

func opensslClient(d *desk, ca, welcome string) {
	d.t.Helper()
	cert := d.file("card.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.card.Leaf.Raw}))
	out, err := d.try("GET / HTTP/1.0\r\nHost: "+host+"\r\n\r\n", "openssl", "s_client", "-connect", "127.0.0.1:"+d.port,
		"-servername", host, "-verify_hostname", host, "-verify_return_error", "-CAfile", ca, "-quiet", "-ign_eof",
		"-engine", "pkcs11", "-keyform", "engine", "-key", object("private"), "-cert", cert)
	if err != nil && !strings.Contains(out, welcome) {
		d.t.Fatalf("%v\n%s", err, out)
	}
	d.contains(out, welcome)
}

func TestGnuTLSClient(t *testing.T) { eachVersion(t, gnutlsClient) }

func gnutlsClient(d *desk, ca, welcome string) {
	d.t.Helper()
	out, err := d.try("GET / HTTP/1.0\r\nHost: "+host+"\r\n\r\n", "gnutls-cli", "--provider="+d.module,
		"--x509cafile", ca, "--sni-hostname", host, "--verify-hostname", host,
		"--x509certfile", object("cert"), "--x509keyfile", object("private"), "-p", d.port, "127.0.0.1")
	if err != nil && !strings.Contains(out, welcome) {
		d.t.Fatalf("%v\n%s", err, out)
	}
	d.contains(out, welcome)
}

// NSS is the library of Firefox and Chromium: it must list certificate and key.
func TestNSS(t *testing.T) {
	eachProfile(t, func(d *desk) {
		db := "sql:" + d.home
		pin := d.file("pin", []byte(holdertest.PIN+"\n"))
		d.run("certutil", "-N", "-d", db, "--empty-password")
		d.run("modutil", "-dbdir", db, "-add", "OpenSC", "-libfile", module, "-force")
		d.contains(d.run("certutil", "-K", "-d", db, "-h", "MARIO ROSSI (PIN CNS0)", "-f", pin), "rsa", "CNS0")
	})
}
