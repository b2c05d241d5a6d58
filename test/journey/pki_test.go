package journey

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/test/journey/inspect"
)

// pemCRL makes OpenSSL write a list as PEM, which its verify wants.
func (j *journey) pemCRL(t *testing.T, der, name string) string {
	t.Helper()
	out := filepath.Join(j.dir, name)
	j.other(t, nil, "openssl", "crl", "-inform", "DER", "-in", der, "-out", out)
	return out
}

// onceChain: the holder's certificate, the authority and the lists as OpenSSL
// and GnuTLS see them, after the revocation.
func (j *journey) onceChain(t *testing.T) {
	j.waitForOnce(t)
	r, err := inspect.Decode([]byte(j.once.stdout.String()))
	ok(t, err)
	at := func(p string) string { return filepath.Join(j.once.data, p) }
	cert, root, issuing := at(r.Card.Certificate), at(r.CA.Root), at(r.CA.Issuing)
	j.other(t, []string{": OK"}, "openssl", "verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", root, "-untrusted", issuing, cert)

	var pems, ours string
	var parts []string
	point := j.other(t, []string{"URI:http://"}, "openssl", "x509", "-in", cert, "-noout", "-ext", "crlDistributionPoints")
	for _, p := range r.CA.CRL {
		out := j.pemCRL(t, at(p), filepath.Base(p)+".pem")
		b, err := os.ReadFile(out)
		ok(t, err)
		pems += string(b)
		j.other(t, []string{"X509v3 CRL Number", "Next Update"}, "openssl", "crl", "-inform", "DER", "-in", at(p), "-noout", "-text")
		j.other(t, []string{"CRL Number"}, "certtool", "--crl-info", "--inder", "--infile", at(p))
		if strings.HasPrefix(filepath.Base(p), "issuing") {
			parts = append(parts, at(p))
		}
		if strings.Contains(point, "/crl/"+filepath.Base(p)) {
			ours = at(p)
		}
	}
	lists := j.file(t, "lists.pem", []byte(pems))
	o := j.run(t, "", "openssl", "verify", "-crl_check_all", "-CAfile", root, "-untrusted", issuing, "-CRLfile", lists, cert)
	if o.exit == 0 || !strings.Contains(o.stdout+o.stderr, "certificate revoked") {
		t.Errorf("openssl verify -crl_check of the revoked certificate: %s", o)
	}
	serial := strings.TrimSpace(strings.TrimPrefix(j.other(t, nil, "openssl", "x509", "-in", cert, "-noout", "-serial"), "serial="))
	j.other(t, []string{"Issuing Distribution Point", "Serial Number: " + serial}, "openssl", "crl", "-inform", "DER", "-in", ours, "-noout", "-text")
	// not one is on them that is not: 194 certificates are on hold, one is good; each
	// part says which it is
	got, held := 0, 0
	for _, p := range parts {
		list := j.other(t, []string{"/crl/" + filepath.Base(p), "Only User Certificates"}, "openssl", "crl", "-inform", "DER", "-in", p, "-noout", "-text")
		got, held = got+strings.Count(list, "Serial Number:"), held+strings.Count(list, "Certificate Hold")
	}
	if got != held+1 || got != 194 || len(parts) != 4 {
		t.Errorf("%d entries on %d lists, %d of them on hold; want 193 on hold and one revoked, on 4", got, len(parts), held)
	}
	for name, file := range map[string]string{"card": cert, "root": root, "issuing": issuing} {
		info := j.other(t, []string{"Subject", "Issuer"}, "certtool", "--certificate-info", "--infile", file)
		switch {
		case name == "card" && (!strings.Contains(info, "1.3.76.16.2.1") || !strings.Contains(info, "Digital signature.") || strings.Contains(info, "Non repudiation")):
			t.Errorf("the card's certificate as certtool sees it:\n%s", info)
		case name != "card" && !strings.Contains(info, "Certificate Authority (CA): TRUE"):
			t.Errorf("%s is no authority:\n%s", name, info)
		}
	}
	j.other(t, []string{"Verified"}, "certtool", "--verify", "--infile", j.bundle(t, cert, issuing, root), "--load-ca-certificate", root)
}

