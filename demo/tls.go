package demo

import (
	"crypto/tls"
	"crypto/x509"
)

// tlsOf trusts the local web authority and nobody else.
func tlsOf(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}
