package pinmanager

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/url"
	"slices"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// maxForm is the longest form without a file, in bytes.
const maxForm = 8 << 10

// codeFields are the fields of PIN and PUK.
var codeFields = []string{"pin", "new", "again", "puk"}

// fields is a form that came in. Codes are kept apart from what is no secret, and
// are wiped with wipe.
type fields struct {
	url.Values
	codes map[string]*secret.Text
}

// code is that of a field; empty when it is not there.
func (f fields) code(name string) secret.Text {
	if t := f.codes[name]; t != nil {
		return *t
	}
	return secret.Text{}
}

func (f fields) wipe() {
	for _, t := range f.codes {
		t.Wipe()
	}
}

// read takes the form of this request and spends its token. The caller wipes it.
func (c *call) read() (fields, error) {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return fields{}, words.Refuse("CSE-866")
	}
	buffer := make([]byte, maxForm+1)
	defer clear(buffer)
	n, err := io.ReadFull(c.r.Body, buffer)
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fields{}, words.Refuse("CSE-866").Because(err) // too long, or cut
	}
	f, err := parseForm(buffer[:n])
	if err == nil {
		err = c.m.spend(f.Get("gettone"))
	}
	if err != nil {
		f.wipe()
		return fields{}, err
	}
	return f, nil
}

// parseForm reads application/x-www-form-urlencoded (URL standard, section 5.1)
// without making strings of codes, which nobody could wipe. It decodes in place:
// body is not worth anything afterwards. A name that comes twice is refused.
func parseForm(body []byte) (fields, error) {
	f := fields{url.Values{}, map[string]*secret.Text{}}
	for rest := body; len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte("&"))
		name, value, _ := bytes.Cut(pair, []byte("="))
		name, ok := unescape(name)
		if !ok {
			return f, words.Refuse("CSE-866")
		}
		if value, ok = unescape(value); !ok {
			return f, words.Refuse("CSE-866")
		}
		key := string(name)
		if f.Has(key) || f.codes[key] != nil {
			return f, words.Refuse("CSE-866")
		}
		if slices.Contains(codeFields, key) {
			t := secret.New(value)
			f.codes[key] = &t
			clear(value)
			continue
		}
		if key != "" {
			f.Set(key, string(value))
		}
	}
	return f, nil
}

// unescape decodes in place.
func unescape(b []byte) ([]byte, bool) {
	out := b[:0]
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(b) {
				return nil, false
			}
			hi, ok1 := nibble(b[i+1])
			lo, ok2 := nibble(b[i+2])
			if !ok1 || !ok2 {
				return nil, false
			}
			out = append(out, hi<<4|lo)
			i += 2
		default:
			out = append(out, b[i])
		}
	}
	return out, true
}

func nibble(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
