package status

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
)

func list(m *ca.Material, number int64) List {
	return List{
		Issuer: m.Issuing, Signer: m.IssuingKey, Number: number,
		ThisUpdate: catest.Start, NextUpdate: catest.Start.Add(24 * time.Hour), Point: profile.URLsAt(catest.Base).Shard(0),
	}
}

// newFile is an empty file, open for reading and writing.
func newFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "crl"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// octets writes the list and reads it back.
func octets(t testing.TB, l List, lines int, entries func(func(Entry) error) error) []byte {
	t.Helper()
	f := newFile(t)
	n, err := l.Write(rand.Reader, f, entries)
	if err != nil {
		t.Fatal(err)
	}
	if n != lines {
		t.Errorf("%d lines written, want %d", n, lines)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func walk(es []Entry) func(func(Entry) error) error {
	return func(yield func(Entry) error) error {
		for _, e := range es {
			if err := yield(e); err != nil {
				return err
			}
		}
		return nil
	}
}

func written(t *testing.T, l List, es []Entry) *x509.RevocationList {
	t.Helper()
	r, err := x509.ParseRevocationList(octets(t, l, len(es), walk(es)))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckSignatureFrom(l.Issuer); err != nil {
		t.Error(err)
	}
	if _, err := lint.RevocationList(r.Raw); err != nil {
		t.Error(err)
	}
	return r
}

// entries of every shape: short, long, with a sign octet, each reason, both
// kinds of time.
func entries(n int) []Entry {
	reasons := []int{0, 1, 3, 4, 5, 6, 9}
	var es []Entry
	for i := range n {
		es = append(es, Entry{
			Serial: profile.SerialText(new(big.Int).SetBytes(bytes.Repeat([]byte{byte(i%255 + 1)}, i%16+1))),
			Since:  time.Date(2020+i%60, time.Month(i%12+1), 1, 2, 3, 4, 0, time.UTC), Reason: reasons[i%len(reasons)],
		})
	}
	return es
}

func TestTheListReadBack(t *testing.T) {
	m := catest.Material(t, civil.NewHand(catest.Start))
	for _, n := range []int{0, 1, 2, 3, 10, 300, 5000} { // lengths of one, two and three octets
		es := entries(n)
		r := written(t, list(m, int64(n)+1), es)
		if r.Number.Int64() != int64(n)+1 || !r.ThisUpdate.Equal(catest.Start) || !r.NextUpdate.Equal(catest.Start.Add(24*time.Hour)) {
			t.Errorf("number %d, from %s to %s", r.Number, r.ThisUpdate, r.NextUpdate)
		}
		if len(r.RevokedCertificateEntries) != n {
			t.Fatalf("%d entries, want %d", len(r.RevokedCertificateEntries), n)
		}
		for i, e := range r.RevokedCertificateEntries {
			if got := profile.SerialText(e.SerialNumber); got != es[i].Serial || e.ReasonCode != es[i].Reason || !e.RevocationTime.Equal(es[i].Since) {
				t.Fatalf("entry %d: %s %d %s, want %+v", i, got, e.ReasonCode, e.RevocationTime, es[i])
			}
			if e.ReasonCode == 0 && len(e.Extensions) != 0 {
				t.Fatal("reason 0 was written: RFC 5280, 5.3.1 forbids it")
			}
		}
	}
}

// The lines equal, octet by octet, those of crypto/x509.
func TestTheLinesEqualTheStandardLibrarys(t *testing.T) {
	m := catest.Material(t, civil.NewHand(catest.Start))
	es := entries(200)
	var std []x509.RevocationListEntry
	var ours []byte
	for _, e := range es {
		n, ok := new(big.Int).SetString(e.Serial, 16)
		if !ok {
			t.Fatal(e.Serial)
		}
		std = append(std, x509.RevocationListEntry{SerialNumber: n, RevocationTime: e.Since, ReasonCode: e.Reason})
		var err error
		if ours, err = appendEntry(ours, e); err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: catest.Start, NextUpdate: catest.Start.Add(time.Hour), RevokedCertificateEntries: std,
	}, m.Issuing, m.IssuingKey)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(der, ours) {
		t.Error("the lines differ from those of x509.CreateRevocationList")
	}
}

func TestTheDistributionPoint(t *testing.T) {
	m := catest.Material(t, civil.NewHand(catest.Start))
	root := list(m, 1)
	root.Authorities, root.Point = true, ""
	for _, tt := range []struct {
		l    List
		last []byte // the flag, at the end of the extension
	}{
		{list(m, 1), []byte{0x81, 0x01, 0xff}},
		{root, []byte{0x82, 0x01, 0xff}},
	} {
		r := written(t, tt.l, nil)
		found := false
		for _, e := range r.Extensions {
			if e.Id.Equal(oidIDP) {
				found = true
				if !e.Critical || !bytes.HasSuffix(e.Value, tt.last) || bytes.Contains(e.Value, []byte(list(m, 1).Point)) != (tt.l.Point != "") {
					t.Errorf("issuing distribution point: critical %v, % x", e.Critical, e.Value)
				}
			}
		}
		if !found {
			t.Error("no issuing distribution point")
		}
	}
}

func TestWriteReportsWhatFails(t *testing.T) {
	m := catest.Material(t, civil.NewHand(catest.Start))
	away := errors.New("the store is away")
	if _, err := list(m, 1).Write(rand.Reader, newFile(t), func(func(Entry) error) error { return away }); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	es := make([]Entry, 100_000)
	for i := range es {
		es[i] = Entry{Serial: strings.Repeat("7f", 16), Since: catest.Start}
	}
	if b, err := list(m, 1).Bytes(rand.Reader, walk(es)); err == nil {
		t.Errorf("a long list in memory: %d octets", len(b))
	}
	if line, err := appendEntry(nil, Entry{Serial: "000000c1", Since: catest.Start}); err != nil || !bytes.HasPrefix(line[2:], []byte{2, 2, 0, 0xc1, 0x17}) {
		t.Errorf("leading zeros: % x (%v)", line, err)
	}
	for _, s := range []string{"", "xyz", "abc", strings.Repeat("00", 21)} {
		if _, err := appendEntry(nil, Entry{Serial: s, Since: catest.Start}); err == nil {
			t.Errorf("serial %q was written", s)
		}
	}
}

// A list of two hundred thousand lines must not live in memory.
func TestTheListIsAStream(t *testing.T) {
	m := catest.Material(t, civil.NewHand(catest.Start))
	f := newFile(t)
	const lines = 200_000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := list(m, 1).Write(rand.Reader, f, func(yield func(Entry) error) error {
		e := Entry{Serial: strings.Repeat("7f", 16), Since: catest.Start, Reason: 1}
		for range lines {
			if err := yield(e); err != nil {
				return err
			}
		}
		return nil
	})
	runtime.ReadMemStats(&after)
	if err != nil || n != lines {
		t.Fatal(n, err)
	}
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20+lines*24 || st.Size() < lines*40 {
		t.Errorf("%d octets were allocated for a list of %d", got, st.Size())
	}
}

func TestPublishRoot(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	m := catest.Material(t, clock)
	key, err := ca.LoadRootKey(m.Dir, keys.Sealed(catest.Passphrase))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var last int64
	for range 2 {
		p, err := PublishRoot(m.Root, key, clock, rand.Reader, dir, 365*24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(p.Path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := x509.ParseRevocationList(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.CheckSignatureFrom(m.Root); err != nil {
			t.Error(err)
		}
		if r.Number.Int64() <= last {
			t.Errorf("number %d after %d", r.Number, last)
		}
		last = r.Number.Int64()
		clock.Advance(time.Second)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%d files left, want the list alone (%v)", len(left), err)
	}
}

func BenchmarkCRL(b *testing.B) {
	m := catest.Material(b, civil.NewHand(catest.Start))
	s := newFile(b)
	es := entries(100_000)
	b.ResetTimer()
	for range b.N {
		if err := s.Truncate(0); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Seek(0, 0); err != nil {
			b.Fatal(err)
		}
		if _, err := list(m, 1).Write(rand.Reader, s, walk(es)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(es))/b.Elapsed().Seconds(), "entries/s")
}

// Lines that go into the file before the list's length is known stand where they
// should, whatever the length: nothing spilled, moved up, in their place.
func TestLinesAreInTheirPlace(t *testing.T) {
	m := catest.Material(t, civil.NewHand(catest.Start))
	const line = 49
	for _, lines := range []int{inMemory/line - 2, inMemory/line + 2, 2 * inMemory / line, (1<<24)/line - 1, (1<<24)/line + 1, (1<<24)/line + 9, 20 << 20 / line} {
		b := octets(t, list(m, 1), lines, func(yield func(Entry) error) error {
			var serial [32]byte
			for i := range lines {
				hex.Encode(serial[:], binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 1<<56+uint64(i)), uint64(i)))
				if err := yield(Entry{Serial: string(serial[:]), Since: catest.Start.Add(-time.Duration(i) * time.Second), Reason: 4}); err != nil {
					return err
				}
			}
			return nil
		})
		l, err := crl.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%d lines: %v", lines, err)
		}
		n := 0
		for e, err := range l.Entries() {
			if err != nil || binary.BigEndian.Uint64(e.Serial[8:]) != uint64(n) {
				t.Fatalf("%d lines, the %dth: %x, %v", lines, n, e.Serial, err)
			}
			n++
		}
		if err := l.CheckSignatureFrom(m.Issuing); n != lines || err != nil {
			t.Errorf("%d lines of %d: %v", n, lines, err)
		}
	}
}
