package listen

import (
	"crypto/tls"
	"slices"
)

// Posture is what a host's TLS does, read from the very configuration that
// serves it: names as crypto/tls spells them.
type Posture struct {
	Host string
	// Versions, lowest first; Suites of TLS 1.2 (none when it is not spoken), and
	// those of TLS 1.3; Exchanges are the groups of the key exchange, best first.
	Versions, Suites, Suites13, Exchanges []string
	// Asks for a certificate of who calls; Resumes sessions without a new handshake.
	Asks, Resumes bool
}

// Describe reads a host's posture; the host needs no handler for it.
func Describe(h Host) Posture {
	c := tlsConfig(h)
	p := Posture{Host: h.Name, Asks: c.ClientAuth != tls.NoClientCert, Resumes: !c.SessionTicketsDisabled}
	most := c.MaxVersion
	if most == 0 {
		most = tls.VersionTLS13
	}
	for v := c.MinVersion; v <= most; v++ {
		p.Versions = append(p.Versions, tls.VersionName(v))
	}
	if c.MinVersion <= tls.VersionTLS12 {
		for _, id := range c.CipherSuites {
			p.Suites = append(p.Suites, tls.CipherSuiteName(id))
		}
	}
	if most >= tls.VersionTLS13 {
		for _, s := range tls.CipherSuites() {
			if slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13}) {
				p.Suites13 = append(p.Suites13, s.Name)
			}
		}
	}
	for _, g := range c.CurvePreferences {
		p.Exchanges = append(p.Exchanges, g.String())
	}
	return p
}
