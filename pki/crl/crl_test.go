package crl

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t testing.TB, key crypto.Signer, usage x509.KeyUsage) authority {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA di prova"}, NotBefore: start, NotAfter: start.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: usage,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{c, key}
}

func ecKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// some are entries of every shape, in no order.
func some(r *mrand.Rand, n int) []x509.RevocationListEntry {
	var out []x509.RevocationListEntry
	for i := range n {
		serial := make([]byte, 1+r.IntN(20))
		for i := range serial {
			serial[i] = byte(r.IntN(256))
		}
		serial[0] |= 1
		e := x509.RevocationListEntry{
			SerialNumber: new(big.Int).SetBytes(serial), RevocationTime: time.Date(1950+r.IntN(150), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC),
			ReasonCode: []int{0, 1, 3, 4, 5, 6, 9}[r.IntN(7)],
		}
		if i%11 == 3 {
			e.ExtraExtensions = []pkix.Extension{{Id: oidInvalidity, Value: []byte("\x18\x0f20200102030405Z")}}
		}
		if i%17 == 5 {
			e.SerialNumber.Neg(e.SerialNumber) // a few old authorities did
		}
		out = append(out, e)
	}
	return out
}

func (a authority) list(t testing.TB, es []x509.RevocationListEntry, change ...func(*x509.RevocationList)) []byte {
	t.Helper()
	tmpl := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: start, NextUpdate: start.Add(time.Hour), RevokedCertificateEntries: es}
	for _, f := range change {
		f(tmpl)
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func opened(t testing.TB, der []byte) *List {
	t.Helper()
	l, err := Open(bytes.NewReader(der), int64(len(der)))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// same compares a list with what crypto/x509 reads, entry by entry, and the ways
// to look a number up with each other.
func same(t testing.TB, l *List, want *x509.RevocationList) {
	t.Helper()
	if l.Head.Number.Cmp(want.Number) != 0 || !l.Head.ThisUpdate.Equal(want.ThisUpdate) || !l.Head.NextUpdate.Equal(want.NextUpdate) ||
		!bytes.Equal(l.Head.RawIssuer, want.RawIssuer) || !bytes.Equal(l.Head.Signature, want.Signature) || len(l.Head.Extensions) != len(want.Extensions) {
		t.Fatalf("head: %+v", l.Head)
	}
	i := 0
	for e, err := range l.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		w := want.RevokedCertificateEntries[i]
		if !bytes.Equal(e.Serial, content(w.SerialNumber)) || !e.Since.Equal(w.RevocationTime) || e.Reason != w.ReasonCode {
			t.Fatalf("entry %d: %x %s %d, want %x %s %d", i, e.Serial, e.Since, e.Reason, w.SerialNumber, w.RevocationTime, w.ReasonCode)
		}
		i++
	}
	if i != len(want.RevokedCertificateEntries) {
		t.Fatalf("%d entries, want %d", i, len(want.RevokedCertificateEntries))
	}
}

func TestAListIsReadAsTheStandardLibraryReadsIt(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, ecKey(t), x509.KeyUsageCRLSign|x509.KeyUsageCertSign)
	r := mrand.New(mrand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 3, 7, 40, 1500, 5000} { // windows and lengths of every size
		der := a.list(t, some(r, n))
		want, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		l := opened(t, der)
		same(t, l, want)
		if err := l.CheckSignatureFrom(a.cert); err != nil {
			t.Error(err)
		}
		ix, err := l.BuildIndex(&Memory{}, &Memory{})
		if err != nil || ix.Len != n {
			t.Fatalf("index of %d: %d, %v", n, ix.Len, err)
		}
		for _, e := range want.RevokedCertificateEntries {
			one, there, err := l.Find(e.SerialNumber)
			two, indexed, err2 := ix.Find(e.SerialNumber)
			if err != nil || err2 != nil || !there || !indexed || !bytes.Equal(one.Serial, two.Serial) || !one.Since.Equal(two.Since) || one.Reason != two.Reason {
				t.Fatalf("%x: %+v %v %v, by index %+v %v %v", e.SerialNumber, one, there, err, two, indexed, err2)
			}
			if n > 100 {
				break // each look in the list reads all of it
			}
		}
		if _, there, err := ix.Find(big.NewInt(4)); there || err != nil { // some() makes odd first octets
			t.Errorf("a number that is not there: %v %v", there, err)
		}
		if _, there, err := l.Find(big.NewInt(4)); there || err != nil {
			t.Errorf("a number that is not there: %v %v", there, err)
		}
	}
}

