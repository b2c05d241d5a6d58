package main

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/rogpeppe/go-internal/testscript"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/cmd/cse/agent/agenttest"
	"cse.example/cse/signature/signtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cse": main})
}

// oneCard is a card image made once; every script gets its own copy.
var oneCard = sync.OnceValue(func() map[string][]byte {
	images := map[string][]byte{}
	dir, err := os.MkdirTemp("", "cse-cards")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	t := &testing.T{}
	images["istanza.pdf"] = aPDF(t)
	for name, profile := range map[string]cns.Profile{"card.cse": cns.Neutral(), "st2021.cse": cns.ST2021()} {
		path := filepath.Join(dir, name)
		card := holdertest.Make(t, path, profile, 12)
		if name == "card.cse" {
			images["card-ca.pem"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: card.Authority.Certificate.Raw})
			images["good.crl"], images["revoked.crl"] = aList(t, card, false), aList(t, card, true)
		}
		if images[name], err = os.ReadFile(path); err != nil {
			panic(err)
		}
	}
	return images
})

// TestScripts runs the program as people do. UPDATE=1 rewrites golden files.
func TestScripts(t *testing.T) {
	site := agenttest.New(t, 0)
	stamps := signtest.NewAuthority(t, "Marche di prova")
	answer := stamps.TSA(t, signtest.Now)
	tsa := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := io.ReadAll(r.Body)
		if err == nil {
			query, err = answer(query)
		}
		if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		_, _ = w.Write(query)
	}))
	t.Cleanup(tsa.Close)
	logs := logOfActs(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			for name, image := range oneCard() {
				if err := os.WriteFile(filepath.Join(e.WorkDir, name), image, 0o600); err != nil {
					return err
				}
			}
			logs(e)
			e.Setenv("LANG", "it_IT.UTF-8")
			e.Setenv("PIN", holdertest.PIN)
			e.Setenv("PUK", holdertest.PUK)
			e.Setenv("PORTAL", site.URL("portal", ""))
			e.Setenv("LOGIN", site.URL("login", ""))
			e.Setenv("TSA", tsa.URL)
			if err := os.WriteFile(filepath.Join(e.WorkDir, "tsa-ca.pem"), signtest.PEM(stamps.Cert), 0o600); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(e.WorkDir, "pin.txt"), []byte(holdertest.PIN+"\n"), 0o600); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(e.WorkDir, "web-ca.pem"), site.RootPEM, 0o600)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exitsWith,
			"codes": codes,
			// anyhow runs a program whose exit status depends on the day.
			"anyhow": func(ts *testscript.TestScript, _ bool, args []string) { _ = ts.Exec(args[0], args[1:]...) },
		},
	})
}

// exitsWith is "exits N cse …": it runs the program and wants that exit status.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N program …")
	}
	got := 0
	var failed *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// codes is "codes A B …": it writes the file codes.txt, one code per line, for
// the command stdin.
func codes(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs("codes.txt"), []byte(strings.Join(args, "\n")+"\n"), 0o600))
}

// aPDF is a document to be signed.
func aPDF(t testing.TB) []byte {
	p := fpdf.New("P", "mm", "A4", "")
	p.SetFont("Helvetica", "", 12)
	p.AddPage()
	p.Cell(40, 10, "Chiedo il rimborso del ticket.")
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// aList is a revocation list of the card's authority, of today.
func aList(t testing.TB, card holdertest.Card, revoked bool) []byte {
	now := time.Now()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(24 * time.Hour)}
	if revoked {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: card.Leaf.SerialNumber, RevocationTime: now.Add(-time.Hour), ReasonCode: 1}}
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, card.Authority.Certificate, card.Authority.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
