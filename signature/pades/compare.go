package pades

import (
	"bytes"
	"fmt"
	"slices"

	"cse.example/cse/ground/words"
)

// later is CSE-725 with what was found.
func later(format string, args ...any) error {
	return words.Refuse("CSE-725").Because(fmt.Errorf("pdf: "+format, args...))
}

// compare walks what a reader can reach in the document as it was signed and in
// the file as it is. The only differences that pass are those of signing again:
// a new signature field with its widget, the value of an empty signature field,
// the store of certificates and revocation data (DSS), the metadata. All else
// is a document that shows, or may show, something else than was signed: the
// "shadow" attacks hide or replace content in just this way.
type compare struct {
	a, b *file
	seen map[[2]ref]bool
	// fresh are the new signature fields that were found good.
	fresh map[ref]bool
	// added tells that somebody signed later.
	added bool
}

// sameDocument compares two revisions; signed are the fields of b whose value
// is a signature that was found to hold.
func sameDocument(a, b *file, signed map[ref]bool) (added bool, err error) {
	c := &compare{a: a, b: b, seen: map[[2]ref]bool{}, fresh: map[ref]bool{}}
	x, err := a.catalog()
	if err != nil {
		return false, err
	}
	y, err := b.catalog()
	if err != nil {
		return false, err
	}
	if a.trailer["Root"] != b.trailer["Root"] {
		return false, later("another catalog")
	}
	// Signatures refer to the catalog or the form ("Data"): what may differ there
	// is looked at here and not again on the way.
	c.pass(a.trailer["Root"], b.trailer["Root"])
	c.pass(x["AcroForm"], y["AcroForm"])
	if err := c.form(x, y, signed); err != nil {
		return false, err
	}
	err = c.dicts(x, y, "catalog", "AcroForm", "DSS", "Metadata", "Extensions")
	return c.added, err
}

// pass marks a pair of objects as compared.
func (c *compare) pass(x, y any) {
	rx, ok1 := x.(ref)
	ry, ok2 := y.(ref)
	if ok1 && ok2 {
		c.seen[[2]ref{rx, ry}] = true
	}
}

// form compares the interactive forms.
func (c *compare) form(x, y dict, signed map[ref]bool) error {
	old, err := c.fetchDict(c.a, x["AcroForm"])
	if err != nil {
		return err
	}
	now, err := c.fetchDict(c.b, y["AcroForm"])
	if err != nil {
		return err
	}
	was, err := c.fetchArray(c.a, old["Fields"])
	if err != nil {
		return err
	}
	is, err := c.fetchArray(c.b, now["Fields"])
	if err != nil {
		return err
	}
	if len(is) < len(was) || !slices.Equal(is[:len(was)], was) {
		return later("form fields taken away")
	}
	for _, f := range is[len(was):] {
		r, ok := f.(ref)
		if !ok {
			return later("a form field that is not its own object")
		}
		v, err := c.b.get(r)
		if err != nil {
			return err
		}
		d, ok := v.(dict)
		if !ok || d["FT"] != name("Sig") || d["Kids"] != nil {
			return later("a new form field that is no signature")
		}
		if !signed[r] && (c.b.visible(d) || d["V"] != nil || d["AP"] != nil) {
			return later("a new signature field that shows something and is not signed")
		}
		c.fresh[r], c.added = true, true
	}
	ignore := []name{"Fields", "SigFlags"}
	for _, k := range []name{"DR", "DA"} {
		if old[k] == nil {
			ignore = append(ignore, k)
		}
	}
	if err := c.dicts(old, now, "form", ignore...); err != nil {
		return err
	}
	for i := range was {
		if err := c.same(was[i], is[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *compare) fetchDict(f *file, v any) (dict, error) {
	got, err := f.fetch(v)
	if err != nil || got == nil {
		return nil, err
	}
	d, ok := got.(dict)
	if !ok {
		return nil, broken("a malformed form")
	}
	return d, nil
}

func (c *compare) fetchArray(f *file, v any) (array, error) {
	got, err := f.fetch(v)
	if err != nil || got == nil {
		return nil, err
	}
	a, ok := got.(array)
	if !ok {
		return nil, broken("a malformed form")
	}
	return a, nil
}

// fetch is resolve that tells what cannot be read.
func (f *file) fetch(v any) (any, error) {
	for range 20 {
		r, ok := v.(ref)
		if !ok {
			return v, nil
		}
		var err error
		if v, err = f.get(r); err != nil {
			return nil, err
		}
	}
	return nil, broken("references in a circle")
}

// same compares two values and all that they reach.
func (c *compare) same(x, y any) error {
	rx, okx := x.(ref)
	ry, oky := y.(ref)
	if okx && oky {
		pair := [2]ref{rx, ry}
		if c.seen[pair] {
			return nil
		}
		c.seen[pair] = true
	}
	vx, err := c.a.fetch(x)
	if err != nil {
		return err
	}
	vy, err := c.b.fetch(y)
	if err != nil {
		return err
	}
	switch a := vx.(type) {
	case dict:
		b, ok := vy.(dict)
		if !ok {
			return later("object %v is another", x)
		}
		return c.dicts(a, b, fmt.Sprint("object ", x))
	case array:
		b, ok := vy.(array)
		if !ok || len(a) != len(b) {
			return later("object %v is another", x)
		}
		for i := range a {
			if err := c.same(a[i], b[i]); err != nil {
				return err
			}
		}
		return nil
	case *stream:
		b, ok := vy.(*stream)
		if !ok || !bytes.Equal(a.raw, b.raw) {
			return later("the content of object %v", x)
		}
		return c.dicts(a.dict, b.dict, fmt.Sprint("object ", x), "Length")
	case text:
		b, ok := vy.(text)
		if !ok || !bytes.Equal(a.b, b.b) {
			return later("a text")
		}
		return nil
	}
	switch vy.(type) {
	case dict, array, *stream, text:
		return later("object %v is another", x)
	}
	if vx != vy {
		return later("a value")
	}
	return nil
}

// dicts compares two dictionaries but for the keys given.
func (c *compare) dicts(a, b dict, where string, ignore ...name) error {
	if a["FT"] == name("Sig") && b["FT"] == name("Sig") && a["V"] == nil && b["V"] != nil {
		c.added = true
		ignore = append(ignore, "V", "AP", "M", "MK", "DA")
	}
	if a["Type"] == name("Page") && b["Type"] == name("Page") {
		ignore = append(ignore, "Annots")
		if err := c.annotations(a, b); err != nil {
			return err
		}
	}
	keys := map[name]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	for k := range keys {
		if slices.Contains(ignore, k) {
			continue
		}
		if err := c.same(a[k], b[k]); err != nil {
			return fmt.Errorf("%w (%s, %s)", err, where, k)
		}
	}
	return nil
}

// annotations of a page: those that were, and widgets of new signatures.
func (c *compare) annotations(a, b dict) error {
	was, err := c.fetchArray(c.a, a["Annots"])
	if err != nil {
		return err
	}
	is, err := c.fetchArray(c.b, b["Annots"])
	if err != nil {
		return err
	}
	if len(is) < len(was) {
		return later("annotations taken away")
	}
	for i := range was {
		if err := c.same(was[i], is[i]); err != nil {
			return err
		}
	}
	for _, x := range is[len(was):] {
		r, ok := x.(ref)
		if !ok || !c.fresh[r] {
			return later("a new annotation")
		}
	}
	return nil
}