// Every entry of a list that is longer than a run, in no order, is found in the index.
func TestTheIndexOfAListInNoOrder(t *testing.T) {
	t.Parallel()
	const n = 2*runLines + 100
	r := mrand.New(mrand.NewPCG(3, 4))
	order := r.Perm(n)
	var body []byte
	for _, i := range order {
		body = append(body, entryDER(uint64(i)+1000, i%2 == 0)...)
	}
	l := opened(t, unsigned(body))
	for name, s := range map[string][2]Scratch{"memory": {&Memory{}, &Memory{}}, "file": {scratch(t), scratch(t)}} {
		ix, err := l.BuildIndex(s[0], s[1])
		if err != nil || ix.Len != n {
			t.Fatal(ix, err)
		}
		for i := range n {
			if i%97 != 0 && i > 100 {
				continue
			}
			e, there, err := ix.Find(new(big.Int).SetUint64(uint64(i) + 1000))
			if err != nil || !there || (e.Reason == Hold) != (i%2 == 0) {
				t.Fatalf("%s: %d: %+v %v %v", name, i, e, there, err)
			}
		}
		for _, i := range []uint64{0, 999, n + 1000} {
			if _, there, err := ix.Find(new(big.Int).SetUint64(i)); there || err != nil {
				t.Errorf("%s: %d is there (%v)", name, i, err)
			}
		}
	}
}

func scratch(t testing.TB) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "index")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// entryDER is an entry of a number and of the reason hold, or none.
func entryDER(n uint64, hold bool) []byte {
	b := append([]byte{0x02, byte(len(content(new(big.Int).SetUint64(n))))}, content(new(big.Int).SetUint64(n))...)
	b = append(b, "\x17\x0d261123093000Z"...)
	if hold {
		b = append(append(b, oneReason...), Hold)
	}
	return wrap(b)
}

