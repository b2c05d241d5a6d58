package portal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust"
	"cse.example/cse/portal"
	"cse.example/cse/signature"
	"cse.example/cse/signature/signtest"
)

// alwaysGood is a revocation source.
type alwaysGood struct{}

func (alwaysGood) Revocation(context.Context, *x509.Certificate, *x509.Certificate) (trust.Status, error) {
	return trust.Status{Standing: trust.StandingGood}, nil
}

// signatureDesk is the portal with the real verifier, and a document signed with a card.
func signatureDesk(t *testing.T) (http.Handler, []byte) {
	t.Helper()
	ca := signtest.NewAuthority(t, "CA di prova")
	card := ca.CNS(t, nil)
	clock := civil.NewHand(signtest.Now)
	s := signature.Signer{Key: card.Key, Certificate: card.Cert, Clock: clock, Random: rand.Reader}
	out, err := s.Sign(t.Context(), []byte("<istanza>Chiedo il rimborso</istanza>"), signature.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	v := &signature.Verifier{Clock: clock, CNS: trust.Verifier{
		Anchors: []*x509.Certificate{ca.Cert}, Revocation: []trust.Revocation{alwaysGood{}},
	}}
	stage := newStage(t)
	stage.Portal.Signatures.Verify = v.Verify
	stage.Portal.Config.Services = append(slices.Clone(stage.Portal.Config.Services),
		portal.Service{ID: "atti", Level: "regional", Name: map[words.Lang]string{words.Italian: "Atti immobiliari"}, Legal: true},
		portal.Service{ID: "istanze", Level: "regional", Name: map[words.Lang]string{words.Italian: "Istanze"}})
	return stage.Portal, out.Data
}

// send uploads a file; fields are names and values by turns.
func send(t *testing.T, h http.Handler, file io.Reader, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("firmato", `C:\Documenti\istanza.xml`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(part, file); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return sendBody(h, &b, w.FormDataContentType())
}

func sendBody(h http.Handler, body io.Reader, kind string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/verifica-firma", body)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Accept-Language", "it")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// The page answers for the recipient: a public administration accepts an FEA,
// a private party does not, and an act of a legal nature refuses it.
func TestR104_R105_ThePageAnswersForTheRecipient(t *testing.T) {
	h, signed := signatureDesk(t)
	for _, c := range []struct {
		per, code string
		status    int
		says      string
	}{
		{"public_administration", "", 200, "La firma si può accettare."},
		{"private", "CSE-732", 422, "serve una firma qualificata (FEQ)"},
		{"legal_transaction", "CSE-732", 422, "serve una firma qualificata (FEQ)"},
	} {
		w := send(t, h, bytes.NewReader(signed), "per", c.per)
		body := w.Body.String()
		if w.Code != c.status || w.Header().Get("CSE-Error") != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s, %v", c.per, w.Code, w.Header().Get("CSE-Error"), strings.Contains(body, c.says))
		}
		for _, want := range []string{signtest.CF, "FEA (firma elettronica avanzata)", "XAdES-B", "istanza.xml"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the page does not say %q", c.per, want)
			}
		}
		if strings.Contains(body, "Documenti") {
			t.Error("the path of the sender's computer is on the page")
		}
	}
}

func TestTheReportIsAFile(t *testing.T) {
	h, signed := signatureDesk(t)
	w := send(t, h, bytes.NewReader(signed), "rapporto", "json")
	var r signature.Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || r.Verdict != signature.Valid || r.Signatures[0].Level != signature.FEA {
		t.Errorf("%v: %s", err, w.Body)
	}
	if got := w.Header().Get("Content-Disposition"); got != `attachment; filename="verifica.json"` {
		t.Errorf("%q", got)
	}
	w = send(t, h, bytes.NewReader(signed), "rapporto", "pdf")
	if w.Header().Get("Content-Type") != "application/pdf" || !strings.HasPrefix(w.Body.String(), "%PDF") {
		t.Errorf("%v", w.Header())
	}
}

