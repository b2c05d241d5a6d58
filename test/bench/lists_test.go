package bench

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// lists is revocation lists: one of a million entries written and read, beside
// crypto/x509, each in a process of its own so that its memory can be told; then a
// whole Region, three and a half million entries in 128 parts, through the publisher
// (files, fsync, rename), and what the records (SQLite) take to hand entries over.
var lists = row{"lists", func(t *testing.T, s size) []figure {
	dir := t.TempDir()
	n := s.of(1_000_000, 20_000)
	newListAuthority(t, dir, n)
	work := func(name string) (cpu, mem []float64) {
		for range s.of(3, 1) {
			var x spent
			_, stop := start(t, name, dir, &x)
			stop()
			if x.Entries != n {
				t.Fatalf("%s: %d entries of %d", name, x.Entries, n)
			}
			cpu, mem = append(cpu, float64(n)/x.CPU), append(mem, x.MB)
		}
		return cpu, mem
	}
	const std = "crypto/x509"
	ours, oursMB := work("list-write")
	theirs, theirsMB := work("list-write-std")
	read, readMB := work("list-read")
	readStd, readStdMB := work("list-read-std")
	index, indexMB := work("list-index")
	figures := []figure{
		{name: "CRL written", unit: "entries/CPU-s", ours: ours, peer: theirs, beside: std},
		{name: "CRL written, memory over base", unit: "MB", ours: oursMB, peer: theirsMB, beside: std},
		{name: "CRL read, signature checked, a number found", unit: "entries/CPU-s", ours: read, peer: readStd, beside: std},
		{name: "CRL read, memory over base", unit: "MB", ours: readMB, peer: readStdMB, beside: std},
		{name: "CRL read into an index, in a file", unit: "entries/CPU-s", ours: index},
		{name: "CRL index, memory over base", unit: "MB", ours: indexMB},
	}
	n = s.of(3_500_000, 25_600)
	if err := os.WriteFile(filepath.Join(dir, "entries"), []byte(strconv.Itoa(n)), 0o600); err != nil {
		t.Fatal(err)
	}
	region, regionMB := work("list-region")
	records := fromRecords(t, s.of(100_000, 2000))
	return append(
		figures,
		figure{name: "a Region's CRLs in 128 parts, published", unit: "entries/CPU-s", ours: region},
		figure{name: "a Region's CRLs, memory over base", unit: "MB", ours: regionMB},
		figure{name: "entries read from the records", unit: "entries/CPU-s", ours: []float64{records}},
	)
}}

// spent is what a child used.
type spent struct {
	CPU     float64 // seconds
	MB      float64
	Entries int
}

// listAuthority is in a folder: issuer.der, key.der, entries, list.crl.
type listAuthority struct {
	dir    string
	issuer *x509.Certificate
	key    *ecdsa.PrivateKey
	n      int
}

