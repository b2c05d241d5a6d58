package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cse.example/cse/portal/look"
)

// TestWindow is cse app as a person has it: the browser is shown a file that only
// he can read, the file leads to the card and goes away, the button ends the
// program, and nothing but the address is written anywhere.
func TestWindow(t *testing.T) {
	dir := t.TempDir()
	card := filepath.Join(dir, "card.cse")
	if err := os.WriteFile(card, oneCard()["card.cse"], 0o600); err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	shown := make(chan string, 1)
	var said strings.Builder
	w := World{
		Out: in, Err: &said, Browser: func(path string) error { shown <- path; return nil },
		Getenv: func(name string) string {
			return map[string]string{"XDG_RUNTIME_DIR": dir, "LANG": "it_IT.UTF-8"}[name]
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, w, []string{"--json", "--card", card, "app"})
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if _, missing := look.Assets(); errors.Is(missing, look.ErrNotBuilt) {
		if !strings.Contains(string(line), "CSE-860") || <-ended != exitGeneric {
			t.Errorf("without its pages it says %s", line)
		}
		return
	}
	var doc appDocument
	if err != nil || json.Unmarshal(line, &doc) != nil || doc.Schema != "cse.app/1" {
		t.Fatalf("it says %q (%v)", line, err)
	}
	path := <-shown
	key, err := url.Parse(doc.URL)
	if err != nil || key.Query().Get("chiave") == "" || key.Hostname() != "127.0.0.1" {
		t.Fatalf("the address is %s (%v)", doc.URL, err)
	}
	page, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(page), doc.URL) || strings.Contains(path, key.Query().Get("chiave")) {
		t.Fatalf("%s does not lead to %s (%v):\n%s", path, doc.URL, err, page)
	}
	if i, err := os.Stat(path); err != nil || i.Mode() != 0o600 {
		t.Errorf("the file has mode %v (%v)", i.Mode(), err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	text := visit(t, browser, http.MethodGet, doc.URL, nil)
	if !strings.Contains(text, "MARIO ROSSI") {
		t.Fatalf("the first page is\n%s", text)
	}
	for range 100 { // the file goes away behind the answer
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "cse-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	token := regexp.MustCompile(`name="gettone" value="([^"]+)"`).FindStringSubmatch(text)
	if token == nil {
		t.Fatal("no token on the page")
	}
	if text = visit(t, browser, http.MethodPost, "http://"+key.Host+"/chiudi", url.Values{"gettone": {token[1]}}); !strings.Contains(text, "Il programma è chiuso") {
		t.Errorf("the button says\n%s", text)
	}
	if status := <-ended; status != exitOK {
		t.Errorf("exit status %d", status)
	}
	if _, err := browser.Get("http://" + key.Host + "/"); err == nil {
		t.Error("something listens after the end")
	}
	if strings.TrimSpace(said.String()) != "Chiuso." {
		t.Errorf("it wrote %q", said.String())
	}
}

// visit is a request as a browser of this computer sends it.
func visit(t *testing.T, browser *http.Client, method, address string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+r.URL.Host)
	}
	res, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d (%v)\n%s", address, res.StatusCode, err, b)
	}
	return string(b)
}
