package tsl_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/pki/trust/tsl"
)

var day = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

var scheme = tsl.Scheme{
	Operator: "Regione di Prova", Street: "Via della Prova 1", Locality: "Prova", PostalCode: "50100", Country: "IT", Mail: "ca@regione.example",
	Information: "https://regione.example/fiducia", Notice: "Le autorità <di prova> & nient'altro.",
}

func make509(t testing.TB, name string, ca bool, key crypto.Signer) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: day.AddDate(-1, 0, 0), NotAfter: day.AddDate(5, 0, 0), IsCA: ca, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ec(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// publisher signs lists.
type publisher struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newPublisher(t testing.TB) publisher {
	k := ec(t)
	return publisher{k, make509(t, "Liste di prova", false, k)}
}

func service(c *x509.Certificate, states ...tsl.State) tsl.Service {
	return tsl.Service{Name: c.Subject.CommonName, Type: tsl.TypeIdV, Certificates: []*x509.Certificate{c}, States: states}
}

func granted(from time.Time) tsl.State {
	return tsl.State{Type: tsl.TypeIdV, Status: tsl.Granted, From: from}
}

func withdrawn(from time.Time) tsl.State {
	return tsl.State{Type: tsl.TypeIdV, Status: tsl.Withdrawn, From: from}
}

func (p publisher) list(t testing.TB, number int64, services ...tsl.Service) []byte {
	t.Helper()
	out, err := tsl.Write(rand.Reader, &tsl.List{
		Sequence: number, Territory: "IT", Operator: scheme.Operator, Issued: day, NextUpdate: day.AddDate(0, 6, 0), Services: services, Signer: p.cert,
	}, scheme, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p publisher) read(t testing.TB, in []byte) *tsl.List {
	t.Helper()
	l, err := tsl.Read(in, []*x509.Certificate{p.cert}, "IT")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// R9: what is written is read again, and who is trusted from and to the dates of the list.
func TestR9_WhoIsTrustedAndWhen(t *testing.T) {
	p := newPublisher(t)
	a, b, c, d := make509(t, "CA A", true, ec(t)), make509(t, "CA B", true, ec(t)), make509(t, "CA C", true, ec(t)), make509(t, "nessuna CA", false, ec(t))
	l := p.read(t, p.list(t, 7,
		service(a, granted(day.AddDate(-1, 0, 0))),
		service(b, withdrawn(day.AddDate(0, -1, 0)), granted(day.AddDate(0, -6, 0))),
		service(c, granted(day.AddDate(0, 1, 0))),
		service(d, granted(day.AddDate(-1, 0, 0)))))
	if l.Sequence != 7 || l.Operator != scheme.Operator || !l.Issued.Equal(day) || len(l.Services) != 4 {
		t.Errorf("%+v", l)
	}
	for _, x := range []struct {
		at   time.Time
		want string
	}{
		{day, "CA A"},
		{day.AddDate(0, -2, 0), "CA A, CA B"},
		{day.AddDate(0, -1, 0), "CA A"},
		{day.AddDate(0, -6, 0), "CA A, CA B"},
		{day.AddDate(0, -7, 0), "CA A"},
		{day.AddDate(0, 2, 0), "CA A, CA C"},
		{day.AddDate(-2, 0, 0), ""},
	} {
		var got []string
		for _, i := range l.Issuers(tsl.TypeIdV, x.at) {
			got = append(got, i.Name)
		}
		if s := strings.Join(got, ", "); s != x.want {
			t.Errorf("%s: %q, want %q", x.at.Format(time.DateOnly), s, x.want)
		}
	}
	if n := len(l.Issuers(tsl.TypeCA, day)); n != 0 {
		t.Errorf("%d of another type", n)
	}
	both := p.read(t, p.list(t, 8, service(a, granted(day.AddDate(-1, 0, 0))), service(a, withdrawn(day.AddDate(0, -1, 0)))))
	if got := both.Issuers(tsl.TypeIdV, day); len(got) != 0 {
		t.Errorf("one that another service withdraws is granted: %v", got)
	}
}

func TestChanges(t *testing.T) {
	p := newPublisher(t)
	a, b, c := make509(t, "CA A", true, ec(t)), make509(t, "CA B", true, ec(t)), make509(t, "CA C", true, ec(t))
	from := day.AddDate(-1, 0, 0)
	old := p.read(t, p.list(t, 1, service(a, granted(from)), service(b, granted(from))))
	renamed := service(a, granted(from))
	renamed.Name = "CA A, di nuovo"
	now := p.read(t, p.list(t, 2, renamed, service(b, withdrawn(day), granted(from)), service(c, granted(from))))
	got := now.Changes(old, tsl.TypeIdV, day)
	if len(got.New) != 1 || got.New[0].Name != "CA C" || len(got.Gone) != 1 || got.Gone[0].Name != "CA B" || len(got.Kept) != 1 || len(got.Renamed) != 1 {
		t.Errorf("%+v", got)
	}
	if first := old.Changes(nil, tsl.TypeIdV, day); len(first.New) != 2 {
		t.Errorf("the first list: %+v", first)
	}
	for _, x := range []struct {
		name string
		l    *tsl.List
		want tsl.Reason
	}{
		{"next", &tsl.List{Sequence: 2, Issued: day}, ""},
		{"the same number", &tsl.List{Sequence: 1, Issued: day.AddDate(0, 0, 1)}, tsl.NotNewer},
		{"a smaller number", &tsl.List{Sequence: 0, Issued: day.AddDate(0, 0, 1)}, tsl.NotNewer},
		{"an earlier instant", &tsl.List{Sequence: 2, Issued: day.AddDate(0, 0, -1)}, tsl.NotNewer},
	} {
		if got := tsl.ReasonOf(x.l.Newer(old)); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
	for at, want := range map[time.Time]tsl.Reason{
		day: "", day.AddDate(0, 6, 0): "", day.AddDate(0, 6, 0).Add(time.Second): tsl.OutOfDate, day.AddDate(0, 0, -1): tsl.OutOfDate,
	} {
		if got := tsl.ReasonOf(old.Fresh(at)); got != want {
			t.Errorf("at %s: %q, want %q", at, got, want)
		}
	}
}

// What a signature does not cover, or somebody else signed, is not read: wrapping, more than one signature, types and entities.
func TestR9_ListsThatAreRefused(t *testing.T) {
	p, other := newPublisher(t), newPublisher(t)
	ca, evil := make509(t, "CA A", true, ec(t)), make509(t, "CA CATTIVA", true, ec(t))
	good := string(p.list(t, 3, service(ca, granted(day.AddDate(-1, 0, 0)))))
	bad := string(other.list(t, 3, service(evil, granted(day.AddDate(-1, 0, 0)))))
	root := func(s string) (inner string) { // the list without its declaration
		return s[strings.Index(s, "<TrustServiceStatusList"):]
	}
	signature := good[strings.Index(good, "<ds:Signature "):strings.Index(good, "</TrustServiceStatusList>")]
	unsigned := strings.Replace(root(bad), bad[strings.Index(bad, "<ds:Signature "):strings.Index(bad, "</TrustServiceStatusList>")], "", 1)
	bare := strings.Replace(root(good), signature, "", 1) // what was signed
	last := func(doc, what string) string {               // as the last child of the root
		i := strings.LastIndex(doc, "</TrustServiceStatusList>")
		return doc[:i] + what + doc[i:]
	}
	outer := strings.Replace(unsigned, ` Id="tsl"`, "", 1)
	within := strings.Replace(unsigned, "</TrustServiceStatusList>", signature+"</TrustServiceStatusList>", 1)
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the list", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	object := func(in string) string { return strings.Replace(signature, "<ds:Object>", "<ds:Object>"+in, 1) }
	for name, x := range map[string]struct {
		in   string
		want tsl.Reason
	}{
		"another's signature":                        {bad, tsl.UnknownSigner},
		"the good signature in another list":         {within, tsl.BadSignature},
		"the signed list inside the signature":       {strings.Replace(outer, "</TrustServiceStatusList>", object(bare)+"</TrustServiceStatusList>", 1), tsl.BadSignature},
		"the signed list inside the other":           {strings.Replace(unsigned, "</TrustServiceStatusList>", root(good)+"</TrustServiceStatusList>", 1), tsl.Malformed},
		"the other list around it":                   {strings.Replace(outer, "</TrustServiceStatusList>", root(good)+"</TrustServiceStatusList>", 1), tsl.BadSignature},
		"the signed list first in the other":         {last(strings.Replace(outer, "<SchemeInformation>", bare+"<SchemeInformation>", 1), signature), tsl.BadSignature},
		"two signatures":                             {strings.Replace(good, "</TrustServiceStatusList>", strings.NewReplacer(`"signature"`, `"s2"`, `"properties"`, `"p2"`, `"#properties"`, `"#p2"`).Replace(signature)+"</TrustServiceStatusList>", 1), tsl.BadSignature},
		"no signature":                               {unsigned, tsl.BadSignature},
		"a service added":                            {swap("</TSPServices>", "<TSPService></TSPService></TSPServices>"), tsl.BadSignature},
		"a status changed":                           {swap(tsl.Granted, tsl.Withdrawn), tsl.BadSignature},
		"a number changed":                           {swap("<TSLSequenceNumber>3<", "<TSLSequenceNumber>9<"), tsl.BadSignature},
		"another digest method":                      {swap("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"), tsl.BadSignature},
		"another signature method":                   {swap("xmldsig-more#ecdsa-sha256", "xmldsig-more#hmac-sha256"), tsl.BadSignature},
		"a canonical form with comments":             {swap("xml-exc-c14n#\"></ds:CanonicalizationMethod>", "xml-exc-c14n#WithComments\"></ds:CanonicalizationMethod>"), tsl.BadSignature},
		"an XPath that leaves everything out":        {swap("enveloped-signature\"></ds:Transform>", "enveloped-signature\"></ds:Transform><ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"></ds:Transform>"), tsl.BadSignature},
		"a reference to a part":                      {swap(`URI=""`, `URI="#properties"`), tsl.BadSignature},
		"a type definition":                          {strings.Replace(good, "\n<Trust", "\n<!DOCTYPE x><Trust", 1), tsl.Malformed},
		"an entity":                                  {strings.Replace(swap("<TSLSequenceNumber>3", "<TSLSequenceNumber>&n;3"), "\n<Trust", "\n<!DOCTYPE x [<!ENTITY n \"\">]><Trust", 1), tsl.Malformed},
		"an entity that nobody defines":              {swap("<TSLSequenceNumber>3", "<TSLSequenceNumber>&n;3"), tsl.Malformed},
		"an outside entity":                          {strings.Replace(good, "\n<Trust", "\n<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><Trust", 1), tsl.Malformed},
		"a processing instruction":                   {strings.Replace(good, "\n<Trust", "\n<?xml-stylesheet href=\"x\"?><Trust", 1), tsl.Malformed},
		"another encoding":                           {strings.Replace(good, "UTF-8", "ISO-8859-1", 1), tsl.Malformed},
		"an identifier twice":                        {swap("<SchemeInformation>", `<SchemeInformation Id="tsl">`), tsl.Malformed},
		"two roots":                                  {good + root(good), tsl.Malformed},
		"too deep":                                   {strings.Replace(good, "<SchemeTerritory>", strings.Repeat("<x>", 60)+strings.Repeat("</x>", 60)+"<SchemeTerritory>", 1), tsl.Malformed},
		"too big":                                    {good + strings.Repeat(" ", tsl.MaxSize), tsl.Malformed},
		"nothing":                                    {"", tsl.Malformed},
		"another root":                               {`<x xmlns="http://uri.etsi.org/02231/v2#"/>`, tsl.Malformed},
		"the root of another namespace":              {strings.Replace(good, "02231/v2#", "02231/v3#", 1), tsl.Malformed},
		"a comment within the signature's own value": {strings.Replace(good, "<ds:SignatureValue>", "<ds:SignatureValue>AAAA<!-- -->", 1), tsl.BadSignature},
	} {
		l, err := tsl.Read([]byte(x.in), []*x509.Certificate{p.cert}, "IT")
		if got := tsl.ReasonOf(err); got != x.want || l != nil {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
	if _, err := tsl.Read([]byte(good), []*x509.Certificate{p.cert}, "AT"); tsl.ReasonOf(err) != tsl.WrongScheme {
		t.Errorf("another territory: %v", err)
	}
	if _, err := tsl.Read([]byte(good), nil, "IT"); tsl.ReasonOf(err) != tsl.UnknownSigner {
		t.Errorf("nobody pinned: %v", err)
	}
	// A comment that the canonical form leaves out changes nothing of what is read.
	l := p.read(t, []byte(swap("<SchemeTerritory>IT", "<SchemeTerritory>I<!-- x -->T")))
	if l.Territory != "IT" {
		t.Errorf("territory %q", l.Territory)
	}
	young := other
	young.cert = make509(t, "Liste di prova", false, other.key)
	young.cert.NotBefore = day.Add(time.Hour)
	if _, err := tsl.Read([]byte(good), []*x509.Certificate{young.cert, p.cert}, "IT"); err != nil {
		t.Errorf("two pinned, one of them the signer: %v", err)
	}
}

// Others verify what we publish: xmlsec1, over ECDSA and RSA.
func TestForeignXMLSec(t *testing.T) {
	if _, err := exec.LookPath("xmlsec1"); err != nil {
		if os.Getenv("CSE_FOREIGN") == "" {
			t.Skip("apt install xmlsec1")
		}
		t.Fatal("install xmlsec1")
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]publisher{"ecdsa": newPublisher(t), "rsa": {k, make509(t, "Liste RSA", false, k)}} {
		dir := t.TempDir()
		list := p.list(t, 4, service(make509(t, "CA <A> & B", true, ec(t)), granted(day.AddDate(-1, 0, 0))))
		for file, b := range map[string][]byte{"list.xml": list, "signer.der": p.cert.Raw, "changed.xml": bytes.Replace(list, []byte("50100"), []byte("50101"), 1)} {
			if err := os.WriteFile(filepath.Join(dir, file), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for file, valid := range map[string]bool{"list.xml": true, "changed.xml": false} {
			out, err := exec.Command("xmlsec1", "--verify", "--enabled-key-data", "x509", "--trusted-der", filepath.Join(dir, "signer.der"),
				"--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "--verification-gmt-time", "2026-11-26 10:00:00", filepath.Join(dir, file)).CombinedOutput()
			if (err == nil) != valid {
				t.Errorf("%s: %s: %v\n%s", name, file, err, out)
			}
		}
	}
}

func FuzzTrustedList(f *testing.F) {
	p := newPublisher(f)
	f.Add(p.list(f, 1, service(make509(f, "CA A", true, ec(f)), granted(day))))
	f.Add([]byte(`<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"/>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		l, err := tsl.Read(in, []*x509.Certificate{p.cert}, "")
		if (l == nil) == (err == nil) || (err != nil && tsl.ReasonOf(err) == "") {
			t.Fatalf("%v, %v", l, err)
		}
		if l != nil && l.Operator != scheme.Operator {
			t.Fatal("read what was not signed")
		}
	})
}
