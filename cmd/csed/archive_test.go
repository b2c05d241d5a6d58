package main

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal"
)

// desktop is an operator's session that posts scans straight to the portal.
type desktop struct {
	t      *testing.T
	p      *Platform
	cookie string
}

func (k *shiftKey) desktop(t *testing.T, p *Platform) *desktop {
	t.Helper()
	op, err := p.directory.OperatorByAccount(k.account)
	check(t, err)
	cookie, err := p.portal.OpenSession(t.Context(), portal.Session{
		Subject: k.account, CF: string(op.CF), Given: "A", Family: "L", Account: k.account, AMR: []string{"pwd", "otp"},
	}, "")
	check(t, err)
	return &desktop{t, p, cookie}
}

// post sends a form, with a file when there is one.
func (d *desktop) post(path string, file []byte, pairs ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		check(d.t, m.WriteField(pairs[i], pairs[i+1]))
	}
	kind := m.FormDataContentType()
	if file != nil {
		f, err := m.CreateFormFile("file", "../../delega.exe")
		check(d.t, err)
		_, err = f.Write(file)
		check(d.t, err)
	}
	check(d.t, m.Close())
	if file == nil {
		b.Reset()
		kind = "application/x-www-form-urlencoded"
		for i := 0; i+1 < len(pairs); i += 2 {
			b.WriteString(pairs[i] + "=" + pairs[i+1] + "&")
		}
	}
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, d.p.Config.Public.Portal+path, &b)
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.AddCookie(&http.Cookie{Name: portal.SessionCookie, Value: d.cookie})
	w := httptest.NewRecorder()
	d.p.portal.ServeHTTP(w, r)
	return w
}

func (d *desktop) want(w *httptest.ResponseRecorder, code string) {
	d.t.Helper()
	if got := w.Header().Get("CSE-Error"); got != code {
		d.t.Fatalf("%d %q, want %q", w.Code, got, code)
	}
}

// The delegation of an act by delegate is a task until its scan is archived; the
// scan is seen again with a motive, which the holder reads; the night destroys it
// after its days, and says so.
func TestR98_R99_TheDelegationIsArchivedOverHTTP(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.config.Archive = Archive{Required: true, Days: 40}
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	holder := p.give(t, invented(t, "ROSSI", "IDA", civil.Today(r.clock).AddYears(-70)), 991_011, nil)
	delegate, err := p.db.People().Get(t.Context(), card(t, p, r.active).CF)
	check(t, err)
	s := keys["aslb"].work(t, p, r.clock)
	s.begin(holder)
	s.submit("/2", "", s.document(
		"presente", "delegato", "rappresentante_cognome", delegate.Surname, "rappresentante_nome", delegate.Name, "rappresentante_cf", string(delegate.CF),
		"salute", "si", "delega", "si", "copia", "si",
	)...)
	s.submit("/3", "", "email", "ida@posta.example", "email_ripetuta", "ida@posta.example", "consenso", "si")
	s.submit("/4", "")
	file := s.file()
	s.papers()
	s.handOver()
	s.at("/sportello")
	s.see("Delega firmata da archiviare")

	d := keys["aslb"].desktop(t, p)
	scan := []byte("%PDF-1.7\nuna delega firmata")
	d.want(d.post(file+"/carte", []byte("MZ"), "foglio", "delegation"), "CSE-519")
	d.want(d.post(file+"/carte", scan, "foglio", ""), "CSE-520")
	d.want(d.post(file+"/carte", append([]byte("%PDF-"), make([]byte, portal.MaxBody)...), "foglio", "delegation"), "CSE-518")
	d.want(keys["asl"].desktop(t, p).post(file+"/carte", scan, "foglio", "delegation"), "CSE-145")
	d.want(d.post(file+"/carte", scan, "foglio", "delegation"), "")
	s.at("/sportello")
	if strings.Contains(s.b.Page.Text(), "Delega firmata da archiviare") {
		t.Error("an archived paper is still waited for")
	}
	s.at(file)
	s.see("Delega firmata, PDF, 1 kB")

	list, err := p.db.Archive().PapersOf(t.Context(), strings.TrimPrefix(file, "/sportello/pratica/"))
	check(t, err)
	if len(list) != 1 {
		t.Fatalf("%d papers", len(list))
	}
	to := file + "/carte/" + list[0].ID
	d.want(d.post(to, nil, "motivo", ""), "CSE-522")
	d.want(d.post(to, nil, "motivo", "curiosita"), "CSE-522")
	got := d.post(to, nil, "motivo", "claim")
	h := got.Header()
	if !bytes.Equal(got.Body.Bytes(), scan) || h.Get("Content-Type") != "application/pdf" || h.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.HasPrefix(h.Get("Content-Disposition"), "attachment; ") || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%q %v", got.Body.String(), h)
	}
	acts, err := p.activities(t.Context(), holder.CF)
	check(t, err)
	seen := 0
	for _, a := range acts {
		if a.Act == "paper.seen" && a.Motive == "claim" && a.Office == "Ufficio aslb" {
			seen++
		}
	}
	if seen != 1 {
		t.Errorf("the holder reads of %d looks at his papers: %+v", seen, acts)
	}
	sound(t, p)

	r.clock.Advance(42 * 24 * time.Hour)
	rep, err := p.privacy.Retain(context.WithoutCancel(t.Context()), p.keepers())
	check(t, err)
	destroyed := int64(0)
	for _, l := range rep.Lines {
		if l.Kind == "papers" {
			destroyed = l.Destroyed
		}
	}
	if destroyed != 1 {
		t.Errorf("the retention destroyed %d papers: %+v", destroyed, rep.Lines)
	}
	d = keys["aslb"].desktop(t, p)
	d.want(d.post(to, nil, "motivo", "claim"), "CSE-521")
	if words.Say(words.Italian, "privacy.keep.papers") == "privacy.keep.papers" {
		t.Error("the report has no name for papers")
	}
}
