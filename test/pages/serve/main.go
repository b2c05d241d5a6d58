// Command serve shows every page state of the portal to a browser, without the
// platform: `go run ./test/pages/serve` prints a JSON list of {name, url} on
// standard output, a line, and serves until it is interrupted. run.mjs reads
// that list. The certificate is made at start and trusted by nobody.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
	"cse.example/cse/portal/pinmanager/managertest"
	"cse.example/cse/portal/portaltest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run() error {
	assets, err := look.Assets()
	if err != nil {
		return err
	}
	cert, err := certificate()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := l.Addr().(*net.TCPAddr).Port
	addr := portaltest.Addresses{
		Portal: fmt.Sprintf("https://portal.cse.localhost:%d", port), Login: fmt.Sprintf("https://login.cse.localhost:%d", port),
	}
	stage, err := portaltest.New(addr, assets)
	if err != nil {
		return err
	}
	demoPages, err := newDemoPages(addr, assets)
	if err != nil {
		return err
	}
	app := &appPages{assets: assets}
	defer app.close()
	if err := announce(stage, addr); err != nil {
		return err
	}
	s := &http.Server{
		Handler: handler(stage, demoPages, app), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() { <-ctx.Done(); _ = s.Close() }()
	if err := s.ServeTLS(l, "", ""); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// announce prints the list of states, Italian all of them, English one in each.
func announce(stage *portaltest.Stage, addr portaltest.Addresses) error {
	type entry struct {
		Name   string `json:"name"`
		URL    string `json:"url"`
		Status int    `json:"status"`
	}
	var list []entry
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for _, st := range stage.States() {
			list = append(list, entry{st.Name + "." + string(lang), addr.Of(st.Host) + "/__state/" + string(lang) + "/" + st.Name, st.Status})
		}
		for _, name := range demoNames() {
			list = append(list, entry{name + "." + string(lang), addr.Portal + "/__state/" + string(lang) + "/" + name, http.StatusOK})
		}
	}
	for _, st := range managertest.States() {
		for _, lang := range []words.Lang{words.Italian, words.English} {
			if lang == words.English && !st.English() {
				continue
			}
			list = append(list, entry{st.Name + "." + string(lang), addr.Portal + "/__state/" + string(lang) + "/" + st.Name, st.Status})
		}
	}
	return json.NewEncoder(os.Stdout).Encode(list)
}

// handler plays /__state/LANG/NAME, and serves the rest as the portal does.
func handler(stage *portaltest.Stage, demo *demoPages, app *appPages) http.Handler {
	states := map[string]portaltest.State{}
	for _, st := range stage.States() {
		states[st.Name] = st
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, "/__state/")
		if !ok {
			stage.Portal.ServeHTTP(w, r)
			return
		}
		lang, name, _ := strings.Cut(rest, "/")
		if demo.play(w, words.ParseLang(lang), name) || app.play(w, words.ParseLang(lang), name) {
			return
		}
		st, ok := states[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if err := stage.Play(w, r.Context(), st, words.ParseLang(lang)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"*.cse.localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