// unsigned is a list around the entries, with a signature of nobody.
func unsigned(entries []byte) []byte {
	alg := []byte("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
	fields := slices.Concat([]byte{2, 1, 1}, alg, []byte{0x30, 0}, []byte("\x17\x0d261123093000Z\x17\x0d261124093000Z"))
	if len(entries) > 0 {
		fields = append(fields, wrap(entries)...)
	}
	return wrap(wrap(fields), alg, []byte{3, 2, 0, 0})
}

// A number that is there twice counts as the stricter of the two, on both ways.
func TestTheStricterOfTwoEntriesCounts(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		l := opened(t, unsigned(append(entryDER(77, first), entryDER(77, !first)...)))
		ix, err := l.BuildIndex(&Memory{}, &Memory{})
		if err != nil {
			t.Fatal(err)
		}
		one, _, err1 := l.Find(big.NewInt(77))
		two, _, err2 := ix.Find(big.NewInt(77))
		if err1 != nil || err2 != nil || one.Reason != 0 || two.Reason != 0 {
			t.Errorf("hold first %v: %+v %+v", first, one, two)
		}
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	es := some(mrand.New(mrand.NewPCG(5, 6)), 2000)
	for _, tt := range []struct {
		key crypto.Signer
		alg x509.SignatureAlgorithm
	}{
		{ecKey(t), x509.ECDSAWithSHA256},
		{p384, x509.ECDSAWithSHA384},
		{p384, x509.ECDSAWithSHA512},
		{rsaKey, x509.SHA256WithRSA},
		{rsaKey, x509.SHA384WithRSA},
		{rsaKey, x509.SHA512WithRSA},
		{rsaKey, x509.SHA256WithRSAPSS},
		{rsaKey, x509.SHA384WithRSAPSS},
		{rsaKey, x509.SHA512WithRSAPSS},
		{ed, x509.PureEd25519},
	} {
		a := newAuthority(t, tt.key, x509.KeyUsageCRLSign|x509.KeyUsageCertSign)
		der := a.list(t, es, func(l *x509.RevocationList) { l.SignatureAlgorithm = tt.alg })
		if err := opened(t, der).CheckSignatureFrom(a.cert); err != nil {
			t.Errorf("%s: %v", tt.alg, err)
		}
		der[len(der)/2] ^= 1 // in an entry
		if l, err := Open(bytes.NewReader(der), int64(len(der))); err == nil && l.CheckSignatureFrom(a.cert) == nil {
			t.Errorf("%s: a changed list is believed", tt.alg)
		}
	}
	a := newAuthority(t, ecKey(t), x509.KeyUsageCRLSign|x509.KeyUsageCertSign)
	l := opened(t, a.list(t, es))
	for name, other := range map[string]*x509.Certificate{
		"another key": newAuthority(t, ecKey(t), x509.KeyUsageCRLSign|x509.KeyUsageCertSign).cert,
		"an RSA key":  newAuthority(t, rsaKey, x509.KeyUsageCRLSign|x509.KeyUsageCertSign).cert,
		"no CRL use":  {Version: 3, BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign, PublicKey: a.cert.PublicKey},
		"no CA":       {Version: 3, BasicConstraintsValid: true, PublicKey: a.cert.PublicKey},
	} {
		if l.CheckSignatureFrom(other) == nil {
			t.Errorf("%s: believed", name)
		}
	}
}

// What is no list, or may not be used.
func TestRefused(t *testing.T) {
	t.Parallel()
	good := entryDER(1, true)
	critical := wrap([]byte{2, 1, 1}, []byte("\x17\x0d261123093000Z"), wrap(wrap([]byte("\x06\x03\x55\x1d\x1d\x01\x01\xff\x04\x02\x30\x00"))))
	for name, der := range map[string][]byte{
		"nothing":                        {},
		"something after the list":       append(unsigned(good), 0),
		"half":                           unsigned(good)[:40],
		"an entry that ends early":       unsigned(append(bytes.Clone(good), 0x30, 5, 2)),
		"an entry that is a set":         unsigned([]byte{0x31, 0}),
		"an entry without a time":        unsigned(wrap([]byte{2, 1, 1})),
		"an entry without a number":      unsigned(wrap([]byte("\x17\x0d261123093000Z"))),
		"a length in a longer form":      unsigned(append([]byte{0x30, 0x81, byte(len(good) - 2)}, good[2:]...)),
		"a number in a longer form":      unsigned(wrap([]byte{2, 2, 0, 1}, []byte("\x17\x0d261123093000Z"))),
		"a number of 22 octets":          unsigned(wrap([]byte{2, 22}, bytes.Repeat([]byte{1}, 22), []byte("\x17\x0d261123093000Z"))),
		"a 31st of November":             unsigned(wrap([]byte{2, 1, 1}, []byte("\x17\x0d261131093000Z"))),
		"a minute of 60":                 unsigned(wrap([]byte{2, 1, 1}, []byte("\x17\x0d261123096000Z"))),
		"a time of another zone":         unsigned(wrap([]byte{2, 1, 1}, []byte("\x17\x11261123093000+0100"))),
		"a time without seconds":         unsigned(wrap([]byte{2, 1, 1}, []byte("\x17\x0b2611230930Z"))),
		"no extension where some are":    unsigned(wrap([]byte{2, 1, 1}, []byte("\x17\x0d261123093000Z"), wrap())),
		"an entry of a critical unknown": unsigned(critical),
	} {
		l, err := Open(bytes.NewReader(der), int64(len(der)))
		if err != nil {
			continue
		}
		if _, _, err := l.Find(big.NewInt(99)); err == nil {
			t.Errorf("%s: found nothing, and said nothing", name)
		}
		if _, err := l.BuildIndex(&Memory{}, &Memory{}); err == nil {
			t.Errorf("%s: indexed", name)
		}
	}
	alg := []byte("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
	empty := wrap(wrap([]byte{2, 1, 1}, alg, []byte{0x30, 0}, []byte("\x17\x0d261123093000Z\x17\x0d261124093000Z"), wrap()), alg, []byte{3, 2, 0, 0})
	if _, err := Open(bytes.NewReader(empty), int64(len(empty))); err == nil {
		t.Error("an empty list of entries is read: RFC 5280, 5.1.2.6 forbids it")
	}
}

func TestPEMAndDERFiles(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, ecKey(t), x509.KeyUsageCRLSign|x509.KeyUsageCertSign)
	der := a.list(t, some(mrand.New(mrand.NewPCG(7, 8)), 3000))
	want, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for name, b := range map[string][]byte{"der": der, "pem": text, "pem with a word before": append([]byte("# lista\r\n"), text...)} {
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		same(t, f.List, want)
		if err := f.CheckSignatureFrom(a.cert); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, b := range map[string]string{"cut": string(text[:len(text)/2]), "no base64": pemHead + "\n!!!!\n-----END X509 CRL-----\n", "a letter": "ciao"} {
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// endless is a list of n entries that nobody has to keep.
type endless struct {
	head, entry, tail []byte
	n                 int64
}

func (x endless) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		at := off + int64(done)
		body := int64(len(x.head)) + x.n*int64(len(x.entry))
		switch {
		case at < int64(len(x.head)):
			done += copy(p[done:], x.head[at:])
		case at < body:
			done += copy(p[done:], x.entry[(at-int64(len(x.head)))%int64(len(x.entry)):])
		case at < body+int64(len(x.tail)):
			done += copy(p[done:], x.tail[at-body:])
		default:
			return done, io.EOF
		}
	}
	return done, nil
}

// Memory does not grow with the list: half a million entries, 20 MB, in less than
// one MB.
func TestTheMemoryIsConstant(t *testing.T) {
	const n = 500_000
	entry := entryDER(1<<62, true)
	alg := []byte("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
	long := func(n int64) []byte { return []byte{0x30, 0x84, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	size := int64(n * len(entry))
	fields := slices.Concat([]byte{2, 1, 1}, alg, []byte{0x30, 0}, []byte("\x17\x0d261123093000Z\x17\x0d261124093000Z"), long(size))
	inTBS, tail := int64(len(fields))+size, append(bytes.Clone(alg), 3, 2, 0, 0)
	tbs := append(long(inTBS), fields...)
	x := endless{head: append(long(int64(len(tbs))+size+int64(len(tail))), tbs...), entry: entry, tail: tail, n: n}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l, err := Open(x, int64(len(x.head))+size+int64(len(tail)))
	if err != nil {
		t.Fatal(err)
	}
	if _, there, err := l.Find(big.NewInt(5)); there || err != nil {
		t.Fatal(there, err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d octets were allocated for a list of %d", got, l.Size)
	}
}

// What the reader accepts, crypto/x509 accepts too, and reads alike. What it
// refuses of what crypto/x509 accepts is stricter for a reason that it gives.
func FuzzList(f *testing.F) {
	a := newAuthority(f, ecKey(f), x509.KeyUsageCRLSign|x509.KeyUsageCertSign)
	for _, n := range []int{0, 1, 5} {
		f.Add(a.list(f, some(mrand.New(mrand.NewPCG(9, uint64(n))), n)))
	}
	f.Add(unsigned(entryDER(1, true)))
	idp := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 3, 0x81, 1, 0xff}}
	f.Add(a.list(f, nil, func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{idp} }))
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := Open(bytes.NewReader(der), int64(len(der)))
		if err != nil {
			return
		}
		ix, err := l.BuildIndex(&Memory{}, &Memory{})
		if err != nil {
			return
		}
		want, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatalf("accepted, and crypto/x509 says %v", err)
		}
		if fmt.Sprint(l.Head.Number) != fmt.Sprint(want.Number) || ix.Len != len(want.RevokedCertificateEntries) {
			t.Fatalf("number %s with %d entries, want %s with %d", l.Head.Number, ix.Len, want.Number, len(want.RevokedCertificateEntries))
		}
		for _, e := range want.RevokedCertificateEntries {
			if got, there, err := ix.Find(e.SerialNumber); err != nil || !there || !bytes.Equal(got.Serial, content(e.SerialNumber)) {
				t.Fatalf("%x: %+v %v %v", e.SerialNumber, got, there, err)
			}
		}
	})
}
