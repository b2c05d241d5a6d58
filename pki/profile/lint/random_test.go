package lint_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/csv"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
)

// certificates is how many random ones are made: 10,000 in make certificates.
func certificates(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("CSE_CERTIFICATES"))
	if err != nil {
		return 400
	}
	return n
}

// Random certificates of random people, with the codes of people alike among
// them, over four decades of issue, of authorities with keys of each kind: zlint
// finds no error and no warning, and our lints nothing.
func TestR15_NoLintFindsAnythingInRandomCertificates(t *testing.T) {
	n := certificates(t)
	seed := time.Now().UnixNano()
	rnd := mrand.New(mrand.NewPCG(uint64(seed), 1))
	people := codes(t, n, seed)
	authorities := []authority{
		newAuthority(t, p256(t), date(2010), date(2070)), newAuthority(t, p384(t), date(2010), date(2070)),
		newAuthority(t, p256(t), date(2022), date(2034)), // ends before some of its cards
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	authorities = append(authorities, newAuthority(t, r, date(2010), date(2070)))
	begin := time.Now()
	work := make(chan func())
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	for i := range n {
		c := random(t, rnd, authorities[i%len(authorities)], people[i], uint64(i))
		work <- func() {
			if found := lint.CNS(assemble(t, c.tbs), c.e); len(found) > 0 {
				t.Errorf("seed %d, certificate %d, issued %s: %v", seed, i, c.e.NotBefore, found)
			}
			found, err := lint.Certificate(assemble(t, c.tbs).Raw)
			if err != nil || len(found.Warnings) > 0 {
				t.Errorf("seed %d, certificate %d, issued %s: %v, warnings %v", seed, i, c.e.NotBefore, err, found.Warnings)
			}
		}
	}
	close(work)
	all.Wait()
	t.Logf("certificates: %d random, zlint %d errors, our %d lints 0 findings, %.1f s", n, 0, len(lint.Lints()), time.Since(begin).Seconds())
}

func date(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }

func p384(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// codes are of invented people, every fifth as the registry writes it for one of
// several people alike, every eleventh provisional.
func codes(t *testing.T, n int, seed int64) []string {
	t.Helper()
	var file bytes.Buffer
	if err := registry.Generate(&file, n, seed, civil.Date{Year: 2026, Month: time.November, Day: 23}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, row := range rows[1:] {
		switch {
		case i%11 == 10:
			out = append(out, provisional(t, i))
		case i%5 == 4:
			alike := codicefiscale.Code(row[0]).Omocodie()
			out = append(out, string(alike[i%len(alike)]))
		default:
			out = append(out, row[0])
		}
	}
	return out
}

// provisional is the i-th code of eleven digits.
func provisional(t *testing.T, i int) string {
	t.Helper()
	for check := range 10 {
		if c, err := codicefiscale.Parse(fmt.Sprintf("%07d048%d", i+1, check)); err == nil {
			return string(c)
		}
	}
	t.Fatal("no check digit")
	return ""
}

type randomCertificate struct {
	tbs []byte
	e   lint.Expected
}

// random is issued at a random second, or at one beside midnight in Rome, a change
// of the clocks or the end of February.
func random(t *testing.T, rnd *mrand.Rand, a authority, holder string, i uint64) randomCertificate {
	t.Helper()
	until := min(a.cert.NotAfter.Unix(), date(2064).Unix())
	now := time.Unix(a.cert.NotBefore.Unix()+rnd.Int64N(until-a.cert.NotBefore.Unix()), 0).UTC()
	switch i % 4 {
	case 0:
		now = civil.DayOf(now).Start().Add(time.Duration(rnd.IntN(7)-3) * time.Second)
	case 1:
		leap := civil.Date{Year: now.Year() / 4 * 4, Month: time.February, Day: 28}.AddDays(rnd.IntN(3))
		now = leap.Start().Add(time.Duration(rnd.IntN(86400)) * time.Second)
	}
	if now.Before(a.cert.NotBefore) {
		now = a.cert.NotBefore
	}
	p := profile.CNS{
		Organisation: []string{"CSE", "Certificatore dell'Altopiano S.p.A.", "Società àèìòù"}[rnd.IntN(3)],
		Unit:         []string{"REGIONE DI PROVA", "Valle d'Aosta/Vallée d'Aoste", "Provincia autonoma"}[rnd.IntN(3)],
		URLs:         profile.URLsAt("http://pki.example.it"), Shards: 1 + rnd.IntN(256),
	}
	if i%3 == 0 {
		p.Notice = "Identifies X.509 authentication certificates of «prove»"
	}
	expires := civil.DayOf(now).AddDays(1 + rnd.IntN(11*365))
	if i%2 == 0 { // as made here
		expires = civil.DayOf(now).AddYears(profile.Years)
	}
	s, err := profile.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	card, err := cns.NewCardID(cns.IssuerToscana, i+1, rnd.IntN(9))
	if err != nil {
		t.Fatal(err)
	}
	k, file := cardKey(t), fmt.Appendf(nil, "file of %d", i)
	e := lint.Expected{
		Issuer: a.cert, Profile: &p, Serial: s.String(), Shard: p.Shard(s), KeyHash: keyHash(t, k), CF: holder, Card: string(card),
		NotBefore: now, NotAfter: profile.NotAfter(now, expires, a.cert.NotAfter), Expires: expires, Personal: file,
	}
	tbs, err := p.TBS(a.cert, profile.Leaf{Serial: s, CommonName: cns.CommonName(holder, card, file), Key: k, NotBefore: now, NotAfter: e.NotAfter})
	if err != nil {
		t.Fatal(err)
	}
	return randomCertificate{tbs, e}
}

// The end of a certificate, over leap days and changes of the clocks, against an
// oracle that counts by the calendar: what the profile writes passes, a second
// more does not.
func TestR44_TheEndOfACertificate(t *testing.T) {
	a := newAuthority(t, p256(t), date(2010), date(2070))
	p := profile.CNS{Organisation: "CSE", Unit: "REGIONE DI PROVA", URLs: profile.URLsAt("http://pki.example.it")}
	rome, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	tbs, e := draft(t, a, p)
	rapid.Check(t, func(rt *rapid.T) {
		year := rapid.IntRange(2011, 2060).Draw(rt, "year")
		day := rapid.SampledFrom([]time.Time{
			time.Date(year, 2, 28, 0, 0, 0, 0, rome), time.Date(year, 2, 29, 0, 0, 0, 0, rome), time.Date(year, 3, 1, 0, 0, 0, 0, rome),
			lastSunday(year, 3, rome), lastSunday(year, 10, rome), time.Date(year, 12, 31, 0, 0, 0, 0, rome),
		}).Draw(rt, "day")
		now := day.Add(time.Duration(rapid.IntRange(-7200, 93600).Draw(rt, "second")) * time.Second).UTC()
		expires := civil.DayOf(now).AddDays(rapid.IntRange(1, 4000).Draw(rt, "card"))
		end := now.AddDate(0, 0, rapid.IntRange(1, 5000).Draw(rt, "authority"))
		a.cert.NotAfter = end

		// Six years on, the same day of the same month; of 29 February the last of that month.
		local := now.In(rome)
		six := time.Date(local.Year()+6, local.Month(), local.Day()+1, 0, 0, 0, 0, rome).Add(-time.Second)
		if local.Month() == 2 && local.Day() == 29 {
			six = time.Date(local.Year()+6, 3, 1, 0, 0, 0, 0, rome).Add(-time.Second)
		}
		card := time.Date(expires.Year, expires.Month, expires.Day+1, 0, 0, 0, 0, rome).Add(-time.Second)
		want := six
		for _, x := range []time.Time{card, end} {
			if x.Before(want) {
				want = x
			}
		}
		got := profile.NotAfter(now, expires, end)
		if !got.Equal(want) {
			rt.Fatalf("issued %s, card until %s, authority until %s: %s, want %s", now, expires, end, got, want)
		}
		e.Expires = expires
		findings := func(notAfter time.Time) int {
			e.NotBefore, e.NotAfter = now, notAfter
			c := assemble(t, tbs)
			c.NotBefore, c.NotAfter = now, notAfter
			n := 0
			for _, f := range lint.CNS(c, e) {
				switch f.Lint {
				case "cns_validity_six_years", "cns_validity_card", "cns_validity_in_issuer", "cns_validity_last_second":
					n++
				}
			}
			return n
		}
		if n := findings(got); n != 0 {
			rt.Fatalf("issued %s, ends %s: %d findings", now, got, n)
		}
		if n := findings(got.Add(time.Second)); n == 0 {
			rt.Fatalf("issued %s, ends %s and a second: no finding", now, got)
		}
	})
}

func lastSunday(year int, m time.Month, where *time.Location) time.Time {
	d := time.Date(year, m+1, 0, 0, 0, 0, 0, where)
	return d.AddDate(0, 0, -int(d.Weekday()))
}
