package foreignpki

import (
	"os"
	"testing"

	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
)

// OpenSSL and GnuTLS read the certificate, and believe the chain by the strict
// rules and for the CNS policy.
func TestTheCertificate(t *testing.T) {
	o := open(t)
	serial, card := o.issue(t, 1)
	q := catest.Request(t, 1)
	says(t, []string{
		"CN = " + q.CF + "/" + q.Card + ".", "OU = REGIONE DI PROVA", "O = CSE", "C = IT",
		"X509v3 Key Usage: critical\n                Digital Signature\n", "TLS Web Client Authentication",
		"Policy: 1.3.76.16.2.1", "User Notice:", profile.DefaultNotice,
		"URI:http://pki.example.it/crl/issuing-0.crl", "OCSP - URI:http://pki.example.it/ocsp", "CA Issuers - URI:http://pki.example.it/ca/issuing.cer",
		"Public-Key: (2048 bit)", "ecdsa-with-SHA256",
	}, "openssl", "x509", "-in", card, "-noout", "-text")
	strict := []string{"verify", "-x509_strict", "-CAfile", o.root, "-untrusted", o.Material.IssuingFile, "-purpose", "sslclient"}
	says(t, []string{": OK"}, "openssl", append(strict, "-policy_check", "-explicit_policy", "-policy", "1.3.76.16.2.1", card)...)
	refuses(t, "no explicit policy", "openssl", append(strict, "-policy_check", "-explicit_policy", "-policy", "1.3.76.47.4", card)...)
	refuses(t, "unsuitable certificate purpose", "openssl", "verify", "-CAfile", o.root, "-untrusted", o.Material.IssuingFile, "-purpose", "sslserver", card)
	says(t, []string{serial, "TLS WWW Client", "1.3.76.16.2.1", "Digital signature"}, "certtool", "--certificate-info", "--infile", card)
	leaf, err := os.ReadFile(card)
	if err != nil {
		t.Fatal(err)
	}
	chain := o.file(t, "chain.pem", leaf, pemOf(o.Material.Issuing), pemOf(o.Material.Root))
	says(t, []string{"Chain verification output: Verified"}, "certtool", "--verify-chain", "--infile", chain)
}

func TestTheAuthorities(t *testing.T) {
	o := open(t)
	says(t, []string{"CA:TRUE\n", "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign"}, "openssl", "x509", "-in", o.root, "-noout", "-text")
	says(t, []string{"CA:TRUE, pathlen:0", "Policy: 1.3.76.16.2.1", "URI:http://pki.example.it/crl/root.crl"}, "openssl", "x509", "-in", o.Material.IssuingFile, "-noout", "-text")
	responder := o.file(t, "responder.pem", pemOf(o.Material.Responder))
	says(t, []string{"OCSP Signing", "OCSP No Check"}, "openssl", "x509", "-in", responder, "-noout", "-text")
	says(t, []string{": OK"}, "openssl", "verify", "-x509_strict", "-CAfile", o.root, "-untrusted", o.Material.IssuingFile, "-purpose", "ocsphelper", responder)
}

// The lists, through the life of a card, as OpenSSL's path validation sees them.
func TestTheLists(t *testing.T) {
	o := open(t)
	serial, card := o.issue(t, 1)
	verify := func() []string {
		_, pems := o.publish(t)
		return []string{
			"verify", "-x509_strict", "-crl_check_all", "-CAfile", o.root, "-untrusted", o.Material.IssuingFile, "-CRLfile", pems[0], "-CRLfile", pems[1], card,
		}
	}
	refuses(t, "certificate revoked", "openssl", verify()...) // not activated: on hold
	if err := o.Activate(t.Context(), serial); err != nil {
		t.Fatal(err)
	}
	says(t, []string{": OK"}, "openssl", verify()...)
	if err := o.Revoke(t.Context(), serial, ca.KeyCompromise); err != nil {
		t.Fatal(err)
	}
	refuses(t, "certificate revoked", "openssl", verify()...)
	o.issue(t, 2)
	der, pems := o.publish(t)
	says(t, []string{
		"verify OK", "X509v3 Issuing Distribution Point: critical", "Only User Certificates", "URI:http://pki.example.it/crl/issuing-0.crl",
		"X509v3 CRL Number: \n                4\n", "Key Compromise", "Certificate Hold", "X509v3 Authority Key Identifier",
	}, "openssl", "crl", "-inform", "DER", "-in", der[0], "-CAfile", o.top, "-noout", "-text")
	says(t, []string{"verify OK", "Only CA Certificates", "No Revoked Certificates"}, "openssl", "crl", "-inform", "DER", "-in", der[1], "-CAfile", o.root, "-noout", "-text")
	says(t, []string{"Revoked certificates (2)", serial, "CRL Number"}, "certtool", "--crl-info", "--infile", pems[0])
	says(t, []string{"Verified"}, "certtool", "--verify-crl", "--load-ca-certificate", o.Material.IssuingFile, "--infile", pems[0])
}
