package pades

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"codeberg.org/go-pdf/fpdf"

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

// document makes a PDF of two pages with a table of references.
func document(t testing.TB) []byte {
	t.Helper()
	p := fpdf.New("P", "mm", "A4", "")
	p.SetFont("Helvetica", "", 12)
	for i := range 2 {
		p.AddPage()
		p.Cell(40, 10, fmt.Sprintf("Chiedo il rimborso di 100 euro, pagina %d", i+1))
	}
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// modern makes a PDF whose references are a stream and whose objects lie in one.
func modern() []byte {
	b := []byte("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	objects := "1 0 2 33 3 76 << /Type /Catalog /Pages 2 0 R >> << /Type /Pages /Kids [3 0 R] /Count 1 >> << /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
	first := strings.Index(objects, "<<")
	bodies := objects[first:]
	second, third := strings.Index(bodies, "<< /Type /Pages"), strings.Index(bodies, "<< /Type /Page /")
	head := fmt.Sprintf("1 0 2 %d 3 %d ", second, third)
	data := head + bodies
	at := len(b)
	b = fmt.Appendf(b, "4 0 obj\n<< /Type /ObjStm /N 3 /First %d /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(head), len(data), data)
	start := len(b)
	rows := []byte{0, 0, 0, 0, 2, 0, 4, 0, 2, 0, 4, 1, 2, 0, 4, 2, 1, byte(at >> 8), byte(at), 0, 1, byte(start >> 8), byte(start), 0}
	b = fmt.Appendf(b, "5 0 obj\n<< /Type /XRef /Size 6 /Root 1 0 R /W [1 2 1] /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(rows), rows)
	return fmt.Appendf(b, "startxref\n%d\n%%%%EOF\n", start)
}

type kit struct {
	ca     *signtest.Authority
	signer signtest.Signer
}

func newKit(t testing.TB) kit {
	ca := signtest.NewAuthority(t, "CA di prova")
	return kit{ca, ca.CNS(t, nil)}
}

func (k kit) sign(t testing.TB, pdf []byte, change func(*Request)) []byte {
	t.Helper()
	r := Request{Key: k.signer.Key, Certificate: k.signer.Cert, Chain: []*x509.Certificate{k.ca.Cert}, Time: signtest.Now}
	if change != nil {
		change(&r)
	}
	return must[[]byte](t)(Sign(context.Background(), rand.Reader, pdf, r))
}

var shownLines = &Appearance{Page: -1, Lines: []string{"Firma elettronica avanzata (FEA)", "RSSMRA80A01D612Y – perché no"}}

func TestOursReadBack(t *testing.T) {
	k := newKit(t)
	for _, d := range []struct {
		name string
		pdf  []byte
	}{{"table", document(t)}, {"stream", modern()}} {
		for _, c := range []struct {
			name   string
			change func(*Request)
			level  string
		}{
			{"invisible", func(r *Request) { r.Reason = "Perché sì" }, "B"},
			{"visible", func(r *Request) { r.Appearance = shownLines }, "B"},
			{"with a time-stamp", func(r *Request) { r.Stamp = k.ca.Stamper(t, signtest.Now, false) }, "T"},
		} {
			t.Run(d.name+", "+c.name, func(t *testing.T) {
				out := k.sign(t, d.pdf, c.change)
				if !bytes.HasPrefix(out, d.pdf) {
					t.Fatal("the document's own octets changed")
				}
				all := must[[]*Signature](t)(Check(out))
				s := all[0]
				if len(all) != 1 || s.Err != nil || !s.Whole || s.Signer.Level(true) != c.level || !s.Time.Equal(signtest.Now) {
					t.Fatalf("%d signatures, %+v", len(all), s)
				}
				if s.Visible != (c.name == "visible") || (c.name == "invisible" && s.Reason != "Perché sì") {
					t.Errorf("%+v", s)
				}
				if !s.Signer.SigningTime.IsZero() {
					t.Error("signing-time inside a PDF (EN 319 142-1, 6.3)")
				}
				// Three more signers, and all hold.
				for i := range 3 {
					out = k.sign(t, out, func(r *Request) {
						if i == 1 {
							r.Appearance = shownLines
						}
					})
				}
				for i, s := range must[[]*Signature](t)(Check(out)) {
					if s.Err != nil || s.Whole != (i == 3) {
						t.Errorf("signature %d of four: whole %v, %v", i, s.Whole, s.Err)
					}
				}
			})
		}
	}
}

// later makes an update of a document.
func edit(t testing.TB, pdf []byte, change func(u *update)) []byte {
	t.Helper()
	f := must[*file](t)(open(pdf))
	u := f.update()
	change(u)
	return u.finish()
}

// hostiles are ways of passing off a document that was not signed.
func hostiles(t testing.TB, k kit) []struct {
	name string
	pdf  []byte
	want string
} {
	doc := document(t)
	signed := k.sign(t, doc, nil)
	f := must[*file](t)(open(signed))
	pageRef, page, _, err := f.page(1)
	if err != nil {
		t.Fatal(err)
	}
	content := page["Contents"].(ref)
	swap := bytes.Index(signed, []byte("/ByteRange"))
	fake := &stream{dict: dict{}, raw: []byte("BT (Chiedo 100000 euro) Tj ET")}
	sigRef := must[[]sigField](t)(f.sigFields())[0]
	octet := bytes.Clone(signed)
	octet[bytes.Index(octet, []byte("/MediaBox"))+12] ^= 1
	widget := func(u *update, d dict) ref {
		r := u.reserve()
		d["Type"], d["Subtype"], d["P"] = name("Annot"), name("Widget"), pageRef
		u.write(r, d)
		if err := u.extend(page, pageRef, "Annots", r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	return []struct {
		name string
		pdf  []byte
		want string
	}{
		{"an octet", octet, "CSE-733"},
		{"content replaced", edit(t, signed, func(u *update) { u.write(content, fake) }), "CSE-725"},
		{"content taken away from the page", edit(t, signed, func(u *update) {
			d := maps.Clone(page)
			delete(d, "Contents")
			u.write(pageRef, d)
		}), "CSE-725"},
		{"a page put in", edit(t, signed, func(u *update) {
			cat := must[dict](t)(f.catalog())
			pages := maps.Clone(f.resolve(cat["Pages"]).(dict))
			pages["Kids"] = append(array{pageRef}, pages["Kids"].(array)...)
			u.write(cat["Pages"].(ref), pages)
		}), "CSE-725"},
		{"another catalog", edit(t, signed, func(u *update) {
			cat := must[dict](t)(f.catalog())
			r := u.reserve()
			u.write(r, cat)
			u.f.trailer["Root"] = r
		}), "CSE-725"},
		{"an annotation", edit(t, signed, func(u *update) { widget(u, dict{"Rect": array{0, 0, 500, 500}}) }), "CSE-725"},
		{"a signature field that shows something and is empty", edit(t, signed, func(u *update) {
			r := widget(u, dict{"FT": name("Sig"), "T": textString("x"), "Rect": array{0, 0, 500, 500}})
			if err := u.form(r); err != nil {
				t.Fatal(err)
			}
		}), "CSE-725"},
		{"the font behind the letters", edit(t, signed, func(u *update) {
			for n := range f.places {
				if d, ok := f.resolve(ref{n, 0}).(dict); ok && d["Type"] == name("Font") {
					d = maps.Clone(d)
					d["BaseFont"] = name("Symbol")
					u.write(ref{n, 0}, d)
				}
			}
		}), "CSE-725"},
		{"the signature's field shown elsewhere", edit(t, signed, func(u *update) {
			d := maps.Clone(sigRef.dict)
			d["Rect"] = array{0, 0, 500, 500}
			u.write(sigRef.ref, d)
		}), "CSE-725"},
		{"the range has a second hole", reranged(signed, func(n *[4]int) { n[2] += 2; n[3] -= 2 }), "CSE-724"},
		{"the range begins later", reranged(signed, func(n *[4]int) { n[0] = 1 }), "CSE-724"},
		{"the range ends earlier", reranged(signed, func(n *[4]int) { n[3] -= 20 }), "CSE-733"},
		{"no range", bytes.Replace(signed, signed[swap:swap+20], []byte("/ByteRangf [0 1 2 3]"), 1), "CSE-741"},
		{"the signature moved into a new update", edit(t, doc, func(u *update) {
			d := maps.Clone(f.resolve(sigRef.value).(dict))
			v, r := u.reserve(), u.reserve()
			u.write(v, d)
			w := maps.Clone(sigRef.dict)
			w["V"] = v
			u.write(r, w)
			if err := u.form(r); err != nil {
				t.Fatal(err)
			}
		}), "CSE-724"},
	}
}

// reranged changes the numbers of the byte range, which the range covers.
func reranged(pdf []byte, change func(n *[4]int)) []byte {
	out := bytes.Clone(pdf)
	at := bytes.Index(out, []byte("/ByteRange ")) + len("/ByteRange ")
	var n [4]int
	_, _ = fmt.Sscanf(string(out[at:at+rangeRoom]), "[%d %d %d %d]", &n[0], &n[1], &n[2], &n[3])
	change(&n)
	copy(out[at:], fmt.Appendf(nil, "%-*s", rangeRoom, fmt.Sprintf("[%d %d %d %d]", n[0], n[1], n[2], n[3])))
	return out
}

func TestHostileDocuments(t *testing.T) {
	for _, c := range hostiles(t, newKit(t)) {
		t.Run(c.name, func(t *testing.T) {
			all, err := Check(c.pdf)
			if err == nil {
				err = all[0].Err
			}
			if got := code(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	doc := document(t)
	bomb := bytes.Clone(modern())
	for _, c := range []struct {
		name string
		pdf  []byte
		want string
	}{
		{"no PDF", []byte("ciao"), "CSE-741"},
		{"cut short", doc[:len(doc)-20], "CSE-741"},
		{"something after its end", append(bytes.Clone(doc), "altro"...), "CSE-741"},
		{"not signed", doc, "CSE-721"},
		{"references to nowhere", bytes.Replace(bomb, []byte("startxref\n"), []byte("startxref\n9"), 1), "CSE-741"},
		{"encrypted", edit(t, doc, func(u *update) {
			u.f.trailer["ID"] = verbatim("[<00> <00>] /Encrypt << /Filter /Standard >>")
		}), "CSE-726"},
		{"a key twice", edit(t, doc, func(u *update) { u.write(ref{1, 0}, verbatim("<< /Type /Pages /Type /Page >>")) }), "CSE-741"},
		{"nested without end", edit(t, doc, func(u *update) { u.write(ref{1, 0}, verbatim(strings.Repeat("[", 10000))) }), "CSE-741"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Check(c.pdf)
			if err == nil || c.want == "CSE-741" && code(err) == "CSE-721" {
				_, err = Sign(context.Background(), rand.Reader, c.pdf, Request{})
			}
			if got := code(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestCertifiedDocument(t *testing.T) {
	k := newKit(t)
	for _, c := range []struct {
		p    int
		want string
	}{{1, "CSE-731"}, {2, ""}} {
		doc := edit(t, document(t), func(u *update) {
			sig := u.reserve()
			u.write(sig, dict{"Type": name("Sig"), "Reference": array{dict{
				"TransformMethod": name("DocMDP"), "TransformParams": dict{"P": c.p},
			}}})
			root := u.f.trailer["Root"].(ref)
			cat := maps.Clone(u.f.resolve(root).(dict))
			cat["Perms"] = dict{"DocMDP": sig}
			u.write(root, cat)
		})
		_, err := Sign(context.Background(), rand.Reader, doc, Request{Key: k.signer.Key, Certificate: k.signer.Cert, Time: signtest.Now})
		if got := code(err); got != c.want {
			t.Errorf("P %d: got %s (%v), want %q", c.p, got, err, c.want)
		}
	}
}

// poppler's pdfsig accepts what we sign, and sees what was changed.
func TestPdfsigAcceptsOurs(t *testing.T) {
	if !signtest.Foreign() {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	k := newKit(t)
	dir := t.TempDir()
	signtest.Write(t, dir, "doc.pdf", document(t))
	signtest.MustRun(t, dir, "qpdf", "--object-streams=generate", "doc.pdf", "streams.pdf")
	signtest.MustRun(t, dir, "qpdf", "--linearize", "--object-streams=generate", "doc.pdf", "linear.pdf")
	for _, src := range []string{"doc.pdf", "streams.pdf", "linear.pdf"} {
		pdf := must[[]byte](t)(os.ReadFile(filepath.Join(dir, src)))
		one := k.sign(t, pdf, func(r *Request) { r.Appearance = shownLines })
		two := k.sign(t, one, func(r *Request) { r.Stamp = k.ca.Stamper(t, signtest.Now.Add(time.Second), false) })
		signtest.Write(t, dir, "signed.pdf", two)
		out := signtest.MustRun(t, dir, "pdfsig", "-nocert", "signed.pdf")
		if n := strings.Count(out, "Signature Validation: Signature is Valid."); n != 2 {
			t.Errorf("%s: %d valid signatures\n%s", src, n, out)
		}
		if !strings.Contains(out, "ETSI.CAdES.detached") || !strings.Contains(out, "Total document signed") {
			t.Errorf("%s:\n%s", src, out)
		}
		signtest.MustRun(t, dir, "qpdf", "--check", "signed.pdf")
		if text := signtest.MustRun(t, dir, "pdftotext", "signed.pdf", "-"); !strings.Contains(text, "100 euro") || !strings.Contains(text, "Firma elettronica avanzata (FEA)") {
			t.Errorf("%s: %s", src, text)
		}
		two[bytes.Index(two, []byte("/MediaBox"))+12] ^= 1
		signtest.Write(t, dir, "bad.pdf", two)
		if out, _ := signtest.Run(t, dir, "pdfsig", "-nocert", "bad.pdf"); strings.Contains(out, "Signature is Valid.") {
			t.Errorf("%s: pdfsig takes a changed document\n%s", src, out)
		}
	}
}

// Whatever comes in, reader and checker answer with a reason and without a
// panic, and nobody's document passes for one that k signed.
func FuzzCheck(f *testing.F) {
	k := newKit(f)
	f.Add(document(f))
	f.Add(modern())
	signed := k.sign(f, modern(), nil)
	f.Add(signed)
	f.Add(k.sign(f, signed, func(r *Request) { r.Appearance = shownLines }))
	for _, h := range hostiles(f, k) {
		f.Add(h.pdf)
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

// What poppler signs is verified here, and its changes are not taken for more
// than signatures.
func TestPopplersAreVerified(t *testing.T) {
	if !signtest.Foreign() {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	k := newKit(t)
	dir := t.TempDir()
	signtest.Write(t, dir, "plain.pdf", document(t))
	signtest.Write(t, dir, "ours.pdf", k.sign(t, document(t), nil))
	signtest.Write(t, dir, "ca.pem", signtest.PEM(k.ca.Cert))
	signtest.Write(t, dir, "cert.pem", signtest.PEM(k.signer.Cert))
	signtest.Write(t, dir, "key.pem", signtest.KeyPEM(t, k.signer.Key))
	signtest.MustRun(t, dir, "openssl", "pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-name", "firma", "-out", "k.p12", "-passout", "pass:")
	if err := os.Mkdir(filepath.Join(dir, "nss"), 0o700); err != nil {
		t.Fatal(err)
	}
	signtest.MustRun(t, dir, "certutil", "-N", "-d", "sql:nss", "--empty-password")
	signtest.MustRun(t, dir, "pk12util", "-i", "k.p12", "-d", "sql:nss", "-W", "")
	signtest.MustRun(t, dir, "certutil", "-A", "-d", "sql:nss", "-n", "ca", "-t", "CT,CT,CT", "-i", "ca.pem")
	for _, src := range []string{"plain.pdf", "ours.pdf"} {
		signtest.MustRun(t, dir, "pdfsig", "-nssdir", "sql:nss", "-nick", "firma", "-add-signature", src, "out.pdf")
		pdf := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "out.pdf")))
		for i, s := range must[[]*Signature](t)(Check(k.sign(t, pdf, nil))) {
			if s.Err != nil {
				t.Errorf("%s, signature %d: %v", src, i, s.Err)
			}
		}
		pdf[bytes.Index(pdf, []byte("/MediaBox"))+12] ^= 1
		for i, s := range must[[]*Signature](t)(Check(pdf)) {
			if code(s.Err) != "CSE-733" {
				t.Errorf("%s changed, signature %d: %v", src, i, s.Err)
			}
		}
	}
}

// A small file that unpacks into a very big one is refused, and soon.
func TestBombs(t *testing.T) {
	pack := func(b []byte) []byte {
		var out bytes.Buffer
		z := zlib.NewWriter(&out)
		_, _ = z.Write(b)
		_ = z.Close()
		return out.Bytes()
	}
	document := func(objects []byte) []byte {
		b := []byte("%PDF-1.7\n")
		at, raw := len(b), pack(objects)
		b = fmt.Appendf(b, "4 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(raw), raw)
		start := len(b)
		rows := []byte{0, 0, 0, 0, 0, 2, 0, 0, 4, 0, 1, byte(at >> 16), byte(at >> 8), byte(at), 0}
		b = fmt.Appendf(b, "5 0 obj\n<< /Type /XRef /Size 6 /Root 1 0 R /W [1 3 1] /Index [0 2 4 1] /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(rows), rows)
		return fmt.Appendf(b, "startxref\n%d\n%%%%EOF\n", start)
	}
	for _, c := range []struct {
		name, want string
		objects    []byte
	}{
		{"harmless", "CSE-721", []byte("1 0 << /Type /Catalog >>")},
		{"a gigabyte of nothing", "CSE-741", append([]byte("1 0 "), make([]byte, 200<<20)...)},
		{"many values", "CSE-741", append([]byte("1 0 ["), bytes.Repeat([]byte("<<>>"), 4_000_000)...)},
	} {
		begin := time.Now()
		if _, err := Check(document(c.objects)); code(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
		if d := time.Since(begin); d > 30*time.Second {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}
