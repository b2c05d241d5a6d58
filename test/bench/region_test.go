package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"cse.example/cse/demo/browser"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/demo/inbox"
	"cse.example/cse/engine/listen/webca"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/keys"
)

// region is an installation of csed on PostgreSQL, with operators and with cards
// that lie at their holders'.
type region struct {
	t               *testing.T
	csed, dir, data string
	dsn, portal     string
	operators       []account
	holders         []patient
	roots           *x509.CertPool
	server          *exec.Cmd
	serverLog       string
}

// account is an operator with what he types.
type account struct {
	name, office string
	totp         secret.Text
}

// patient is somebody whose card is to be activated.
type patient struct {
	person registry.Person
	card   lifecycle.Card
}

const (
	password = "quattro parole a caso"
	// perOffice is how many operators share a counter.
	perOffice = 10
)

// newRegion hires operators, and makes cards until there are enough adults.
func newRegion(t *testing.T, operators, cards int) *region {
	t.Helper()
	r := &region{t: t, dir: t.TempDir(), dsn: postgres(t), csed: os.Getenv("CSE_BENCH_CSED"), roots: x509.NewCertPool()}
	if r.csed == "" {
		t.Fatal("CSE_BENCH_CSED is not set: run scripts/bench.sh")
	}
	r.data = filepath.Join(r.dir, "data")
	box, err := inbox.Open(filepath.Join(r.dir, "inbox"))
	r.must(err)
	smtp, err := box.Listen(t.Context(), "127.0.0.1:0")
	r.must(err)
	t.Cleanup(func() { r.must(box.Stop()) })
	listen, plain := freePort(t), freePort(t)
	_, port, err := net.SplitHostPort(listen)
	r.must(err)
	r.portal = "https://portal.cse.localhost:" + port
	config := fmt.Sprintf("data: %s\ndatabase: %q\nlisten: %s\nlisten_plain: %s\nmail: {server: %q}\ncounters:\n", r.data, r.dsn, listen, plain, smtp)
	for i := range (operators + perOffice - 1) / perOffice {
		config += fmt.Sprintf("- {id: %s, type: COMUNE, name: Comune %d, comune: D612}\n", office(i), i)
	}
	r.write("csed.yaml", config)
	r.run("ca", "init")
	r.write("csed.yaml", config+r.hire(operators))
	r.run("check-config")
	r.makeCards(cards)
	return r
}

func office(i int) string { return fmt.Sprintf("comune%02d", i) }

func (r *region) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *region) write(name, text string) {
	r.t.Helper()
	r.must(os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600))
}