func newListAuthority(t *testing.T, dir string, n int) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA di prova"}, NotBefore: catest.Start, NotAfter: catest.Start.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign,
	}
	der, err1 := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	private, err2 := x509.MarshalECPrivateKey(key)
	err = errors.Join(err1, err2, os.WriteFile(filepath.Join(dir, "issuer.der"), der, 0o600),
		os.WriteFile(filepath.Join(dir, "key.der"), private, 0o600), os.WriteFile(filepath.Join(dir, "entries"), []byte(strconv.Itoa(n)), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

func openListAuthority(t *testing.T, dir string) listAuthority {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	issuer, err1 := x509.ParseCertificate(read("issuer.der"))
	key, err2 := x509.ParseECPrivateKey(read("key.der"))
	n, err3 := strconv.Atoi(string(read("entries")))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return listAuthority{dir, issuer, key, n}
}

// serialOf is the nth number, sixteen octets in order that say nothing of n.
func serialOf(n int) [16]byte {
	var s [16]byte
	binary.BigEndian.PutUint64(s[:], 1<<56+uint64(n)<<20)
	binary.BigEndian.PutUint64(s[8:], uint64(n)*0x9e3779b97f4a7c15)
	return s
}

const reasonOfAll = 4 // superseded

// numbers are those of n entries, as the records have them: made before anything is
// measured, 32 digits each, one after the other.
func numbers(n int) string {
	var b strings.Builder
	b.Grow(32 * n)
	var digits [32]byte
	for i := range n {
		s := serialOf(i)
		hex.Encode(digits[:], s[:])
		b.Write(digits[:])
	}
	return b.String()
}

// walk hands the entries from one to another over.
func walk(numbers string, from, to int, yield func(status.Entry) error) error {
	for i := from; i < to; i++ {
		if err := yield(status.Entry{Serial: numbers[32*i : 32*i+32], Since: sinceOf(i), Reason: reasonOfAll}); err != nil {
			return err
		}
	}
	return nil
}

// sinceOf is another second for each entry.
func sinceOf(n int) time.Time { return catest.Start.Add(-time.Duration(n) * time.Second) }

// using gives what f used, beyond what the process had before.
func using(t *testing.T, n int, f func() error) spent {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil { // the peak begins here
		t.Fatal(err)
	}
	base, cpu := procMB(t, "VmRSS"), ownCPU(t)
	if err := f(); err != nil {
		t.Fatal(err)
	}
	used := ownCPU(t) - cpu
	return spent{used.Seconds(), max(procMB(t, "VmHWM")-base, 0.1), n}
}

// procMB reads a line of /proc/self/status.
func procMB(t *testing.T, name string) float64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(v)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb / 1024
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// writeList is ours: entries as a stream, hashed, signed, in a file.
func writeList(t *testing.T, dir string) any {
	a := openListAuthority(t, dir)
	out, err := os.Create(filepath.Join(dir, "list.crl"))
	if err != nil {
		t.Fatal(err)
	}
	l := status.List{
		Issuer: a.issuer, Signer: a.key, Number: 1, ThisUpdate: catest.Start, NextUpdate: catest.Start.Add(time.Hour), Point: profile.URLsAt(catest.Base).Shard(0),
	}
	all := numbers(a.n)
	return using(t, a.n, func() error {
		_, err := l.Write(rand.Reader, out, func(yield func(status.Entry) error) error { return walk(all, 0, a.n, yield) })
		return errors.Join(err, out.Close())
	})
}

// writeListStd is crypto/x509, from the same entries into a file.
func writeListStd(t *testing.T, dir string) any {
	a := openListAuthority(t, dir)
	es := make([]x509.RevocationListEntry, a.n) // not counted, as the numbers of ours
	for i := range es {
		s := serialOf(i)
		es[i] = x509.RevocationListEntry{SerialNumber: new(big.Int).SetBytes(s[:]), RevocationTime: sinceOf(i), ReasonCode: reasonOfAll}
	}
	return using(t, a.n, func() error {
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
			Number: big.NewInt(1), ThisUpdate: catest.Start, NextUpdate: catest.Start.Add(time.Hour), RevokedCertificateEntries: es,
		}, a.issuer, crypto.Signer(a.key))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "std.crl"), der, 0o600)
	})
}

// readList is ours: opened, its signature checked, the last number found.
func readList(t *testing.T, dir string) any {
	a := openListAuthority(t, dir)
	s := serialOf(a.n - 1)
	return using(t, a.n, func() error {
		f, err := crl.OpenFile(filepath.Join(dir, "list.crl"))
		if err != nil {
			return err
		}
		e, there, err := f.Find(new(big.Int).SetBytes(s[:]))
		if err == nil && (!there || e.Reason != reasonOfAll) {
			err = fmt.Errorf("the last number: %t, %+v", there, e)
		}
		return errors.Join(err, f.CheckSignatureFrom(a.issuer), f.Close())
	})
}

// readListStd is crypto/x509 on the same file.
func readListStd(t *testing.T, dir string) any {
	a := openListAuthority(t, dir)
	s := serialOf(a.n - 1)
	return using(t, a.n, func() error {
		b, err := os.ReadFile(filepath.Join(dir, "list.crl"))
		if err != nil {
			return err
		}
		l, err := x509.ParseRevocationList(b)
		if err != nil {
			return err
		}
		want, found := new(big.Int).SetBytes(s[:]), false
		for _, e := range l.RevokedCertificateEntries {
			found = found || e.SerialNumber.Cmp(want) == 0
		}
		if !found {
			return errors.New("the last number is not there")
		}
		return l.CheckSignatureFrom(a.issuer)
	})
}

