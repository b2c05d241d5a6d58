package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"cse.example/cse/ground/merkle/merkletest"
)

// logOfActs lays out a log, a copy of it in which act 7 was changed, a proof and a
// kept head, and serves what a platform gives out.
func logOfActs(t *testing.T) func(*testscript.Env) {
	l := merkletest.New(t).Add(6).Sign().Add(400).Sign()
	site := func(short bool) string {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /log/key", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, l.Key()) })
		mux.HandleFunc("GET /log/checkpoint", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(l.Notes[1]) })
		mux.HandleFunc("GET /log/checkpoints", func(w http.ResponseWriter, r *http.Request) {
			n, err := strconv.Atoi(r.FormValue("after"))
			if err != nil || n >= len(l.Notes) {
				http.NotFound(w, r)
				return
			}
			_ = json.NewEncoder(w).Encode(string(l.Notes[n])) // one at a time
		})
		mux.HandleFunc("GET /log/tile/0/{n}", func(w http.ResponseWriter, r *http.Request) {
			n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
			b, _ := l.Tile(0, n)
			if err != nil || short && n == 1 {
				b = nil
			}
			_, _ = w.Write(b)
		})
		s := httptest.NewServer(mux)
		t.Cleanup(s.Close)
		return s.URL
	}
	whole, short := site(false), site(true)
	proof, err := json.Marshal(l.Proof(2, 300))
	if err != nil {
		t.Fatal(err)
	}
	return func(e *testscript.Env) {
		l.Export(filepath.Join(e.WorkDir, "log"))
		for name, b := range map[string][]byte{"proof.json": proof, "log.key": []byte(l.Key() + "\n"), "head.txt": l.Notes[0]} {
			if err := os.WriteFile(filepath.Join(e.WorkDir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e.Setenv("LOG", whole)
		e.Setenv("SHORT_LOG", short)
	}
}
