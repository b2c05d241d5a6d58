package xades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature/signtest"
)

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func must[V any](t testing.TB) func(v V, err error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

const invoice = "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<?xml-stylesheet type=\"text/xsl\" href=\"fattura.xsl\"?>\n" +
	"<!-- fattura -->\n<p:Fattura xmlns:p=\"urn:fattura\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" versione=\"1\" xsi:type='p:F'>\n" +
	"  <Importo valuta='&lt;EUR&gt;'>100,00 &euro2;</Importo><!-- nota --><Vuoto/>\n  <p:Testo><![CDATA[a < b]]> perch\u00e9 \u20ac</p:Testo>\n</p:Fattura>\n<!-- fine -->"

var documents = map[string]string{
	"invoice": strings.ReplaceAll(invoice, " &euro2;", ""),
	"empty":   `<a/>`,
	"spaced":  `<a b="c"   />`,
	"default": `<a xmlns="urn:a"><b xmlns="urn:b"><c/></b></a>`,
}

type kit struct {
	ca     *signtest.Authority
	signer signtest.Signer
}

func newKit(t testing.TB) kit {
	ca := signtest.NewAuthority(t, "CA di prova")
	return kit{ca, ca.CNS(t, nil)}
}

func (k kit) sign(t testing.TB, doc []byte) []byte {
	t.Helper()
	return must[[]byte](t)(Sign(context.Background(), rand.Reader, doc, Request{
		Key: k.signer.Key, Certificate: k.signer.Cert, Chain: []*x509.Certificate{k.ca.Cert}, Time: signtest.Now,
	}))
}

func TestOursReadBack(t *testing.T) {
	k := newKit(t)
	for name, doc := range documents {
		t.Run(name, func(t *testing.T) {
			one := k.sign(t, []byte(doc))
			two := k.sign(t, one)
			all := must[[]*Signature](t)(Check(two))
			if len(all) != 2 {
				t.Fatalf("%d signatures", len(all))
			}
			for _, s := range all {
				if s.Err != nil || s.Level() != "B" || !s.Time.Equal(signtest.Now) || !s.Certificate.Equal(k.signer.Cert) {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// In whatever octet the document is changed, either it says the same (white
// space of markup, a comment) or it is refused.
func TestTampered(t *testing.T) {
	k := newKit(t)
	signed := k.sign(t, []byte(documents["invoice"]))
	d := must[*document](t)(read(signed))
	exc := canonicalizer(only(only(d.signatures[0], nsDS, "SignedInfo"), nsDS, "CanonicalizationMethod"))
	want := must[[]byte](t)(d.canonicalDocument(exc, true, d.signatures...))
	for i := range signed {
		for _, flip := range []byte{1, 0x20} {
			bad := bytes.Clone(signed)
			bad[i] ^= flip
			all, err := Check(bad)
			if err != nil || all[0].Err != nil {
				continue
			}
			e := must[*document](t)(read(bad))
			got := must[[]byte](t)(e.canonicalDocument(exc, true, e.signatures...))
			if !bytes.Equal(got, want) || !all[0].Time.Equal(signtest.Now) {
				t.Fatalf("octet %d (%q) changed, and it verifies", i, signed[max(0, i-20):i+20])
			}
		}
	}
}

func hostiles(t testing.TB, k kit) map[string]struct{ doc, want string } {
	signed := string(k.sign(t, []byte(`<Ordine><Importo>100</Importo></Ordine>`)))
	from, to := strings.Index(signed, "<ds:Signature "), strings.Index(signed, "</ds:Signature>")+len("</ds:Signature>")
	sig := signed[from:to]
	byID := strings.Replace(sig, `URI=""`, `URI="#vero"`, 1)
	return map[string]struct{ doc, want string }{
		"changed":                      {strings.Replace(signed, "100", "900", 1), "CSE-733"},
		"another time":                 {strings.Replace(signed, ":30:00Z", ":30:01Z", 1), "CSE-733"},
		"the signature elsewhere":      {`<Ordine><Importo>100</Importo><x>` + sig + `</x></Ordine>`, "CSE-733"},
		"wrapped by identifier":        {`<Ordine><Importo>900</Importo><Ordine Id="vero"><Importo>100</Importo></Ordine>` + byID + `</Ordine>`, "CSE-737"},
		"an identifier twice":          {`<Ordine Id="a"><b Id="a"/>` + sig + `</Ordine>`, "CSE-724"},
		"a type definition":            {`<!DOCTYPE Ordine [<!ENTITY e "x">]>` + signed, "CSE-737"},
		"an entity":                    {strings.Replace(signed, "100", "&x;", 1), "CSE-742"},
		"another encoding":             {`<?xml version="1.0" encoding="ISO-8859-1"?>` + signed, "CSE-737"},
		"a transformation":             {strings.Replace(signed, transformFilter2+`"><f`, `http://www.w3.org/TR/1999/REC-xslt-19991116"><f`, 1), "CSE-737"},
		"a filter of another kind":     {strings.Replace(signed, "/descendant::ds:Signature", "/descendant::Importo", 1), "CSE-737"},
		"SHA-1":                        {strings.Replace(signed, "http://www.w3.org/2001/04/xmlenc#sha256", digestSHA1, 1), "CSE-736"},
		"two SignedInfo":               {strings.Replace(signed, "<ds:SignedInfo>", "<ds:SignedInfo></ds:SignedInfo><ds:SignedInfo>", 1), "CSE-722"},
		"properties of another":        {strings.Replace(signed, `Target="#`, `Target="#x`, 1), "CSE-724"},
		"an attribute twice":           {strings.Replace(signed, "<Importo>", `<Importo a="1" a="2">`, 1), "CSE-742"},
		"nested without end":           {strings.Repeat("<a>", 5000), "CSE-742"},
		"not signed":                   {"<a/>", "CSE-721"},
		"no XML":                       {"ciao", "CSE-742"},
		"two roots":                    {"<a/><b/>", "CSE-742"},
		"a line break in an attribute": {"<a b=\"1\n2\"/>", "CSE-737"},
	}
}

func TestHostile(t *testing.T) {
	for name, c := range hostiles(t, newKit(t)) {
		t.Run(name, func(t *testing.T) {
			all, err := Check([]byte(c.doc))
			if err == nil {
				err = all[0].Err
			}
			if got := code(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestXmlsecAcceptsOurs(t *testing.T) {
	if !signtest.Foreign() {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	k := newKit(t)
	dir := t.TempDir()
	signtest.Write(t, dir, "ca.pem", signtest.PEM(k.ca.Cert))
	for name, doc := range documents {
		one := k.sign(t, k.sign(t, []byte(doc)))
		signtest.Write(t, dir, "signed.xml", one)
		verify := []string{"--verify", "--id-attr:Id", nsXAdES + ":SignedProperties", "--trusted-pem", "ca.pem", "--verification-time", "2026-11-25 10:30:00"}
		for i, at := range []string{"1", "2"} {
			args := append(verify, "--node-xpath", "(//*[local-name()='Signature'])["+at+"]", "signed.xml")
			if out, err := signtest.Run(t, dir, "xmlsec1", args...); err != nil {
				t.Errorf("%s, signature %d: %v\n%s", name, i, err, out)
			}
		}
		signtest.Write(t, dir, "bad.xml", bytes.Replace(one, []byte("text/xml"), []byte("text/xmx"), 1))
		if out, err := signtest.Run(t, dir, "xmlsec1", append(verify, "bad.xml")...); err == nil {
			t.Errorf("%s: xmlsec takes a changed document\n%s", name, out)
		}
	}
}

// What xmlsec signs in its ways is verified here.
func TestXmlsecsAreVerified(t *testing.T) {
	if !signtest.Foreign() {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	k := newKit(t)
	dir := t.TempDir()
	signtest.Write(t, dir, "cert.pem", signtest.PEM(k.signer.Cert))
	signtest.Write(t, dir, "key.pem", signtest.KeyPEM(t, k.signer.Key))
	signature := func(c14n, hash, uri, transforms, object string) string {
		return `<Signature xmlns="` + nsDS + `"><SignedInfo><CanonicalizationMethod Algorithm="` + c14n + `"/>` +
			`<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-` + hash + `"/><Reference URI="` + uri + `">` + transforms +
			`<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#` + hash + `"/><DigestValue/></Reference></SignedInfo>` +
			`<SignatureValue/><KeyInfo><X509Data/></KeyInfo>` + object + `</Signature>`
	}
	const rec, exc = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped := `<Transforms><Transform Algorithm="` + transformEnveloped + `"/></Transforms>`
	into := func(doc, sig string) string {
		return doc[:strings.LastIndex(doc, "</")] + sig + doc[strings.LastIndex(doc, "</"):]
	}
	fattura := strings.ReplaceAll(strings.TrimSuffix(documents["invoice"], "\n<!-- fine -->"), "\xEF\xBB\xBF", "")
	for _, c := range []struct{ name, doc, want string }{
		{"enveloped", into(fattura, signature(rec, "sha256", "", enveloped, "")), ""},
		{"enveloped, exclusive, SHA-512", into(fattura, signature(exc, "sha512", "", strings.Replace(enveloped, "</Transforms>", `<Transform Algorithm="`+exc+`"/></Transforms>`, 1), "")), ""},
		{"enveloping", signature(exc, "sha256", "#o", "", `<Object Id="o"><testo>ciao</testo></Object>`), ""},
		{"the root by identifier", into(`<a Id="r" xmlns="urn:a"><b/></a>`, signature(rec, "sha256", "#r", enveloped, "")), ""},
		{"a part", into(`<a xmlns="urn:a"><b Id="r"/></a>`, signature(rec, "sha256", "#r", "", "")), "CSE-724"},
	} {
		t.Run(c.name, func(t *testing.T) {
			signtest.Write(t, dir, "template.xml", []byte(c.doc))
			signtest.MustRun(t, dir, "xmlsec1", "--sign", "--privkey-pem", "key.pem,cert.pem", "--id-attr:Id", "Object", "--id-attr:Id", "urn:a:a", "--id-attr:Id", "urn:a:b", "--output", "out.xml", "template.xml")
			all, err := Check(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "out.xml"))))
			if err == nil {
				err = all[0].Err
			}
			if got := code(err); got != c.want {
				t.Fatalf("got %s (%v), want %q", got, err, c.want)
			}
			if c.want == "" && all[0].Level() != "XMLDSIG" {
				t.Errorf("level %s", all[0].Level())
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	k := newKit(f)
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Add(k.sign(f, []byte(documents["invoice"])))
	for _, h := range hostiles(f, k) {
		if len(h.doc) < 10000 {
			f.Add([]byte(h.doc))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		all, err := Check(in)
		if err != nil && words.FaultOf(err) == nil {
			t.Fatalf("no reason: %v", err)
		}
		for _, s := range all {
			if s.Err != nil && words.FaultOf(s.Err) == nil {
				t.Fatalf("no reason: %v", s.Err)
			}
		}
	})
}

// Many signatures of a big document are refused before they cost minutes.
func TestTooMuchWork(t *testing.T) {
	k := newKit(t)
	one := string(k.sign(t, []byte("<a/>")))
	sig := one[strings.Index(one, "<ds:Signature "):strings.LastIndex(one, "</a>")]
	id := sig[strings.Index(sig, `Id="`)+4:][:22]
	doc := "<a>" + strings.Repeat("<b>x</b>", 200_000)
	for i := range 40 {
		doc += strings.ReplaceAll(sig, id, fmt.Sprintf("firma-%016d", i))
	}
	begin := time.Now()
	all, err := Check([]byte(doc + "</a>"))
	if err != nil {
		t.Fatal(err)
	}
	if got := code(all[len(all)-1].Err); got != "CSE-734" {
		t.Errorf("the last of %d: %s", len(all), got)
	}
	t.Logf("%s", time.Since(begin))
}

// signPart makes a signature that holds over the element "vero" alone, and puts
// it into doc where the mark stands.
func (k kit) signPart(t *testing.T, doc string) []byte {
	t.Helper()
	b64 := base64.StdEncoding.EncodeToString
	hash := sum(crypto.SHA256, k.signer.Cert.Raw)
	p := parts{id: "parte", time: "2026-11-25T10:30:00Z", certDigest: b64(hash), certificates: []string{b64(k.signer.Cert.Raw)}}
	build := func() []byte {
		text := strings.Replace(p.text(), `URI=""`, `URI="#vero"`, 1)
		from, to := strings.Index(text, `<ds:Transform Algorithm="`+transformFilter2), strings.Index(text, "</f:XPath></ds:Transform>")+len("</f:XPath></ds:Transform>")
		return []byte(strings.Replace(doc, "{firma}", text[:from]+text[to:], 1))
	}
	for range 2 {
		d := must[*document](t)(read(build()))
		e := d.byID["parte"]
		info := only(e, nsDS, "SignedInfo")
		refs := children(info, nsDS, "Reference")
		p.document = b64(sum(crypto.SHA256, must[[]byte](t)(d.referenced(refs[0], e, d.byID["vero"]))))
		p.properties = b64(sum(crypto.SHA256, must[[]byte](t)(d.referenced(refs[1], e, d.byID["parte-sp"]))))
		octets := must[[]byte](t)(canonical(info, canonicalizer(only(info, nsDS, "CanonicalizationMethod"))))
		p.value = b64(must[[]byte](t)(k.signer.Key.Sign(rand.Reader, sum(crypto.SHA256, octets), crypto.SHA256)))
	}
	return build()
}

// A signature that holds, but of a part: whoever reads the document would read
// the rest.
func TestWrapping(t *testing.T) {
	k := newKit(t)
	for name, c := range map[string]struct{ doc, want string }{
		"a part beside another":   {`<Ordine><Importo>900</Importo><x Id="vero"><Importo>100</Importo></x>{firma}</Ordine>`, "CSE-724"},
		"the part in a signature": {`<Ordine><Importo>900</Importo>{firma}<ds:Signature xmlns:ds="` + nsDS + `"><ds:Object Id="vero"><Importo>100</Importo></ds:Object></ds:Signature></Ordine>`, "CSE-724"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Check(k.signPart(t, c.doc))
			if err == nil {
				err = all[0].Err
			}
			if got := code(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}
