package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/person/codicefiscale"
)

// The copy of one's data with the scans of one's papers (GDPR, article 15.3;
// decision 0782): ZIP files, each with the data and some of the scans. A copy of
// the document of whoever stood there for the person is somebody else's (15.4):
// it is listed and not copied.

// maxCopy is how many bytes of scans one file takes; a larger paper goes alone.
const maxCopy = 20 << 20

type dataCopies struct{ p *Platform }

// ownPaper is a paper of a person's, and whether he may have a copy.
type ownPaper struct {
	archive.Held
	own bool
}

// ownPapers lists a person's papers.
func (p *Platform) ownPapers(ctx context.Context, cf codicefiscale.Code) ([]ownPaper, error) {
	list, err := p.archive.Of(ctx, cf)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	cards, err := p.db.Cards().ByPerson(ctx, cf)
	if err != nil {
		return nil, err
	}
	himself := map[string]bool{}
	for _, c := range cards {
		acts, err := p.counter.KeptOf(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range acts {
			himself[a.Protocol] = a.Present == counter.PresentHolder
		}
	}
	out := make([]ownPaper, len(list))
	for i, h := range list {
		out[i] = ownPaper{h, h.Kind != archive.Document || himself[h.Act]}
	}
	return out, nil
}

// parted shares the papers that are copied out among files.
func parted(list []ownPaper) [][]archive.Held {
	var out [][]archive.Held
	size := int64(0)
	for _, x := range list {
		if !x.own {
			continue
		}
		if len(out) == 0 || size+x.Size > maxCopy {
			out, size = append(out, nil), 0
		}
		out[len(out)-1] = append(out[len(out)-1], x.Held)
		size += x.Size
	}
	if len(out) == 0 && len(list) > 0 {
		out = [][]archive.Held{nil} // the list alone
	}
	return out
}

// Parts implements portal.DataCopies.
func (d dataCopies) Parts(ctx context.Context, cf codicefiscale.Code) (parts, papers int, err error) {
	list, err := d.p.ownPapers(ctx, cf)
	return len(parted(list)), len(list), err
}

// Write implements portal.DataCopies.
func (d dataCopies) Write(ctx context.Context, e privacy.Export, n int, lang words.Lang, w io.Writer) error {
	cf := codicefiscale.Code(e.CF)
	list, err := d.p.ownPapers(ctx, cf)
	if err != nil {
		return err
	}
	parts := parted(list)
	if n < 1 || n > len(parts) {
		return words.Refuse("CSE-781")
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	pdf, err := d.p.printExport(ctx, e, lang)
	if f := words.FaultOf(err); f != nil && f.Code == "CSE-392" {
		err = nil // this process does not print: the data are in the JSON
	}
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	add := func(name string, method uint16, b []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: e.At.In(civil.Rome)})
		if err == nil {
			_, err = f.Write(b)
		}
		return err
	}
	if err := add(words.Say(lang, "privacy.zip.readme"), zip.Deflate, d.readme(e, list, parts, n, lang)); err != nil {
		return err
	}
	if err := add("dati.json", zip.Deflate, data); err != nil {
		return err
	}
	if len(pdf) > 0 {
		if err := add("dati.pdf", zip.Deflate, pdf); err != nil {
			return err
		}
	}
	err = d.p.archive.Copy(ctx, cf, parts[n-1], func(h archive.Held, file []byte) error { return add(copyName(h), zip.Store, file) })
	if err != nil {
		return err
	}
	return z.Close()
}

// copyName is a paper's in the ZIP: the act, what it is, enough of its number to
// be the only one.
func copyName(h archive.Held) string {
	return "carte/" + strings.ReplaceAll(h.Act, "/", "-") + "-" + string(h.Kind) + "-" + h.ID[:8] + h.Type.Extension()
}

// readme says what the file holds, and what it leaves out and why.
func (d dataCopies) readme(e privacy.Export, list []ownPaper, parts [][]archive.Held, n int, lang words.Lang) []byte {
	var b bytes.Buffer
	say := func(key string, args ...any) string { return words.Say(lang, "privacy.zip."+key, args...) }
	fmt.Fprintf(&b, "%s\n\n%s\n\n", say("title", e.CF, e.At.In(civil.Rome).Format("02/01/2006, 15:04"), n, len(parts)), say("holds"))
	here := map[string]bool{}
	for _, h := range parts[n-1] {
		here[h.ID] = true
	}
	for _, x := range list {
		name := copyName(x.Held)
		switch {
		case !x.own:
			name = say("left")
		case !here[x.ID]:
			name = say("elsewhere")
		}
		fmt.Fprintf(&b, "- %s, %s: %s: %s\n", x.Act, x.At.In(civil.Rome).Format("02/01/2006"), words.Say(lang, "privacy.value.paper."+string(x.Kind)), name)
	}
	fmt.Fprintf(&b, "\n%s\n", say("rights", d.p.Config.Public.Portal))
	return b.Bytes()
}

// heldPapers are the same as data.
func (p *Platform) heldPapers(ctx context.Context, cf codicefiscale.Code) (privacy.Section, error) {
	list, err := p.ownPapers(ctx, cf)
	out := privacy.Section{Key: "papers"}
	for _, x := range list {
		inCopy := "no"
		if x.own {
			inCopy = "yes"
		}
		out.Rows = append(out.Rows, []privacy.Field{
			{Name: "paper", Value: string(x.Kind)},
			{Name: "protocol", Value: x.Act},
			{Name: "at", Value: moment(x.At)},
			{Name: "type", Value: string(x.Type)},
			{Name: "size", Value: fmt.Sprint(x.Size)},
			{Name: "in_copy", Value: inCopy},
		})
	}
	return out, err
}
