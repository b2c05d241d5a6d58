package virtualcard

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// OCSP is the address that the certificates name: that of the responder that an
// integrator starts on his own machine (README, "openssl ocsp").
const OCSP = "http://127.0.0.1:8888"

// The authority's life is the same whatever the day, so that its certificates are.
var (
	authorityFrom  = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	authorityUntil = time.Date(2059, 12, 31, 23, 59, 59, 0, time.UTC)
)

// authority is root and issuing authority of one seed and one Region.
type authority struct {
	root, issuing       *x509.Certificate
	rootKey, issuingKey *ecdsa.PrivateKey
	cns                 profile.CNS
}

func (p Plan) authority() (*authority, error) {
	region := cns.RegionName(p.Profile.issuer()[1:])
	a := &authority{cns: profile.CNS{
		Organisation: "CSE carte di prova", Unit: "Regione " + region + " (prova)", URLs: profile.URLsAt(OCSP),
		Notice: "TEST CARD, worth nothing. Carta di prova, senza alcun valore.",
	}}
	for _, x := range []struct {
		name string
		cert **x509.Certificate
		key  **ecdsa.PrivateKey
	}{{"root", &a.root, &a.rootKey}, {"issuing", &a.issuing, &a.issuingKey}} {
		s := newStream(p.Seed, "authority "+x.name+" "+region)
		key, err := s.ecdsa()
		if err != nil {
			return nil, err
		}
		serial, err := profile.NewSerial(s)
		if err != nil {
			return nil, err
		}
		made := profile.Authority{
			Serial: serial, Key: key.Public(), NotBefore: authorityFrom, NotAfter: authorityUntil, URLs: a.cns.URLs,
			Names: profile.Names{Country: "IT", Organisation: a.cns.Organisation, Unit: a.cns.Unit, CommonName: "CSE prova " + region + " " + x.name},
		}
		tbs, by := []byte(nil), a.rootKey
		if a.root == nil {
			by = key
			tbs, err = made.Root()
		} else {
			tbs, err = made.Issuing(a.root)
		}
		if err != nil {
			return nil, err
		}
		if *x.cert, err = signed(by, tbs); err != nil {
			return nil, err
		}
		*x.key = key
	}
	return a, nil
}

// signed signs without chance (RFC 6979), so that the same part gives the same bytes.
func signed(by crypto.Signer, tbs []byte) (*x509.Certificate, error) {
	der, err := profile.Sign(nil, by, tbs)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// serial is that of a profile's certificate, known before it is made: the list
// in every folder names all cards of the seed.
func (p Plan) serial() (profile.Serial, error) {
	return profile.NewSerial(newStream(p.Seed, "serial "+p.Profile.Name))
}

func (a *authority) ends(p Plan) time.Time {
	_, expires := p.dates()
	return profile.NotAfter(p.signed(), expires, a.issuing.NotAfter)
}

func (a *authority) issue(p Plan, name string, key *rsa.PublicKey) (*x509.Certificate, error) {
	serial, err := p.serial()
	if err != nil {
		return nil, err
	}
	tbs, err := a.cns.TBS(a.issuing, profile.Leaf{Serial: serial, CommonName: name, Key: key, NotBefore: p.signed(), NotAfter: a.ends(p)})
	if err != nil {
		return nil, err
	}
	return signed(a.issuingKey, tbs)
}

// gone is when and why a profile's certificate was revoked or held; ok is false
// for one that stands.
func (p Plan) gone() (since time.Time, reason int, ok bool) {
	switch {
	case p.Profile.Standing == Revoked:
		return p.Day.AddDays(-30).Start().UTC(), 1, true // keyCompromise: the card was lost
	case p.Profile.Name == "not-activated":
		return p.signed(), status.Hold, true
	case p.Profile.Standing == Held:
		return p.Day.AddDays(-2).Start().UTC(), status.Hold, true
	}
	return time.Time{}, 0, false
}

// siblings are the plans of all cards under the same authority.
func (p Plan) siblings() []Plan {
	var out []Plan
	for _, q := range profiles {
		if !q.Chipless && q.issuer() == p.Profile.issuer() {
			s := p
			s.Profile = q
			out = append(out, s)
		}
	}
	return out
}

// listLife: a test set is used for years.
const listLife = 10

// list is the authority's revocation list, DER. A list of the root is empty.
func (a *authority) list(p Plan, root bool) ([]byte, error) {
	l := status.List{
		Issuer: a.issuing, Signer: a.issuingKey, Number: 1, Point: a.cns.URLs.Shard(0),
		ThisUpdate: p.Day.Start().UTC(), NextUpdate: until(p.Day),
	}
	if root {
		l.Issuer, l.Signer, l.Point, l.Authorities = a.root, a.rootKey, "", true
	}
	return l.Bytes(nil, func(yield func(status.Entry) error) error {
		for _, s := range p.siblings() {
			since, reason, ok := s.gone()
			if root || !ok {
				continue
			}
			serial, err := s.serial()
			if err == nil {
				err = yield(status.Entry{Serial: serial.String(), Since: since, Reason: reason})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func until(day civil.Date) time.Time {
	end := day.AddYears(listLife).Start().UTC()
	if end.After(authorityUntil) {
		return authorityUntil
	}
	return end
}

// index is the database of "openssl ca", from which "openssl ocsp" answers.
func (a *authority) index(p Plan) ([]byte, error) {
	const stamp = "060102150405Z"
	var b strings.Builder
	for _, s := range p.siblings() {
		serial, err := s.serial()
		if err != nil {
			return nil, err
		}
		state, gone := "V", ""
		if since, reason, ok := s.gone(); ok {
			state, gone = "R", since.Format(stamp)+","+map[int]string{1: "keyCompromise", status.Hold: "certificateHold"}[reason]
		} else if s.Profile.Standing == Ended {
			state = "E"
		}
		number := strings.ToUpper(hex.EncodeToString(serial[:]))
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\tunknown\t/C=IT/CN=%s\n", state, a.ends(s).Format(stamp), gone, number, s.Profile.Name)
	}
	return []byte(b.String()), nil
}

// write puts certificates, lists and the responder's files into the folder.
func (a *authority) write(p Plan, f *folder, leaf *x509.Certificate) error {
	issuing, err := a.list(p, false)
	if err != nil {
		return err
	}
	root, err := a.list(p, true)
	if err != nil {
		return err
	}
	index, err := a.index(p)
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.issuingKey)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		name string
		data []byte
	}{
		{"card.pem", certificates(leaf)},
		{"issuing-ca.pem", certificates(a.issuing)},
		{"root-ca.pem", certificates(a.root)},
		{"issuing.crl", issuing},
		{"root.crl", root},
		{"crls.pem", append(block64("X509 CRL", issuing), block64("X509 CRL", root)...)},
		{"ocsp-index.txt", index},
		{"ocsp-index.txt.attr", []byte("unique_subject = no\n")},
	} {
		if err := f.write(x.name, x.data, 0o644); err != nil {
			return err
		}
	}
	return f.write("issuing-ca.key", block64("PRIVATE KEY", key), 0o600)
}

func certificates(list ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range list {
		out = append(out, block64("CERTIFICATE", c.Raw)...)
	}
	return out
}

func block64(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
