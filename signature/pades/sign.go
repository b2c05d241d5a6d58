package pades

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature/cades"
)

// Request is a signature to be made.
type Request struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	// Time is written beside the signature, as the signer's word.
	Time time.Time
	// Stamp makes it level T.
	Stamp cades.Stamper
	// Reason and Location may be empty.
	Reason, Location string
	// Appearance shows the signature on a page; nil hides it.
	Appearance *Appearance
}

// Appearance is what a visible signature shows, and where.
type Appearance struct {
	// Page counts from 1; negative from the end.
	Page  int
	Lines []string
	// X and Y of the lower left corner, and the size, in points. A size of zero
	// puts the box at the foot of the page, above those of earlier signatures.
	X, Y, Width, Height float64
}

const rangeRoom = 60

// Sign adds a signature to a document, in an incremental update.
func Sign(ctx context.Context, random io.Reader, pdf []byte, r Request) ([]byte, error) {
	f, err := open(pdf)
	if err != nil {
		return nil, err
	}
	if f.certified() == 1 {
		return nil, words.Refuse("CSE-731")
	}
	fields, err := f.sigFields()
	if err != nil {
		return nil, err
	}
	u := f.update()
	sig, field := u.reserve(), u.reserve()
	if err := u.place(r, fields, sig, field); err != nil {
		return nil, err
	}
	room := r.room()
	u.objects[sig.num] = place{'n', len(u.out), 0}
	u.out = fmt.Appendf(u.out, "%d 0 obj\n<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached\n", sig.num)
	u.out = fmt.Appendf(u.out, "/M %s\n", appendObject(nil, textString(r.Time.UTC().Format("D:20060102150405+00'00'"))))
	for _, x := range []struct {
		key  name
		text string
	}{{"Reason", r.Reason}, {"Location", r.Location}} {
		if x.text != "" {
			u.out = append(appendObject(append(appendName(u.out, x.key), ' '), textString(x.text)), '\n')
		}
	}
	u.out = append(u.out, "/ByteRange "...)
	rangeAt := len(u.out)
	u.out = append(u.out, slices.Repeat([]byte{' '}, rangeRoom)...)
	u.out = append(u.out, "\n/Contents "...)
	hole := len(u.out)
	u.out = append(u.out, '<')
	u.out = append(u.out, slices.Repeat([]byte{'0'}, 2*room)...)
	u.out = append(u.out, ">\n>>\nendobj\n"...)
	end := hole + 2*room + 2
	out := u.finish()
	copy(out[rangeAt:], fmt.Appendf(nil, "[0 %d %d %d]", hole, end, len(out)-end))
	cms, err := cades.Sign(ctx, random, cades.Request{
		Key: r.Key, Certificate: r.Certificate, Chain: r.Chain, Stamp: r.Stamp,
		Digest: digest(crypto.SHA256, [][]byte{out[:hole], out[end:]}),
	})
	if err != nil {
		return nil, err
	}
	if len(cms) > room {
		return nil, fmt.Errorf("pdf: a signature of %d octets in a hole of %d", len(cms), room)
	}
	copy(out[hole+1:], fmt.Appendf(nil, "%X", cms))
	if err := recheck(pdf, out); err != nil {
		return nil, err
	}
	return out, nil
}

// room is how many octets to leave for the CMS.
func (r Request) room() int {
	n := 3072 + len(r.Certificate.Raw)
	for _, c := range r.Chain {
		n += len(c.Raw)
	}
	if r.Stamp != nil {
		n += 12 << 10
	}
	return n
}

// recheck reads what was made as anybody would: a document that was odd to
// begin with is not handed out as signed, nor one whose earlier signatures would
// no longer hold.
func recheck(before, after []byte) error {
	old, err := Check(before)
	if err != nil && words.FaultOf(err).Code != "CSE-721" {
		return err
	}
	all, err := Check(after)
	if err != nil {
		return err
	}
	for i, s := range old {
		if s.Err == nil && all[i].Err != nil {
			return all[i].Err
		}
	}
	return all[len(all)-1].Err
}

// place writes the field, its appearance, the page and the form.
func (u *update) place(r Request, fields []sigField, sig, field ref) error {
	n := 1
	if r.Appearance != nil && r.Appearance.Page != 0 {
		n = r.Appearance.Page
	}
	pageRef, page, box, err := u.f.page(n)
	if err != nil {
		return err
	}
	widget := dict{
		"Type": name("Annot"), "Subtype": name("Widget"), "FT": name("Sig"), "F": 132, "P": pageRef, "V": sig,
		"T": textString(freeName(fields)), "Rect": array{0, 0, 0, 0},
	}
	if a := r.Appearance; a != nil {
		x, y, w, h := a.X, a.Y, a.Width, a.Height
		if w <= 0 || h <= 0 {
			w, h = 210, 56
			x, y = box[0]+36, box[1]+36+float64(len(fields))*(h+6)
		}
		ap := u.reserve()
		u.write(ap, shown(a.Lines, w, h))
		widget["Rect"], widget["AP"] = array{x, y, x + w, y + h}, dict{"N": ap}
	}
	u.write(field, widget)
	if err := u.extend(page, pageRef, "Annots", field); err != nil {
		return err
	}
	return u.form(field)
}

// extend adds an item to the array at key of an object that has its own number,
// where the array itself may have one.
func (u *update) extend(d dict, r ref, key name, item ref) error {
	v, err := u.f.fetch(d[key])
	if err != nil {
		return err
	}
	old, ok := v.(array)
	if !ok && v != nil {
		return broken("a malformed %s", key)
	}
	list := append(slices.Clone(old), item)
	if own, ok := d[key].(ref); ok {
		u.write(own, list)
		return nil
	}
	d = maps.Clone(d)
	d[key] = list
	u.write(r, d)
	return nil
}

// form adds the field to the document's form.
func (u *update) form(field ref) error {
	root := u.f.trailer["Root"].(ref)
	cat, err := u.f.catalog()
	if err != nil {
		return err
	}
	v, err := u.f.fetch(cat["AcroForm"])
	if err != nil {
		return err
	}
	old, ok := v.(dict)
	if !ok && v != nil {
		return broken("a malformed form")
	}
	form := maps.Clone(old)
	if form == nil {
		form = dict{}
	}
	form["SigFlags"] = 3
	fields, err := u.f.fetch(form["Fields"])
	if err != nil {
		return err
	}
	list, ok := fields.(array)
	if !ok && fields != nil {
		return broken("a malformed form")
	}
	list = append(slices.Clone(list), field)
	if own, ok := form["Fields"].(ref); ok {
		u.write(own, list)
	} else {
		form["Fields"] = list
	}
	if own, ok := cat["AcroForm"].(ref); ok {
		u.write(own, form)
		return nil
	}
	// A form with a number of its own: poppler adds no field to another one.
	own := u.reserve()
	u.write(own, form)
	cat = maps.Clone(cat)
	cat["AcroForm"] = own
	u.write(root, cat)
	return nil
}

func freeName(fields []sigField) string {
	for n := len(fields) + 1; ; n++ {
		title := fmt.Sprintf("Firma%d", n)
		if !slices.ContainsFunc(fields, func(f sigField) bool { return f.name == title }) {
			return title
		}
	}
}
