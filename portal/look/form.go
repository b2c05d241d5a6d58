package look

import (
	"net/url"
	"strings"

	"cse.example/cse/ground/words"
)

// Form carries what was typed and what was wrong with it. Labels are catalogue
// keys; a hint is the text of KEY.hint, if there is one.
type Form struct {
	Lang   words.Lang
	Values url.Values
	Faults []*words.Fault
	// Labels are the label's keys by field, for the summary of errors; a field
	// without one is summed up without its name.
	Labels map[string]string
}

// NewForm makes a form; values may be nil.
func NewForm(lang words.Lang, values url.Values, faults ...*words.Fault) *Form {
	return &Form{Lang: lang, Values: values, Faults: faults}
}

// Field is what the partials campo, scelta and spunta draw.
type Field struct {
	ID, Label, Hint, Type, Value, Wrong, Autocomplete, InputMode string
	Mono, Upper, Short, Required, Focus, Search                  bool
	Options                                                      []Option
	Checked                                                      bool
}

// Option is one of several answers.
type Option struct {
	Value, Label string
	Chosen       bool
}

// Describedby lists the ids that explain the field.
func (f Field) Describedby() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID+"-hint")
	}
	if f.Wrong != "" {
		ids = append(ids, f.ID+"-wrong")
	}
	return strings.Join(ids, " ")
}

// Text describes an input. flags are words: mono upper short required focus
// search, type:KIND, ac:AUTOCOMPLETE, mode:INPUTMODE.
func (f *Form) Text(id, key, flags string) Field {
	x := Field{ID: id, Label: words.Say(f.Lang, key), Type: "text", Value: f.Values.Get(id), Wrong: f.wrong(id), Autocomplete: "off"}
	if words.Has(f.Lang, key+".hint") {
		x.Hint = words.Say(f.Lang, key+".hint")
	}
	for word := range strings.FieldsSeq(flags) {
		name, value, _ := strings.Cut(word, ":")
		switch name {
		case "mono":
			x.Mono = true
		case "upper":
			x.Upper = true
		case "short":
			x.Short = true
		case "required":
			x.Required = true
		case "focus":
			x.Focus = true
		case "search":
			x.Search = true
		case "type":
			x.Type = value
		case "ac":
			x.Autocomplete = value
		case "mode":
			x.InputMode = value
		}
	}
	if x.Type == "password" {
		x.Value = "" // a secret never goes back to the page
	}
	return x
}

// Choice describes radio buttons or a select; the label of each value is the
// text of KEY.VALUE.
func (f *Form) Choice(id, key string, values ...string) Field {
	x := f.Text(id, key, "required")
	for _, v := range values {
		x.Options = append(x.Options, Option{Value: v, Label: words.Say(f.Lang, key+"."+v), Chosen: v == x.Value})
	}
	return x
}

// Select is Choice for values listed elsewhere.
func (f *Form) Select(id, key string, values []string) Field { return f.Choice(id, key, values...) }

// Any describes a select that may be left open, as a search does.
func (f *Form) Any(id, key string, values ...string) Field {
	x := f.Choice(id, key, values...)
	x.Required = false
	return x
}

// May describes a check box that may be left empty.
func (f *Form) May(id, key string) Field {
	x := f.Tick(id, key)
	x.Required = false
	return x
}

// Tick describes a check box.
func (f *Form) Tick(id, key string) Field {
	x := f.Text(id, key, "required")
	x.Checked = x.Value != ""
	return x
}

func (f *Form) wrong(id string) string {
	for _, fault := range f.Faults {
		if fault.Field == id {
			return strings.TrimSpace(fault.Sentence(f.Lang) + " " + fault.Next(f.Lang))
		}
	}
	return ""
}

// Line is one entry of the error summary; Field is empty when no field is at fault.
type Line struct{ Field, Code, Text string }

// Summary lists what is wrong, in the order found.
func (f *Form) Summary() []Line {
	if f == nil {
		return nil
	}
	var out []Line
	for _, x := range f.Faults {
		text := strings.TrimSpace(x.Sentence(f.Lang) + " " + x.Next(f.Lang))
		if key := f.Labels[x.Field]; key != "" {
			text = words.Say(f.Lang, key) + ": " + text
		}
		out = append(out, Line{Field: x.Field, Code: x.Code, Text: text})
	}
	return out
}
