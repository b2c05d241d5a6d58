package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/pinmanager/managertest"
)

// appPages plays the pages of cse app (package pinmanager), with virtual cards.
// It is the managertest.TB of its stages, which stay up as long as the command.
type appPages struct {
	assets fs.FS
	mu     sync.Mutex
	after  []func()
}

// play shows a state; false when name is none.
func (p *appPages) play(w http.ResponseWriter, lang words.Lang, name string) bool {
	for _, st := range managertest.States() {
		if st.Name != name {
			continue
		}
		a := st.Play(p, p.assets, string(lang))
		for _, h := range []string{"Content-Type", "Content-Language", "Content-Security-Policy"} {
			w.Header().Set(h, a.Header.Get(h))
		}
		w.WriteHeader(a.Status)
		_, _ = io.WriteString(w, a.Text)
		return true
	}
	return false
}

func (p *appPages) close() {
	for _, f := range p.after {
		f()
	}
}

// Helper implements managertest.TB.
func (*appPages) Helper() {}

// Fatal implements managertest.TB: net/http recovers, and the page fails.
func (*appPages) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Errorf implements managertest.TB.
func (*appPages) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Context implements managertest.TB.
func (*appPages) Context() context.Context { return context.Background() }

// Cleanup implements managertest.TB.
func (p *appPages) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = append(p.after, f)
}

// TempDir implements managertest.TB.
func (p *appPages) TempDir() string {
	dir, err := os.MkdirTemp("", "cse-app")
	if err != nil {
		panic(err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
