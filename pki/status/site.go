package status

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cse.example/cse/pki/profile"
)

// Site is what the plain listener serves, under the paths of pki/profile:
// /ocsp, /crl/*.crl, /ca/<label>.cer, /ca/root.cer. Mount it as the listener's
// handler, or test Owns first: a ServeMux would redirect a GET whose base64
// has two slashes.
type Site struct {
	// Responder and Issuing are the first authority's.
	Responder     *Responder
	CRLs          string // folder of the lists
	Root, Issuing *x509.Certificate
	// Others gives the further authorities, as they are now; nil for none.
	Others func() []Served
	// Log takes what goes wrong; slog.Default when nil.
	Log *slog.Logger

	lists labels
}

// Served is one authority, as the site serves it.
type Served struct {
	Label     string
	Issuing   *x509.Certificate
	Responder *Responder
}

func (s *Site) others() []Served {
	if s.Others == nil {
		return nil
	}
	return s.Others()
}

// asked is the responder of the authority whose certificates a request is about:
// the first's when nobody's, since it says so in the proper form.
func (s *Site) asked(der []byte) *Responder {
	others := s.others()
	if len(others) == 0 {
		return s.Responder
	}
	q, err := ParseRequest(der)
	if err != nil {
		return s.Responder
	}
	for _, id := range q.CertIDs {
		for _, r := range append([]Served{{Responder: s.Responder}}, others...) {
			if r.Responder != nil && r.Responder.ours(id) {
				return r.Responder
			}
		}
	}
	return s.Responder
}

// issuer is the certificate served under path, nil when there is none.
func (s *Site) issuer(path string) *x509.Certificate {
	for _, o := range s.others() {
		if path == profile.PathIssuerOf(o.Label) {
			return o.Issuing
		}
	}
	return nil
}

// Owns tells whether the path is the site's.
func Owns(path string) bool {
	return path == profile.PathOCSP || strings.HasPrefix(path, profile.PathOCSP+"/") ||
		strings.HasPrefix(path, "/crl/") || strings.HasPrefix(path, "/ca/")
}

// ServeHTTP implements http.Handler.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	path := r.URL.Path
	switch {
	case path == profile.PathOCSP || strings.HasPrefix(path, profile.PathOCSP+"/"):
		s.ocsp(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case strings.HasPrefix(path, "/crl/"):
		s.crl(w, r, strings.TrimPrefix(path, "/crl/"))
	case path == profile.PathIssuer:
		certificate(w, r, s.Issuing)
	case path == profile.PathRoot:
		certificate(w, r, s.Root)
	default:
		certificate(w, r, s.issuer(path))
	}
}

func (s *Site) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// ocsp serves POST (RFC 6960, A.1) and GET with the base64 in the path.
func (s *Site) ocsp(w http.ResponseWriter, r *http.Request) {
	var der []byte
	var err error
	switch r.Method {
	case http.MethodPost:
		if ct := r.Header.Get("Content-Type"); ct != "application/ocsp-request" {
			http.Error(w, "Content-Type must be application/ocsp-request", http.StatusUnsupportedMediaType)
			return
		}
		der, err = io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
	case http.MethodGet, http.MethodHead:
		der, err = fromPath(r.URL)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	reply := Reply{DER: answerMalformed}
	if err == nil {
		if reply, err = s.asked(der).Answer(r.Context(), der); err != nil && !errors.Is(err, ErrRequest) {
			s.log().Error("OCSP answer", "err", err)
		}
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	if !reply.Cacheable || r.Method == http.MethodPost {
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write(reply.DER) // the client went away: nothing to do
		return
	}
	s.cacheable(w, r, reply)
}

// maxAge bounds what proxies may keep, so that a revocation is seen within a
// minute even behind one.
const maxAge = time.Minute

func (s *Site) cacheable(w http.ResponseWriter, r *http.Request, reply Reply) {
	now := s.Responder.parts.Clock.Now().UTC()
	age := min(maxAge, reply.NextUpdate.Sub(now)).Truncate(time.Second)
	h := w.Header()
	h.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", int(age/time.Second)))
	h.Set("Expires", now.Add(age).Format(http.TimeFormat))
	h.Set("ETag", etag(reply.DER))
	http.ServeContent(w, r, "", reply.ThisUpdate, bytes.NewReader(reply.DER))
}

func etag(b []byte) string { return fmt.Sprintf(`"%x"`, sha256.Sum256(b)) }

// fromPath reads what follows /ocsp/: base64, its reserved characters escaped
// or, as many clients send it, not.
func fromPath(u *url.URL) ([]byte, error) {
	text, ok := strings.CutPrefix(u.EscapedPath(), profile.PathOCSP+"/")
	if !ok || len(text) > 2*MaxRequest {
		return nil, fmt.Errorf("%w: no request in the path", ErrRequest)
	}
	text, err := url.PathUnescape(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	text = strings.ReplaceAll(text, " ", "+") // what some clients make of +
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return der, nil
}

func certificate(w http.ResponseWriter, r *http.Request, c *x509.Certificate) {
	if c == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-cert")
	w.Header().Set("Cache-Control", "max-age=86400, public")
	w.Header().Set("ETag", etag(c.Raw))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.Raw))
}
