package provider

import (
	"bytes"
	"net/http"
)

// heldAnswer keeps an answer back until the library is done with the request.
// The library has the choice of ways shown first and saves the authorization
// session afterwards: a page with a Content-Length is whole in the browser
// before the save, and a quick visitor would come back to a session that is not
// there yet (CSE-322). A save that fails replaces the page by its error.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements http.ResponseWriter; the last one counts.
func (h *heldAnswer) WriteHeader(status int) {
	h.status = status
	h.body.Reset()
}

// Write implements http.ResponseWriter.
func (h *heldAnswer) Write(b []byte) (int, error) {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	return h.body.Write(b)
}

// send lets the answer go.
func (h *heldAnswer) send() {
	if h.status == 0 {
		return
	}
	h.ResponseWriter.WriteHeader(h.status)
	_, _ = h.ResponseWriter.Write(h.body.Bytes()) // the visitor has left: nobody to tell
}
