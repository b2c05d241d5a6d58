package pades

import (
	"cse.example/cse/ground/words"
)

// Limits of a form.
const (
	maxFields = 20000
	// MaxSignatures is the most signatures of one document.
	MaxSignatures = 50
)

// sigField is a signature field: its merged or only widget, and its value.
type sigField struct {
	ref   ref
	name  string
	dict  dict
	value any // the V, a ref or a dict; nil when not signed yet
}

// sigFields walks the form for the signature fields, signed or not, in order.
func (f *file) sigFields() ([]sigField, error) {
	cat, err := f.catalog()
	if err != nil {
		return nil, err
	}
	form, _ := f.resolve(cat["AcroForm"]).(dict)
	var out []sigField
	seen := map[ref]bool{}
	var walk func(list any, prefix string, kind any, depth int) error
	walk = func(list any, prefix string, kind any, depth int) error {
		fields, _ := f.resolve(list).(array)
		for _, x := range fields {
			r, ok := x.(ref)
			if !ok || seen[r] {
				return broken("a form field that is not its own object")
			}
			if seen[r] = true; len(seen) > maxFields || depth > 50 {
				return broken("more than %d form fields", maxFields)
			}
			v, err := f.get(r)
			if err != nil {
				return err
			}
			d, ok := v.(dict)
			if !ok {
				continue
			}
			kind, title := kind, prefix
			if t := f.resolve(d["FT"]); t != nil {
				kind = t
			}
			if t, ok := f.resolve(d["T"]).(text); ok {
				title = string(t.b)
				if prefix != "" {
					title = prefix + "." + title
				}
			}
			if kind == name("Sig") {
				if len(out) == MaxSignatures {
					return words.Refuse("CSE-734", MaxSignatures)
				}
				out = append(out, sigField{ref: r, name: title, dict: d, value: d["V"]})
				continue
			}
			if d["Kids"] != nil {
				if err := walk(d["Kids"], title, kind, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return out, walk(form["Fields"], "", nil, 0)
}

// visible tells whether a widget shows something on its page.
func (f *file) visible(widget dict) bool {
	rect, _ := f.resolve(widget["Rect"]).(array)
	if len(rect) != 4 {
		return widget["AP"] != nil
	}
	n := make([]float64, 4)
	for i, x := range rect {
		n[i] = number(f.resolve(x))
	}
	return n[0] != n[2] && n[1] != n[3]
}

func number(v any) float64 {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case float64:
		return x
	}
	return 0
}

// page finds a page by its number from 1, or from the end when negative, with
// its box.
func (f *file) page(n int) (ref, dict, [4]float64, error) {
	cat, err := f.catalog()
	if err != nil {
		return ref{}, nil, [4]float64{}, err
	}
	type leaf struct {
		r   ref
		d   dict
		box any
	}
	var all []leaf
	seen := map[ref]bool{}
	var walk func(x, box any, depth int) error
	walk = func(x, box any, depth int) error {
		r, ok := x.(ref)
		if !ok || seen[r] || depth > 60 || len(seen) > maxFields {
			return broken("a malformed page tree")
		}
		seen[r] = true
		v, err := f.get(r)
		if err != nil {
			return err
		}
		d, ok := v.(dict)
		if !ok {
			return broken("a malformed page tree")
		}
		if b := f.resolve(d["MediaBox"]); b != nil {
			box = b
		}
		kids, node := f.resolve(d["Kids"]).(array)
		if !node {
			all = append(all, leaf{r, d, box})
			return nil
		}
		for _, k := range kids {
			if err := walk(k, box, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(cat["Pages"], nil, 0); err != nil {
		return ref{}, nil, [4]float64{}, err
	}
	if n < 0 {
		n = len(all) + n + 1
	}
	if n < 1 || n > len(all) {
		return ref{}, nil, [4]float64{}, broken("it has %d pages", len(all))
	}
	l := all[n-1]
	box := [4]float64{0, 0, 595, 842}
	if b, ok := l.box.(array); ok && len(b) == 4 {
		for i, x := range b {
			box[i] = number(f.resolve(x))
		}
	}
	return l.r, l.d, box, nil
}