// zeros gives n octets without holding them.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUploadsThatAreRefused(t *testing.T) {
	h, signed := signatureDesk(t)
	for _, c := range []struct {
		name string
		w    func() *httptest.ResponseRecorder
		want string
	}{
		{"changed", func() *httptest.ResponseRecorder {
			return send(t, h, strings.NewReader(strings.Replace(string(signed), "rimborso", "rimborsi", 1)))
		}, "CSE-733"},
		{"an octet over 20 MB", func() *httptest.ResponseRecorder { return send(t, h, zeros(20<<20+1)) }, "CSE-723"},
		{"60 MB", func() *httptest.ResponseRecorder { return send(t, h, zeros(60<<20)) }, "CSE-723"},
		{"20 MB of nothing", func() *httptest.ResponseRecorder { return send(t, h, zeros(20<<20)) }, "CSE-722"},
		{"no file", func() *httptest.ResponseRecorder { return send(t, h, strings.NewReader("")) }, "CSE-735"},
		{"a form of another kind", func() *httptest.ResponseRecorder {
			return sendBody(h, strings.NewReader("file=x"), "application/x-www-form-urlencoded")
		}, "CSE-357"},
		{"cut short", func() *httptest.ResponseRecorder {
			return sendBody(h, strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"firmato\"; filename=\"a\"\r\n\r\nabc"), "multipart/form-data; boundary=x")
		}, "CSE-357"},
	} {
		if got := c.w().Header().Get("CSE-Error"); got != c.want {
			t.Errorf("%s: got %q, want %s", c.name, got, c.want)
		}
	}
}

// A fifth upload waits outside while four are being read.
func TestTooManyUploads(t *testing.T) {
	h, signed := signatureDesk(t)
	hold, done := make(chan struct{}), make(chan struct{})
	inside := make(chan struct{}, 4)
	for range 4 {
		go func() {
			sendBody(h, &held{inside: inside, hold: hold}, "multipart/form-data; boundary=x")
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-inside
	}
	w := send(t, h, bytes.NewReader(signed))
	if got := w.Header().Get("CSE-Error"); got != "CSE-739" || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s", w.Code, got)
	}
	close(hold)
	for range 4 {
		<-done
	}
	if w := send(t, h, bytes.NewReader(signed)); w.Code != 200 {
		t.Errorf("afterwards: %d", w.Code)
	}
}

// held is a body that does not come until it is let go.
type held struct{ inside, hold chan struct{} }

func (h *held) Read([]byte) (int, error) {
	h.inside <- struct{}{}
	<-h.hold
	return 0, errors.New("gone")
}

// A service marked as a legal transaction refuses a CNS signature, whatever the
// form says; any other service of the catalogue takes it.
func TestR105_AServiceOfLegalTransactionsRefusesAnFEA(t *testing.T) {
	h, signed := signatureDesk(t)
	for _, c := range []struct{ service, code, name string }{
		{"atti", "CSE-732", "Atti immobiliari"},
		{"istanze", "", "Istanze"},
	} {
		w := send(t, h, bytes.NewReader(signed), "servizio", c.service, "per", "public_administration")
		if got := w.Header().Get("CSE-Error"); got != c.code || !strings.Contains(w.Body.String(), c.name) {
			t.Errorf("%s: got %q, want %q", c.service, got, c.code)
		}
		r := httptest.NewRequest(http.MethodGet, "/verifica-firma?servizio="+c.service, http.NoBody)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if !strings.Contains(rec.Body.String(), `name="servizio" value="`+c.service+`"`) {
			t.Errorf("%s: the form forgets the service", c.service)
		}
	}
	if w := send(t, h, bytes.NewReader(signed), "servizio", "nessuno"); w.Code != 200 {
		t.Errorf("an unknown service: %d", w.Code)
	}
}
