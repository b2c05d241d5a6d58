package portal_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/portaltest"
)

// The page of the program lists what can be downloaded by system, with size,
// version and checksum, how to verify and install it; what is not in the list,
// or not what the list says, is not offered. Both languages say it, and the list
// of drivers follows.
func TestR87_R93_SoftwareIsOfferedWithChecksums(t *testing.T) {
	s := newStage(t)
	data, err := fs.ReadFile(portaltest.Downloads(), "cse_0.1.0_amd64.deb")
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(data))
	for lang, want := range map[words.Lang][]string{
		words.Italian: {
			"Debian e Ubuntu (.deb), amd64", "0.1.0", "0,2 MB", sum, "sha256sum -c --ignore-missing SHA256SUMS", "sudo apt install ./cse_0.1.0_amd64.deb",
			"certutil -hashfile cse_0.1.0_windows_amd64.zip SHA256", "Per questo sistema oggi non c'è un pacchetto", "non sono offerti: 1", "SBOM", "La piattaforma",
		},
		words.English: {"Debian and Ubuntu (.deb), amd64", "0.2 MB", sum, "There is no package for this system today", "not offered: 1", "the platform, for"},
	} {
		body := get(t, s, lang, "/software").Body.String()
		text := plain(body)
		for _, w := range want {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(w)) {
				t.Errorf("%s: no %q: %s", lang, w, excerpt(text))
			}
		}
		if !strings.Contains(body, `href="/`+string(lang)+`/software/cse_0.1.0_amd64.deb"`) || strings.Contains(body, "secret.txt") || strings.Contains(body, "darwin") {
			t.Errorf("%s: links: %s", lang, body)
		}
	}
	drivers := plain(get(t, s, words.English, "/elenco-driver").Body.String())
	if !strings.Contains(drivers, "Tried. Download it from the page Software.") || !strings.Contains(drivers, "Built, not tried yet. It cannot be downloaded from this site today") {
		t.Errorf("drivers: %s", drivers)
	}
}

// A file comes whole, in part, or not at all when it is known already; nothing
// but the listed files comes.
func TestR87_AFileIsGivenOutAsListed(t *testing.T) {
	s := newStage(t)
	all, err := fs.ReadFile(portaltest.Downloads(), "cse_0.1.0_amd64.deb")
	if err != nil {
		t.Fatal(err)
	}
	const path = "/it/software/cse_0.1.0_amd64.deb"
	ask := func(path string, head ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, portaltest.DefaultAddresses().Portal+path, http.NoBody)
		for i := 0; i+1 < len(head); i += 2 {
			r.Header.Set(head[i], head[i+1])
		}
		w := httptest.NewRecorder()
		s.Portal.ServeHTTP(w, r)
		return w
	}
	w := ask(path)
	tag := w.Header().Get("ETag")
	if w.Code != 200 || w.Body.String() != string(all) || tag != fmt.Sprintf(`"%x"`, sha256.Sum256(all)) ||
		!strings.Contains(w.Header().Get("Content-Disposition"), "cse_0.1.0_amd64.deb") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
	if w := ask(path, "Range", "bytes=10-19"); w.Code != 206 || w.Body.String() != string(all[10:20]) {
		t.Errorf("a part: %d %q", w.Code, w.Body)
	}
	if w := ask(path, "If-None-Match", tag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("known already: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := ask(path, "Range", "bytes=10-19", "If-Range", `"other"`); w.Code != 200 {
		t.Errorf("a part of another file: %d", w.Code)
	}
	if w := ask("/it/software/SHA256SUMS"); w.Code != 200 || !strings.Contains(w.Body.String(), "  cse_0.1.0_amd64.deb\n") {
		t.Errorf("the list: %d", w.Code)
	}
	for _, bad := range []string{
		"secret.txt", "cse_0.1.0_darwin_arm64.tar.gz", "SHA256SUMS.asc", "..%2fSHA256SUMS", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", ".", "..", "a%00b", "cse_9.9.9_amd64.deb",
	} {
		if w := ask("/it/software/" + bad); w.Code == 200 || w.Code == 206 || strings.Contains(w.Body.String(), "not in the list") {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
}

// Without a folder, without a list, with a damaged list: the page says so, and
// nothing is given out.
func TestR87_NothingToDownloadIsSaidPlainly(t *testing.T) {
	sums := func(text string) fs.FS {
		return fstest.MapFS{"SHA256SUMS": {Data: []byte(text)}, "cse_1_amd64.deb": {Data: []byte("x")}}
	}
	for name, tt := range map[string]struct {
		folder fs.FS
		it, en string
	}{
		"no folder":    {nil, "chi gestisce il sito non ha ancora messo i pacchetti", "has put no packages here yet"},
		"empty folder": {fstest.MapFS{}, "non ha ancora messo i pacchetti", "has put no packages here yet"},
		"damaged":      {sums("zz  cse_1_amd64.deb\n"), "l'elenco delle impronte è rovinato", "the list of checksums is damaged"},
		"a way up":     {sums(strings.Repeat("0", 64) + "  ../x\n"), "l'elenco delle impronte è rovinato", "the list of checksums is damaged"},
		"twice":        {sums(strings.Repeat(strings.Repeat("0", 64)+"  cse_1_amd64.deb\n", 2)), "rovinato", "damaged"},
		"other file":   {sums(strings.Repeat("0", 64) + "  cse_1_amd64.deb\n"), "non sono offerti: 1", "not offered: 1"},
	} {
		s := newStage(t)
		s.Portal.Downloads = tt.folder
		for lang, want := range map[words.Lang]string{words.Italian: tt.it, words.English: tt.en} {
			if text := plain(get(t, s, lang, "/software").Body.String()); !strings.Contains(text, want) {
				t.Errorf("%s, %s: no %q: %s", name, lang, want, excerpt(text))
			}
		}
		if w := get(t, s, words.Italian, "/software/cse_1_amd64.deb"); w.Code == 200 {
			t.Errorf("%s: given out", name)
		}
	}
}