func (r *region) command(args ...string) *exec.Cmd {
	c := exec.Command(r.csed, append(args, "--config", filepath.Join(r.dir, "csed.yaml"), "--lang", "en")...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

func (r *region) run(args ...string) string {
	r.t.Helper()
	var out, errs bytes.Buffer
	c := r.command(args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		r.t.Fatalf("csed %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// desk is the key under which one-time secrets are kept: `csed operator hash`
// would take a second for each.
func (r *region) desk() tink.AEAD {
	r.t.Helper()
	line, err := os.ReadFile(filepath.Join(r.data, "secrets", "web.passphrase"))
	r.must(err)
	b, err := keys.Open(filepath.Join(r.data, "keys", "web.ring"), "web.ring", secret.FromString(strings.TrimSpace(string(line))))
	r.must(err)
	var ring struct {
		AEADs map[string]string `json:"aeads"`
	}
	r.must(json.Unmarshal(b, &ring))
	raw, err := base64.StdEncoding.DecodeString(ring.AEADs["desk"])
	r.must(err)
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(raw)))
	r.must(err)
	k, err := aead.New(h)
	r.must(err)
	return k
}

// hire writes the operators' part of the configuration: each with an account, a
// codice fiscale and a one-time secret of his own.
func (r *region) hire(n int) string {
	r.t.Helper()
	seal := r.desk()
	hash, err := staff.HashPassword(rand.Reader, secret.FromString(password))
	r.must(err)
	var out strings.Builder
	out.WriteString("operators:\n")
	for i := range n {
		a := account{name: fmt.Sprintf("operatore%03d", i), office: office(i / perOffice)}
		born := civil.Date{Year: 1970, Month: time.January, Day: 1}.AddDays(i)
		cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Operai", Name: "Prova", Born: born, Sex: codicefiscale.Female, Belfiore: "D612"})
		r.must(err)
		a.totp, err = staff.NewTOTP(rand.Reader)
		r.must(err)
		sealed, err := staff.SealTOTP(seal, a.name, a.totp)
		r.must(err)
		fmt.Fprintf(&out, "- {account: %s, name: Operai Prova, codice_fiscale: %s, roles: [operator], offices: [%s], password_hash: %q, totp: %q}\n",
			a.name, cf, a.office, hash, sealed)
		r.operators = append(r.operators, a)
	}
	return out.String()
}

// makeCards takes people from the registry to their letter boxes.
func (r *region) makeCards(adults int) {
	r.t.Helper()
	folder := filepath.Join(r.dir, "bureau")
	r.must(os.Mkdir(folder, 0o700))
	id, err := bureau.LoadOrCreate(rand.Reader, folder)
	r.must(err)
	r.write("data/bureau.json", string(id.Public()))
	block, _ := pem.Decode([]byte(r.run("produce", "key")))
	if block == nil {
		r.t.Fatal("produce key: no PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	r.must(err)
	paper := &bureautest.Paper{
		T: r.t, Identity: id, Issuer: key.(*ecdsa.PublicKey), Folder: exchange.Folder(filepath.Join(r.data, "exchange")), Clock: civil.System{},
	}
	r.write("people.csv", r.run("people", "generate", "--count", fmt.Sprint(adults*3/2+10), "--seed", "7"))
	r.run("people", "import", filepath.Join(r.dir, "people.csv"))
	r.run("produce", "night")
	for range 2 {
		r.must(paper.Work(nil))
		r.run("produce", "advance")
	}
	r.run("produce", "ship")
	r.run("produce", "deliver")
	db, err := store.Open(r.t.Context(), r.dsn)
	r.must(err)
	defer db.Close()
	today := civil.Today(civil.System{})
	for after := ""; ; {
		cards, err := db.Cards().ByState(r.t.Context(), lifecycle.Delivered, after, 500)
		r.must(err)
		if len(cards) == 0 {
			break
		}
		for _, c := range cards {
			after = c.ID
			p, err := db.People().Get(r.t.Context(), c.CF)
			r.must(err)
			if c.HasChip() && !p.MinorOn(today) && !p.UnderGuardianship && p.AssistedOn(today) && len(r.holders) < adults {
				r.holders = append(r.holders, patient{p, c})
			}
		}
	}
	if len(r.holders) < adults {
		r.t.Fatalf("%d adults have a card; %d are needed", len(r.holders), adults)
	}
}

// serve starts csed and waits until it is ready.
func (r *region) serve() {
	r.t.Helper()
	r.serverLog = filepath.Join(r.dir, "serve.log")
	log, err := os.Create(r.serverLog)
	r.must(err)
	defer log.Close()
	r.server = r.command("serve")
	r.server.Stderr = log
	r.must(r.server.Start())
	r.t.Cleanup(func() {
		_ = r.server.Process.Signal(syscall.SIGTERM) // Wait tells whether it could be
		if err := r.server.Wait(); err != nil {
			r.t.Errorf("csed serve: %v\n%s", err, r.tail())
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = r.ready(); err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("csed serve is not ready: %v\n%s", err, r.tail())
		}
	}
}

// tail is the end of the server's log.
func (r *region) tail() string {
	b, _ := os.ReadFile(r.serverLog) // for a message only
	return string(b[max(0, len(b)-4000):])
}

func (r *region) ready() error {
	b, err := os.ReadFile(filepath.Join(r.data, "webca", webca.CertificateFile))
	if err != nil {
		return err
	}
	r.roots.AppendCertsFromPEM(b)
	probe, err := browser.New(r.roots, nil)
	if err != nil {
		return err
	}
	if err := probe.Get(context.Background(), r.portal+"/readyz"); err != nil {
		return err
	}
	if probe.Page.Status != 200 {
		return fmt.Errorf("/readyz: %s", probe.Page.Where())
	}
	return nil
}
