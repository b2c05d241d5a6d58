package bench

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/status/presigned"
)

// presign is a whole Region's answers in a file: what it takes to sign them, to keep
// them, to make the next base when one in a hundred has changed, and what the tier
// that serves them needs in memory. Two P-256 signatures for each certificate.
var presign = row{"presign", func(t *testing.T, s size) []figure {
	dir, n := t.TempDir(), s.of(1_000_000, 20_000)
	clock := civil.NewHand(time.Now().Add(-time.Minute).Truncate(time.Second))
	m := catest.Material(t, clock)
	r, err := status.NewResponder(status.ResponderParts{
		Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: throng{}, Clock: clock, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	all := &throng{n: n}
	p, err := presigned.NewPublisher(presigned.Parts{
		Dir: filepath.Join(dir, presigned.FolderAnswers), Label: profile.FirstLabel, Responder: r, Changes: all, Clock: clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	base := func(every bool) (about presigned.About, micros float64) {
		begin := ownCPU(t)
		about, err := p.Make(t.Context(), every)
		if err != nil {
			t.Fatal(err)
		}
		return about, float64((ownCPU(t) - begin).Microseconds()) / float64(n)
	}
	_, signed := base(true)
	all.moved = 100
	about, again := base(false)
	st, err := os.Stat(filepath.Join(dir, presigned.FolderAnswers, profile.FirstLabel+"-"+about.ID+".base"))
	if err != nil {
		t.Fatal(err)
	}
	var tier struct{ URL string }
	pid, _ := start(t, "tier", dir, &tier)
	o := &register{dir: dir, issuing: m.Issuing}
	var qs []question
	for i := range s.of(2000, 200) {
		c := &x509.Certificate{SerialNumber: new(big.Int).SetBytes(all.serial(i * (n / 2000)))}
		der, err := ocsp.CreateRequest(c, m.Issuing, nil)
		if err != nil {
			t.Fatal(err)
		}
		qs = append(qs, question{der, c})
	}
	o.client(tier.URL).warm(t, qs)
	name := fmt.Sprintf("%d answers in a file", n)
	return []figure{
		{name: name + ", signed (SHA-1 and SHA-256)", unit: "CPU-µs/certificate", ours: []float64{signed}},
		{name: name + ", the next base, 1 in 100 changed", unit: "CPU-µs/certificate", ours: []float64{again}},
		{name: name + ", on disk", unit: "octets/certificate", ours: []float64{float64(st.Size()) / float64(n)}},
		{name: name + ", the tier's memory", unit: "MiB", ours: []float64{residentMiB(t, pid)}},
	}
}}

// throng are certificates in good standing that nobody issued: the order in which a
// store would list them, without a store.
type throng struct {
	n     int
	moved int // one in so many has changed
	status.Store
}

// serial of the i-th, in order and all over the place.
func (x throng) serial(i int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(i+1)*((1<<63)/uint64(x.n+1)))
	return binary.BigEndian.AppendUint64(b, uint64(i))
}

func (throng) Place(context.Context) (int64, error) { return 1, nil }

func (throng) Since(context.Context, int64, string, int) ([]status.Change, error) { return nil, nil }

func (x throng) Known(_ context.Context, issuer, after string, _ time.Time, limit int) ([]status.Change, error) {
	from := 0
	if after != "" {
		b, err := hex.DecodeString(after)
		if err != nil {
			return nil, err
		}
		from = int(binary.BigEndian.Uint64(b[8:])) + 1
	}
	var out []status.Change
	for i := from; i < x.n && len(out) < limit; i++ {
		c := status.Change{Issuer: issuer, Serial: hex.EncodeToString(x.serial(i)), Standing: status.Standing{Known: true, Version: 1}}
		if x.moved > 0 && i%x.moved == 1 {
			c.Standing = status.Standing{Known: true, Version: 2, Revoked: true, Reason: status.Hold, Since: time.Now()}
		}
		out = append(out, c)
	}
	return out, nil
}

func (throng) Mark(context.Context, string) (time.Time, error) { return time.Time{}, nil }

func (throng) Raise(context.Context, string, time.Time) error { return nil }

// residentMiB is the memory that another process has now (VmRSS of proc(5)).
func residentMiB(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(v), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