// indexList reads the list into an index in a file, and asks it ten thousand times.
func indexList(t *testing.T, dir string) any {
	a := openListAuthority(t, dir)
	to, err1 := os.Create(filepath.Join(dir, "index"))
	spare, err2 := os.Create(filepath.Join(dir, "spare"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return using(t, a.n, func() error {
		f, err := crl.OpenFile(filepath.Join(dir, "list.crl"))
		if err != nil {
			return err
		}
		ix, err := f.BuildIndex(to, spare)
		if err != nil {
			return err
		}
		for i := range 10_000 {
			s := serialOf(i * 7919 % a.n)
			if _, there, err := ix.Find(new(big.Int).SetBytes(s[:])); err != nil || !there {
				return errors.Join(err, fmt.Errorf("number %d is not there", i))
			}
		}
		return f.Close()
	})
}

// parts is how many a Region has.
const parts = 128

// regionRecords are records that have entries for every part.
type regionRecords struct {
	n       int
	numbers string
}

func (r regionRecords) Keep(context.Context, string, int) error { return nil }
func (r regionRecords) Parts(context.Context, string) ([]status.Part, error) {
	out := make([]status.Part, parts)
	for i := range out {
		out[i].Shard = i
	}
	return out, nil
}

func (r regionRecords) NextNumber(context.Context, string, int, time.Time) (status.Number, error) {
	return status.Number{Number: 1}, nil
}

func (r regionRecords) Listed(_ context.Context, _ string, shard int, _ time.Time, yield func(status.Entry) error) error {
	return walk(r.numbers, r.n*shard/parts, r.n*(shard+1)/parts, yield)
}

func publishRegion(t *testing.T, dir string) any {
	a := openListAuthority(t, dir)
	p, err := status.NewPublisher(status.PublisherParts{
		Issuer: a.issuer, Signer: a.key, Store: regionRecords{a.n, numbers(a.n)}, Clock: civil.NewHand(catest.Start), Rand: rand.Reader,
		Atomically: func(ctx context.Context, act func(context.Context) error) error { return act(ctx) },
		Dir:        filepath.Join(dir, "region"), URLs: profile.URLsAt(catest.Base), Shards: parts,
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	x := using(t, a.n, func() error {
		done, err := p.Publish(t.Context())
		for _, d := range done {
			n += d.Entries
		}
		return err
	})
	x.Entries = n
	return x
}

// fromRecords gives the entries a CPU-second that a store of n certificates on hold
// hands over, each with its octets beside it.
func fromRecords(t *testing.T, n int) float64 {
	t.Helper()
	db := storetest.SQLite(t)
	const fill = `WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i + 1 < $1)
INSERT INTO certificate (serial, issuer, shard, card, person, key_hash, state, reason, tbs, der, not_after, reserved_at, issued_at, activated_at, changed_at, version)
SELECT printf('%016x%016x', 72057594037927936 + i, i), 'aa', i % 128, printf('%016d', i), 'X', printf('%064x', i), 'pending', 0, randomblob(900), randomblob(1100), $2, $3, $3, 0, 0, 2 FROM k`
	end, now := catest.Start.AddDate(6, 0, 0).UnixMicro(), catest.Start.UnixMicro()
	err := db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := db.Conn(ctx).ExecContext(ctx, fill, n, end, now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, cpu := 0, ownCPU(t)
	for shard := range parts {
		if err := handOver(t.Context(), db, shard, &got); err != nil {
			t.Fatal(err)
		}
	}
	if got != n {
		t.Fatalf("%d entries of %d", got, n)
	}
	return float64(n) / (ownCPU(t) - cpu).Seconds()
}

func handOver(ctx context.Context, db *store.DB, shard int, n *int) error {
	return db.PKI().Listed(ctx, "aa", shard, catest.Start, func(status.Entry) error {
		*n++
		return nil
	})
}

// A list that the row writes is the one that crypto/x509 reads.
func TestTheListOfTheRow(t *testing.T) {
	dir := t.TempDir()
	newListAuthority(t, dir, 500)
	writeList(t, dir)
	readList(t, dir)
	readListStd(t, dir)
	indexList(t, dir)
	writeListStd(t, dir)
	ours, err1 := os.ReadFile(filepath.Join(dir, "list.crl"))
	theirs, err2 := os.ReadFile(filepath.Join(dir, "std.crl"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	first := serialOf(0)
	i, j := bytes.Index(ours, first[:]), bytes.Index(theirs, first[:])
	const lines = 400 * 49
	if i < 0 || j < 0 || !bytes.Equal(ours[i:i+lines], theirs[j:j+lines]) {
		t.Error("the two lists have different entries")
	}
	if got := fromRecords(t, 300); got <= 0 {
		t.Error(got)
	}
}
