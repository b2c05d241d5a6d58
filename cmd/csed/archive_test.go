package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/person/codicefiscale"
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
	r.config.Archive = Archive{Required: true, Days: 40, DocumentDays: 30}
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
	s.see("Delega firmata, PDF, 1 kB", "Mancano le scansioni di queste carte", "Copia del documento del titolare", "Copia del documento di chi era presente")
	s.at("/sportello/turno")
	s.see("Scansioni mancanti 2")
	for _, k := range []string{"holder-document", "document"} {
		d.want(d.post(file+"/carte", append(scan, k...), "foglio", k), "")
	}
	s.at(file)
	if strings.Contains(s.b.Page.Text(), "Mancano le scansioni") {
		t.Error("nothing is missing, and the page says so")
	}
	s.at("/sportello/turno")
	s.see("Scansioni mancanti 0")

	list, err := p.db.Archive().PapersOf(t.Context(), strings.TrimPrefix(file, "/sportello/pratica/"))
	check(t, err)
	list = slices.DeleteFunc(list, func(x archive.Row) bool { return x.Kind != archive.Delegation })
	if len(list) != 1 {
		t.Fatalf("%d delegations", len(list))
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

	p.holdsTheCopy(t, holder.CF, scan)
	night := func(days int) map[string]int64 {
		t.Helper()
		r.clock.Advance(time.Duration(days) * 24 * time.Hour)
		rep, err := p.privacy.Retain(context.WithoutCancel(t.Context()), p.keepers())
		check(t, err)
		out := map[string]int64{}
		for _, l := range rep.Lines {
			out[l.Kind] = l.Destroyed
		}
		return out
	}
	// copies of documents go after thirty days, the delegation after forty
	if got := night(30); got["papers.document"] != 0 || got["papers.holder-document"] != 0 {
		t.Errorf("on the last day %v", got)
	}
	if got := night(2); got["papers.document"] != 1 || got["papers.holder-document"] != 1 || got["papers.delegation"] != 0 {
		t.Errorf("after thirty days %v", got)
	}
	d = keys["aslb"].desktop(t, p)
	d.want(d.post(to, nil, "motivo", "claim"), "")
	if got := night(10); got["papers.delegation"] != 1 {
		t.Errorf("after forty days %v", got)
	}
	if _, err := p.db.Archive().Key(t.Context(), list[0].Person); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("the key of no paper: %v", err)
	}
	recs, err := p.trail.LastByPerson(t.Context(), string(holder.CF), 10)
	check(t, err)
	if len(recs) == 0 || recs[0].Act != "papers.erased" || recs[0].Actor != "system:night" {
		t.Errorf("the trail ends with %+v", recs)
	}
	sound(t, p)
	d = keys["aslb"].desktop(t, p)
	d.want(d.post(to, nil, "motivo", "claim"), "CSE-521")
}

// holdsTheCopy wants the copy of a person's data to hold his papers as they were
// scanned, those of a delegate's document listed and not given, and nobody else's.
func (p *Platform) holdsTheCopy(t *testing.T, cf codicefiscale.Code, scan []byte) {
	t.Helper()
	parts, papers, err := dataCopies{p}.Parts(t.Context(), cf)
	check(t, err)
	if parts != 1 || papers != 3 {
		t.Errorf("%d papers in %d files, want 3 in 1", papers, parts)
	}
	e, err := p.privacy.Export(t.Context(), cf)
	check(t, err)
	var b bytes.Buffer
	check(t, dataCopies{p}.Write(t.Context(), e, 1, words.Italian, &b))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	check(t, err)
	files := map[string]string{}
	for _, f := range z.File {
		x, err := f.Open()
		check(t, err)
		text, err := io.ReadAll(x)
		check(t, err)
		name := f.Name
		if strings.HasPrefix(name, "carte/") {
			name = name[:strings.LastIndexByte(name, '-')]
			name = name[strings.IndexByte(name, '-')+9:]
		}
		files[name] = string(text)
	}
	if len(files) != 5 || files["delegation"] != string(scan) || files["holder-document"] != string(scan)+"holder-document" {
		t.Errorf("the copy has %v", slices.Sorted(maps.Keys(files)))
	}
	readme, data := files["LEGGIMI.txt"], files["dati.json"]
	if !strings.Contains(readme, "Copia del documento di chi era presente: non copiata") || strings.Count(readme, "carte/") != 2 {
		t.Errorf("the copy says of itself: %s", readme)
	}
	if !strings.Contains(data, `"section": "papers"`) || strings.Count(data, `"in_copy"`) != 3 {
		t.Errorf("the data lack the papers: %s", data)
	}
	on(t, readBack(t, []byte(files["dati.pdf"])), "Carte delle pratiche (scansioni)", "Delega firmata", "no: è il documento di un'altra persona")
	if err := (dataCopies{p}).Write(t.Context(), e, 2, words.Italian, io.Discard); !errors.Is(err, words.Refuse("CSE-781")) {
		t.Errorf("a second file: %v", err)
	}
}

// The copy comes in files of a size; no paper is left out or given twice, and
// another person's document is in none of them.
func TestTheCopyComesInParts(t *testing.T) {
	t.Parallel()
	paper := func(size int64, own bool) ownPaper {
		return ownPaper{archive.Held{Paper: archive.Paper{Size: size}}, own}
	}
	const mb = 1 << 20
	for name, c := range map[string]struct {
		list []ownPaper
		want []int
	}{
		"nothing":                {nil, nil},
		"one":                    {[]ownPaper{paper(1, true)}, []int{1}},
		"only another's":         {[]ownPaper{paper(1, false)}, []int{0}},
		"to the last byte":       {[]ownPaper{paper(maxCopy-1, true), paper(1, true)}, []int{2}},
		"a byte more":            {[]ownPaper{paper(maxCopy, true), paper(1, true)}, []int{1, 1}},
		"five of five megabytes": {[]ownPaper{paper(5*mb, true), paper(5*mb, true), paper(5*mb, true), paper(5*mb, true), paper(5*mb, true)}, []int{4, 1}},
		"others' take no room":   {[]ownPaper{paper(15*mb, true), paper(15*mb, false), paper(5*mb, true)}, []int{2}},
	} {
		var got []int
		for _, part := range parted(c.list) {
			got = append(got, len(part))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
