package tsl

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Read reads a list that one of the signers signed, for a territory (empty: any).
// Whether it may follow another, and whether it is of today, is asked of the List.
func Read(in []byte, signers []*x509.Certificate, territory string) (*List, error) {
	root, err := parse(in)
	if err != nil {
		return nil, err
	}
	signed, signer, err := verified(root, signers)
	if err != nil {
		return nil, err
	}
	l := &List{Signer: signer, Hash: sha256.Sum256(in)}
	if err := l.read(signed); err != nil {
		return nil, err
	}
	if l.Issued.Before(signer.NotBefore) || l.Issued.After(signer.NotAfter) {
		return nil, refuse(UnknownSigner, "the list is not of the signer's days")
	}
	if territory != "" && l.Territory != territory {
		return nil, refuse(WrongScheme, "territory %q", l.Territory)
	}
	return l, nil
}

func (l *List) read(root *etree.Element) error {
	scheme, err := one(root, "SchemeInformation")
	if err != nil {
		return err
	}
	version, err := value(scheme, "TSLVersionIdentifier")
	if err != nil {
		return err
	}
	if version != "5" && version != "6" { // TS 119 612 v2.1.1 to v2.2.1, and v2.3.1
		return malformed("version %.10q", version)
	}
	number, err := value(scheme, "TSLSequenceNumber")
	if err != nil {
		return err
	}
	if l.Sequence, err = strconv.ParseInt(number, 10, 64); err != nil || l.Sequence < 1 {
		return malformed("sequence number %.30q", number)
	}
	if l.Territory, err = value(scheme, "SchemeTerritory"); err != nil {
		return err
	}
	if len(l.Territory) != 2 || strings.ToUpper(l.Territory) != l.Territory {
		return malformed("territory %.10q", l.Territory)
	}
	if l.Operator, err = name(scheme, "SchemeOperatorName"); err != nil {
		return err
	}
	if l.Issued, err = instant(scheme, "ListIssueDateTime"); err != nil {
		return err
	}
	next, err := one(scheme, "NextUpdate")
	if err != nil {
		return err
	}
	if len(next.ChildElements()) > 0 { // an empty one: the list is closed
		if l.NextUpdate, err = instant(next, "dateTime"); err != nil {
			return err
		}
		if !l.NextUpdate.After(l.Issued) {
			return malformed("the next update comes before the issue")
		}
	}
	lists := children(root, namespace, "TrustServiceProviderList")
	if len(lists) > 1 {
		return malformed("two lists of providers")
	}
	for _, list := range lists {
		for _, p := range children(list, namespace, "TrustServiceProvider") {
			if err := l.provider(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *List) provider(p *etree.Element) error {
	info, err := one(p, "TSPInformation")
	if err != nil {
		return err
	}
	who, err := name(info, "TSPName")
	if err != nil {
		return err
	}
	services, err := one(p, "TSPServices")
	if err != nil {
		return err
	}
	for _, e := range children(services, namespace, "TSPService") {
		s, err := service(e)
		if err != nil {
			return err
		}
		s.Provider = who
		if l.Services = append(l.Services, s); len(l.Services) > maxServices {
			return malformed("too many services")
		}
	}
	return nil
}

func service(e *etree.Element) (Service, error) {
	var s Service
	info, err := one(e, "ServiceInformation")
	if err != nil {
		return s, err
	}
	if s.Name, err = name(info, "ServiceName"); err != nil {
		return s, err
	}
	first, err := state(info)
	if err != nil {
		return s, err
	}
	s.Type, s.States = first.Type, []State{first}
	if s.Certificates, err = identity(info); err != nil {
		return s, err
	}
	histories := children(e, namespace, "ServiceHistory")
	if len(histories) > 1 {
		return s, malformed("two histories")
	}
	for _, h := range histories {
		for _, x := range children(h, namespace, "ServiceHistoryInstance") {
			st, err := state(x)
			if err != nil {
				return s, err
			}
			s.States = append(s.States, st)
		}
	}
	// The standard orders them from the newest; two of one instant would leave open which counts.
	for i, st := range s.States[1:] {
		if !st.From.Before(s.States[i].From) {
			return s, malformed("the history of a service is not in order")
		}
	}
	return s, nil
}

func state(e *etree.Element) (s State, err error) {
	if s.Type, err = value(e, "ServiceTypeIdentifier"); err != nil {
		return s, err
	}
	if s.Status, err = value(e, "ServiceStatus"); err != nil {
		return s, err
	}
	if s.Type == "" || s.Status == "" {
		return s, malformed("a service without type or status")
	}
	s.From, err = instant(e, "StatusStartingTime")
	return s, err
}

// identity reads the certificates of a service; other identities name a key in other words and are not needed.
func identity(info *etree.Element) ([]*x509.Certificate, error) {
	d, err := one(info, "ServiceDigitalIdentity")
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for _, id := range children(d, namespace, "DigitalId") {
		for _, c := range children(id, namespace, "X509Certificate") {
			der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(c.Text()), ""))
			if err != nil || len(c.ChildElements()) > 0 {
				return nil, malformed("a certificate is not base64")
			}
			// One that Go cannot read belongs to a service that nobody here will use: lists have such.
			if cert, err := x509.ParseCertificate(der); err == nil && !slices.ContainsFunc(out, cert.Equal) {
				out = append(out, cert)
			}
		}
	}
	for _, c := range out[min(len(out), 1):] {
		if !bytes.Equal(c.RawSubjectPublicKeyInfo, out[0].RawSubjectPublicKeyInfo) {
			return nil, malformed("one service has two keys")
		}
	}
	return out, nil
}

// name is one of the names, in Italian if there is one, else the first.
func name(e *etree.Element, tag string) (string, error) {
	c, err := one(e, tag)
	if err != nil {
		return "", err
	}
	names := children(c, namespace, "Name")
	if len(names) == 0 {
		return "", malformed("%s without a name", tag)
	}
	best := names[0]
	for _, n := range names {
		if n.SelectAttrValue("xml:lang", "") == "it" {
			best = n
			break
		}
	}
	s := strings.Join(strings.Fields(best.Text()), " ")
	if len(best.ChildElements()) > 0 || s == "" || len(s) > 400 {
		return "", malformed("%s cannot be read", tag)
	}
	return s, nil
}

func instant(e *etree.Element, tag string) (time.Time, error) {
	s, err := value(e, tag)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse("2006-01-02T15:04:05Z", s) // 5.1.2: UTC, no fraction
	if err != nil {
		return time.Time{}, malformed("%s %.40q", tag, s)
	}
	return t, nil
}