// bundle joins PEM files.
func (j *journey) bundle(t *testing.T, files ...string) string {
	t.Helper()
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		ok(t, err)
		all = append(all, b...)
	}
	return j.file(t, "bundle.pem", all)
}

// certificateOf exports a card's certificate with our own tool.
func (j *journey) certificateOf(t *testing.T, image string) string {
	t.Helper()
	o := j.card(t, image, nil, "certificate", "export")
	o.says(t, 0, "BEGIN CERTIFICATE")
	return j.file(t, filepath.Base(image)+".pem", []byte(o.stdout))
}

// ocsp: the responder of the platform that is up, by POST and by GET.
func (j *journey) ocsp(t *testing.T) {
	issuing, root := filepath.Join(j.live.data, "ca/issuing.pem"), filepath.Join(j.live.data, "ca/root.pem")
	address := "http://" + livePlain + "/ocsp"
	delivered := j.delivered(t, 1)[0]
	for name, c := range map[string]struct {
		of   []string
		want []string
	}{
		"active":   {[]string{"-cert", j.certificateOf(t, j.citizen.image)}, []string{": good"}},
		"revoked":  {[]string{"-cert", filepath.Join(j.live.data, "holder/certificato.pem")}, []string{": revoked", "Revocation Time"}},
		"on hold":  {[]string{"-cert", j.certificateOf(t, delivered)}, []string{": revoked", "certificateHold"}},
		"invented": {[]string{"-serial", "0x5eed5eed5eed5eed5eed5eed5eed5eed"}, []string{": unknown"}},
	} {
		for _, hash := range []string{"-sha1", "-sha256"} {
			check := append([]string{"ocsp", hash, "-issuer", issuing}, c.of...)
			believe := []string{"-CAfile", root, "-verify_other", issuing}
			o := j.run(t, "", "openssl", append(append(check, believe...), "-url", address)...)
			o.says(t, 0, append(c.want, "Response verify OK")...)

			request := filepath.Join(j.dir, "request.der")
			j.other(t, nil, "openssl", append(check, "-reqout", request, "-no_nonce")...)
			der, err := os.ReadFile(request)
			ok(t, err)
			answer := filepath.Join(j.dir, "answer.der")
			j.other(t, []string{"200 application/ocsp-response"}, "curl", "--silent", "--show-error", "--output", answer, "--write-out", "%{http_code} %{content_type}",
				address+"/"+url.PathEscape(base64.StdEncoding.EncodeToString(der)))
			o = j.run(t, "", "openssl", append(append(check, believe...), "-no_nonce", "-respin", answer)...)
			o.says(t, 0, append(c.want, "Response verify OK")...)
			if t.Failed() {
				t.Fatalf("%s %s", name, hash)
			}
		}
	}
	// the addresses that certificates carry serve what they promise
	for path, want := range map[string]string{"/crl/issuing-0.crl": "200 application/pkix-crl", "/ca/issuing.cer": "200 application/pkix-cert"} {
		j.other(t, []string{want}, "curl", "--silent", "--show-error", "--output", filepath.Join(j.dir, "served"), "--write-out", "%{http_code} %{content_type}", "http://pki.cse.localhost:8080"+path)
	}
}

// delivered are cards in the post of the live demonstration, not activated.
func (j *journey) delivered(t *testing.T, n int) []string {
	t.Helper()
	images, err := filepath.Glob(filepath.Join(j.live.data, "cards", "*.cse"))
	ok(t, err)
	if len(images) < n {
		t.Fatalf("%d cards in the post", len(images))
	}
	return images[:n]
}
