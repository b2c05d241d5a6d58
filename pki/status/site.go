package status

import (
	"bytes"
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
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

// reply has the responder answer of the authority whose certificates a request is
// about: the first's when nobody's, since it says so in the proper form.
func (s *Site) reply(ctx context.Context, q *Request) (Reply, error) {
	others := s.others()
	for _, id := range q.CertIDs {
		if len(others) == 0 || s.Responder.ours(id) {
			break
		}
		for _, r := range others {
			if r.Responder != nil && r.Responder.ours(id) {
				return r.Responder.Reply(ctx, q)
			}
		}
	}
	return s.Responder.Reply(ctx, q)
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
		Questions{Reply: s.reply, Clock: s.Responder.parts.Clock, Log: s.log()}.ServeHTTP(w, r)
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
