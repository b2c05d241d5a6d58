package crash

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/extend"
	"cse.example/cse/engine/listen/webca"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// TestExtension kills csed while old cards have their certificate extended. The
// holder's program is run again until it says that it is done.
//
// The cards end with a permit of stay; the permit is renewed, the nightly renewal
// makes a successor without chip, and the old certificate may be given a later end.
func TestExtension(t *testing.T) {
	want := kills(t)
	t.Parallel()
	a := &authoritySite{counterSite: emptyCounter(t), rows: map[string][]string{}, foreign: true}
	a.append("extension: {until: \"2033-06-30\"}\nrenewal: {days: 366, chip: none}\n")
	if want > 20 {
		a.many = 40
	}
	var whole time.Duration
	done, cards := 0, 0
	for done < want {
		for _, h := range a.oldCards() {
			if whole == 0 { // the first one goes undisturbed: it tells how long it takes
				whole = stopwatch(func() { a.must0(a.extendedOnce(h)) })
				cards++
				continue
			}
			if done == want {
				break
			}
			n, last := a.extendKilled(h, whole, want-done)
			done, cards = done+n, cards+1
			if n == 0 { // a busy first time would spare all those after it
				whole = min(whole, last)
			}
		}
		a.stop()
		a.sound("a cohort")
	}
	t.Logf("%d kills, %d cards extended, %s undisturbed", done, cards, whole)
}

// oldCards are a cohort of active cards whose successors, without chip, lie at home;
// csed runs.
func (a *authoritySite) oldCards() []cardholder {
	a.t.Helper()
	soon, late := civil.Today(civil.System{}).AddDays(300).String(), civil.Today(civil.System{}).AddDays(1500).String()
	permit := func(day string) func(string) string {
		return func(text string) string {
			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			a.must0(err)
			for _, r := range rows[1:] {
				for column, v := range map[string]string{"cittadinanza": "AL", "permesso": string(registry.PermitUntil), "permesso_fino_al": day} {
					r[slices.Index(registry.Columns, column)] = v
				}
			}
			var out bytes.Buffer
			a.must0(csv.NewWriter(&out).WriteAll(rows))
			return out.String()
		}
	}
	a.edit = permit(soon)
	a.cohorts++
	a.produceKilled(a.cohorts, 0)
	a.start()
	a.login()
	holders := a.waiting()
	for _, h := range holders {
		a.prepare(h)
		a.must0(a.act())
	}
	a.stop()
	text, err := os.ReadFile(filepath.Join(a.dir, fmt.Sprintf("people-%d.csv", a.cohorts)))
	a.must0(err)
	a.write("renewed.csv", permit(late)(string(text)))
	a.must("people", "import", filepath.Join(a.dir, "renewed.csv"))
	bureau := a.work(0, func() time.Duration { return time.Hour })
	a.must("produce", "night")
	for end := time.Now().Add(2 * time.Minute); !a.received(); a.must("produce", "advance") {
		if time.Now().After(end) {
			a.t.Fatalf("the batches do not come to an end: %+v", a.status())
		}
	}
	bureau.end()
	a.must("produce", "ship")
	a.must("produce", "deliver")
	a.start()
	return holders
}

// extendKilled extends one card while csed is killed at random. It answers the number
// of kills, and how long the run that came to its end took.
func (a *authoritySite) extendKilled(h cardholder, whole time.Duration, left int) (n int, took time.Duration) {
	a.t.Helper()
	for {
		begin := time.Now()
		at := time.Duration(a.dice.Float64() * float64(whole) * 1.1)
		if n == left {
			at = time.Hour
		}
		killer := time.AfterFunc(at, func() { _ = a.server.Process.Kill() }) // gone waits for it
		err := a.extendedOnce(h)
		if killer.Stop() {
			a.must0(err)
			a.oneGood(h)
			return n, time.Since(begin)
		}
		a.gone()
		n++
		a.sound("an extension killed after " + at.String())
		a.start()
	}
}

func (a *authoritySite) extendedOnce(h cardholder) error {
	_, err := a.extended(h)
	return err
}

// append adds to the configuration.
func (s *site) append(text string) {
	s.t.Helper()
	old, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("csed.yaml", string(old)+text)
	s.must("check-config")
}

// extended runs the holder's program once, with the chip that the bureau made.
func (a *authoritySite) extended(h cardholder) (extend.Result, error) {
	a.t.Helper()
	image := filepath.Join(a.dir, "cards", h.card.ID+".cse")
	pin := a.pinOf(image)
	r, err := reader.FromFile(image)
	a.must0(err)
	defer r.Close()
	card, err := holder.New(r)
	a.must0(err)
	text, err := os.ReadFile(filepath.Join(a.data, "webca", webca.CertificateFile))
	a.must0(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	ctx, stop := context.WithTimeout(a.t.Context(), time.Minute)
	defer stop()
	return extend.Run(ctx, card, extend.Options{
		Service: "https://cns." + a.portal[len("https://portal."):], Roots: roots, PIN: func() (secret.Text, error) { return pin, nil },
	})
}

// pinOf reads a virtual card's PIN from its image, as its holder reads it from two letters.
func (a *authoritySite) pinOf(image string) secret.Text {
	a.t.Helper()
	b, err := os.ReadFile(image)
	a.must0(err)
	var body struct {
		Codes []struct {
			Ref   byte
			Block []byte
		}
	}
	a.must0(json.NewDecoder(bytes.NewReader(b[bytes.IndexByte(b, '{'):])).Decode(&body))
	for _, c := range body.Codes {
		if c.Ref == cns.RefPIN {
			return secret.New(bytes.TrimRight(c.Block, "\x00\xff"))
		}
	}
	a.t.Fatal("the image has no PIN")
	return secret.Text{}
}

// oneGood: of a card's certificates exactly one is good, the one that it names.
func (a *authoritySite) oneGood(h cardholder) {
	a.t.Helper()
	db := a.store()
	defer db.Close()
	c, err := db.Cards().Get(context.Background(), h.card.ID)
	a.must0(err)
	list, err := db.PKI().OfCard(context.Background(), h.card.ID)
	a.must0(err)
	good := 0
	for _, r := range list {
		if r.State == ca.Good {
			good++
			if r.Serial != c.CertSerial || r.Extends == "" {
				a.t.Errorf("card %s: %s is good, the card names %s", c.ID, r.Serial, c.CertSerial)
			}
		}
	}
	if good != 1 {
		a.t.Errorf("card %s has %d good certificates of %d", c.ID, good, len(list))
	}
}
