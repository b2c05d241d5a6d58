package status

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cse.example/cse/pki/crl"
)

// crl serves a published list, whole or in ranges. ETag and Last-Modified are those
// of its content (SHA-256, thisUpdate), so that they are the same after a restart,
// a restore, and on every machine that has the file.
func (s *Site) crl(w http.ResponseWriter, r *http.Request, name string) {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".crl") {
		http.NotFound(w, r)
		return
	}
	f, err := os.Open(filepath.Join(s.CRLs, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer func() { _ = f.Close() }() // read only
	l, err := s.lists.of(name, f)
	if err != nil {
		s.log().Error("CRL", "file", name, "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	w.Header().Set("Cache-Control", "max-age=60, public, no-transform, must-revalidate")
	w.Header().Set("ETag", l.tag)
	http.ServeContent(w, r, "", l.this, f)
}

// labels are what is said of the lists' files, made once for each.
type labels struct {
	mu  sync.Mutex
	all map[string]label
}

type label struct {
	file os.FileInfo // for which it was made
	tag  string
	this time.Time
}

// of is the label of an open file. A list that is renamed into place is another file.
func (x *labels) of(name string, f *os.File) (label, error) {
	st, err := f.Stat()
	if err != nil {
		return label{}, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if l, there := x.all[name]; there && os.SameFile(l.file, st) && l.file.ModTime().Equal(st.ModTime()) && l.file.Size() == st.Size() {
		return l, nil
	}
	list, err := crl.Open(f, st.Size())
	if err != nil {
		return label{}, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, st.Size())); err != nil {
		return label{}, err
	}
	l := label{file: st, tag: fmt.Sprintf(`"%x"`, h.Sum(nil)), this: list.Head.ThisUpdate}
	if x.all == nil {
		x.all = map[string]label{}
	}
	x.all[name] = l
	return l, nil
}
