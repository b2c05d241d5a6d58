package status

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/profile"
)

// Questions is OCSP over HTTP: POST (RFC 6960, A.1) and GET with the base64 in
// the path, whose answers may be cached (RFC 5019).
type Questions struct {
	// Reply answers a request that could be read. Its DER is what is sent, also with
	// an error, which is for the log.
	Reply func(ctx context.Context, q *Request) (Reply, error)
	Clock civil.Clock
	Log   *slog.Logger
}

// bodies are for what is read of a POST.
var bodies = sync.Pool{New: func() any { b := make([]byte, MaxRequest+1); return &b }}

// ServeHTTP implements http.Handler.
func (h Questions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q *Request
	var err error
	switch r.Method {
	case http.MethodPost:
		if ct := r.Header.Get("Content-Type"); ct != "application/ocsp-request" {
			http.Error(w, "Content-Type must be application/ocsp-request", http.StatusUnsupportedMediaType)
			return
		}
		q, err = fromBody(w, r)
	case http.MethodGet, http.MethodHead:
		var der []byte
		if der, err = fromPath(r.URL); err == nil {
			q, err = ParseRequest(der)
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	reply := Reply{DER: answerMalformed}
	if err == nil {
		if reply, err = h.Reply(r.Context(), q); err != nil {
			h.Log.Error("OCSP answer", "err", err)
		}
	}
	head := w.Header()
	head["Content-Type"] = ocspResponse
	if !reply.Cacheable || r.Method == http.MethodPost {
		head["Cache-Control"] = noStore
		head["Content-Length"] = []string{strconv.Itoa(len(reply.DER))}
		_, _ = w.Write(reply.DER) // the client went away: nothing to do
		return
	}
	h.cacheable(w, r, reply)
}

// Header values that never change.
var (
	ocspResponse = []string{"application/ocsp-response"}
	noStore      = []string{"no-store"}
)

func fromBody(w http.ResponseWriter, r *http.Request) (*Request, error) {
	buf := bodies.Get().(*[]byte)
	defer bodies.Put(buf)
	n, err := io.ReadFull(r.Body, *buf)
	if err == nil { // more than MaxRequest
		w.Header().Set("Connection", "close")
		return nil, fmt.Errorf("%w: more than %d octets", ErrRequest, MaxRequest)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return ParseRequest((*buf)[:n]) // which copies what it keeps
}

// maxAge bounds what proxies may keep, so that a revocation is seen within a
// minute even behind one.
const maxAge = time.Minute

func (h Questions) cacheable(w http.ResponseWriter, r *http.Request, reply Reply) {
	now := h.Clock.Now().UTC()
	age := max(0, min(maxAge, reply.NextUpdate.Sub(now))).Truncate(time.Second)
	head := w.Header()
	head.Set("Cache-Control", fmt.Sprintf("max-age=%d, public, no-transform, must-revalidate", int(age/time.Second)))
	head.Set("Expires", now.Add(age).Format(http.TimeFormat))
	head.Set("ETag", etag(reply.DER))
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
