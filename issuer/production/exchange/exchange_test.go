package exchange_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tink-crypto/tink-go/v2/hybrid"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/production/exchange"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var header = exchange.Header{Kind: exchange.Keys, Batch: "2026-11-23-0001", Records: 2, Created: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)}

func signed(t testing.TB, key *ecdsa.PrivateKey, h exchange.Header, records ...exchange.Record) []byte {
	t.Helper()
	body, err := exchange.Body(h, records)
	check(t, err)
	sig, err := exchange.Sign(rand.Reader, key, body)
	check(t, err)
	return exchange.Join(body, sig)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func TestRoundTrip(t *testing.T) {
	key := newKey(t)
	records := []exchange.Record{{Card: "1", SPKI: []byte{1, 2}}, {Card: "2", Outcome: exchange.Spoiled, Reason: "x\nsignature: y"}}
	raw := signed(t, key, header, records...)
	got, err := exchange.Read(raw, &key.PublicKey, exchange.Keys, header.Batch)
	check(t, err)
	if diff := cmp.Diff(header, got.Header); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(records, got.Items); diff != "" {
		t.Error(diff)
	}
	again, err := exchange.Read(signed(t, key, header, records...), &key.PublicKey, exchange.Keys, "")
	if err != nil || again.Sum != got.Sum {
		t.Errorf("the same content has another sum (%v)", err)
	}
}

// Every single changed byte is seen.
func TestEveryByteCounts(t *testing.T) {
	key := newKey(t)
	raw := signed(t, key, header, exchange.Record{Card: "1"}, exchange.Record{Card: "2"})
	for i := range raw {
		b := bytes.Clone(raw)
		b[i] ^= 0x01
		if _, err := exchange.Read(b, &key.PublicKey, exchange.Keys, header.Batch); words.FaultOf(err) == nil {
			t.Fatalf("byte %d changed, accepted", i)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	key := newKey(t)
	one := exchange.Record{Card: "1"}
	odd := func(body string) []byte {
		sig, err := exchange.Sign(rand.Reader, key, []byte(body))
		check(t, err)
		return exchange.Join([]byte(body), sig)
	}
	head := func(n int) string {
		return fmt.Sprintf("CSE-BUREAU 1 keys\nbatch: %s\nrecords: %d\ncreated: 2026-11-23T08:00:00Z\n\n", header.Batch, n)
	}
	tests := map[string]struct {
		raw  []byte
		code string
	}{
		"empty":          {nil, "CSE-177"},
		"no signature":   {[]byte(head(0)), "CSE-177"},
		"other key":      {signed(t, newKey(t), header, one), "CSE-170"},
		"other kind":     {signed(t, key, exchange.Header{Kind: exchange.Order, Batch: header.Batch}, one), "CSE-171"},
		"other batch":    {signed(t, key, exchange.Header{Kind: exchange.Keys, Batch: "x"}, one), "CSE-171"},
		"twice":          {signed(t, key, header, one, one), "CSE-173"},
		"no card":        {signed(t, key, header, exchange.Record{}), "CSE-173"},
		"one too few":    {odd(head(2) + "{\"card\":\"1\"}\n"), "CSE-173"},
		"other version":  {odd("CSE-BUREAU 2 keys\n"), "CSE-177"},
		"bad number":     {odd(head(-1)), "CSE-177"},
		"unknown field":  {odd(head(1) + "{\"card\":\"1\",\"pin\":\"12345\"}\n"), "CSE-177"},
		"not an object":  {odd(head(1) + "12\n"), "CSE-177"},
		"a line of dust": {odd(head(1) + "\n"), "CSE-177"},
	}
	for name, tt := range tests {
		f, err := exchange.Read(tt.raw, &key.PublicKey, exchange.Keys, header.Batch)
		if got := words.FaultOf(err); got == nil || got.Code != tt.code || len(f.Items) != 0 {
			t.Errorf("%s: got %v, want %s", name, err, tt.code)
		}
	}
}

func TestSealedRecordsAreBound(t *testing.T) {
	h, err := exchange.NewSealKey()
	check(t, err)
	pub, err := h.Public()
	check(t, err)
	key := newKey(t)
	file, err := exchange.Publish(pub, &key.PublicKey)
	check(t, err)
	bureau, err := exchange.ParseBureau(file)
	check(t, err)
	if !bureau.Signer.Equal(&key.PublicKey) {
		t.Error("another signing key")
	}
	open, err := hybrid.NewHybridDecrypt(h)
	check(t, err)
	job := exchange.Job{
		Card: "1", Chip: true, PersonalData: []byte{1}, GDO: []byte{2}, PIN: secret.FromString("24680"), PUK: secret.FromString("13572468"),
		IssuerKey: secret.FromString("0123456789abcdef"),
		Faces:     []byte(`{}`),
	}
	content, err := job.Encode()
	check(t, err)
	sealed, err := bureau.Seal(exchange.Order, "b", "1", content)
	check(t, err)
	if bytes.Contains(sealed, []byte("MjQ2ODA")) {
		t.Error("the PIN in clear")
	}
	back, err := exchange.Open(open, exchange.Order, "b", "1", sealed)
	check(t, err)
	got, err := exchange.DecodeJob(back)
	check(t, err)
	if !got.PIN.Equal(job.PIN) || !got.PUK.Equal(job.PUK) || !got.IssuerKey.Equal(job.IssuerKey) || got.Card != "1" {
		t.Errorf("got %+v", got)
	}
	for _, moved := range [][3]string{{"certificates", "b", "1"}, {"order", "c", "1"}, {"order", "b", "2"}} {
		if _, err := exchange.Open(open, exchange.Kind(moved[0]), moved[1], moved[2], sealed); words.FaultOf(err) == nil {
			t.Errorf("%v: a moved record opens", moved)
		}
	}
	for _, bad := range []string{``, `{}`, `{"card":"1","chip":true,"faces":{}}`} {
		if _, err := exchange.DecodeJob([]byte(bad)); err == nil {
			t.Errorf("%q is a job", bad)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	d := exchange.Folder(dir)
	if _, err := d.Read("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	check(t, d.Write("b.order", []byte("1")))
	check(t, d.Write("b.order", []byte("2")))
	check(t, os.WriteFile(filepath.Join(dir, ".writing-1.order"), nil, 0o600))
	if got, err := d.List(exchange.Order); err != nil || !cmp.Equal(got, []string{"b"}) {
		t.Errorf("list %v %v", got, err)
	}
	if b, err := d.Read("b.order"); err != nil || string(b) != "2" {
		t.Errorf("read %q %v", b, err)
	}
	for range 2 {
		check(t, d.Remove("b.order"))
	}
	if err := exchange.Folder(filepath.Join(dir, "none")).Write("x", nil); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}

func FuzzRead(f *testing.F) {
	key := newKey(f)
	f.Add([]byte("CSE-BUREAU 1 keys\nbatch: b\nrecords: 1\ncreated: 2026-11-23T08:00:00Z\n\n{\"card\":\"1\"}\n"))
	f.Add([]byte("\nsignature: "))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := exchange.Read(body, &key.PublicKey, exchange.Keys, ""); err == nil {
			t.Fatal("an unsigned file is accepted")
		}
		sig, err := exchange.Sign(rand.Reader, key, body)
		check(t, err)
		got, err := exchange.Read(exchange.Join(body, sig), &key.PublicKey, exchange.Keys, "")
		if err != nil {
			if words.FaultOf(err) == nil {
				t.Fatalf("not a fault: %v", err)
			}
			return
		}
		if len(got.Items) != got.Records {
			t.Fatalf("%d records, %d announced", len(got.Items), got.Records)
		}
	})
}
