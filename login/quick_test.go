package login_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"cse.example/cse/login"
	"cse.example/cse/login/logintest"
	"cse.example/cse/login/page"
)

// slowServer sends the choice of ways with its length, as the portal's pages do,
// so that it is whole in the browser at once; then the machine has other things
// to do.
type slowServer struct{ page.Pages }

func (p slowServer) Chooser(w http.ResponseWriter, r *http.Request, c page.Chooser) {
	rec := httptest.NewRecorder()
	p.Pages.Chooser(rec, r, c)
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	_, _ = rec.Body.Write(bytes.Repeat([]byte(" "), 64<<10)) // more than net/http buffers
	w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
	time.Sleep(300 * time.Millisecond)
}

// A visitor who is quicker than the server finds his authorization session.
func TestQuickVisitor(t *testing.T) {
	w := logintest.New(t, logintest.Options{
		Change: func(_ *login.Config, n *login.Needs) { n.Pages = slowServer{n.Pages} },
	})
	p := portal(t, w)
	b := w.Browser(&w.Card)
	b.Transport.(*http.Transport).DisableKeepAlives = true // on the same connection he would have to wait
	p.redeem(t, p.code(t, b))
}
