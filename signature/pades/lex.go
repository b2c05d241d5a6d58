package pades

import (
	"bytes"
	"fmt"
	"strconv"

	"cse.example/cse/ground/words"
)

// The objects of PDF (ISO 32000-1, 7.3): nil, bool, int64, float64, name, text,
// array, dict, ref, *stream.
type (
	name  string
	array []any
	dict  map[name]any
	ref   struct{ num, gen int }
	// text is a string; start and end tell where it stands in the file, with its
	// delimiters, when it was read from the file itself.
	text struct {
		b          []byte
		hex        bool
		start, end int
	}
	stream struct {
		dict dict
		raw  []byte
	}
	keyword string
)

// broken is CSE-741 with the reason.
func broken(format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	return words.Refuse("CSE-741", what).Because(fmt.Errorf("pdf: %s", what))
}

const maxNesting = 100

// lexer reads objects from b, at pos. budget, when set, is how many values may
// still be read: a small file can unpack into very many.
type lexer struct {
	b      []byte
	pos    int
	budget *int
}

func space(c byte) bool {
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' '
}

func delimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

func (l *lexer) skip() {
	for l.pos < len(l.b) {
		switch c := l.b[l.pos]; {
		case space(c):
			l.pos++
		case c == '%':
			for l.pos < len(l.b) && l.b[l.pos] != '\n' && l.b[l.pos] != '\r' {
				l.pos++
			}
		default:
			return
		}
	}
}

func (l *lexer) peek(s string) bool { return bytes.HasPrefix(l.b[min(l.pos, len(l.b)):], []byte(s)) }

// object reads one object; a word that is none comes as a keyword.
func (l *lexer) object(depth int) (any, error) {
	if depth > maxNesting {
		return nil, broken("nested too deep")
	}
	if l.budget != nil {
		if *l.budget--; *l.budget < 0 {
			return nil, broken("more than %d values", maxValues)
		}
	}
	l.skip()
	if l.pos >= len(l.b) {
		return nil, broken("the file ends inside an object")
	}
	switch c := l.b[l.pos]; {
	case l.peek("<<"):
		return l.dict(depth)
	case c == '<':
		return l.hexString()
	case c == '(':
		return l.literal()
	case c == '/':
		return l.name()
	case c == '[':
		return l.array(depth)
	case c == '+' || c == '-' || c == '.' || c >= '0' && c <= '9':
		return l.number()
	case delimiter(c):
		return nil, broken("a %q out of place", c)
	}
	return l.word(), nil
}

func (l *lexer) token() string {
	start := l.pos
	for l.pos < len(l.b) && !space(l.b[l.pos]) && !delimiter(l.b[l.pos]) {
		l.pos++
	}
	return string(l.b[start:l.pos])
}

func (l *lexer) word() any {
	switch w := l.token(); w {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	default:
		return keyword(w)
	}
}

// number reads a number, or a reference "n g R".
func (l *lexer) number() (any, error) {
	w := l.token()
	n, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil || len(w) > 60 {
			return nil, broken("a malformed number")
		}
		return f, nil
	}
	back := l.pos
	if n >= 0 && w[0] >= '0' && w[0] <= '9' {
		l.skip()
		if g, err := strconv.Atoi(l.token()); err == nil && g >= 0 && g <= 65535 {
			l.skip()
			if l.token() == "R" {
				if n > maxObjects {
					return nil, broken("object number %d", n)
				}
				return ref{int(n), g}, nil
			}
		}
	}
	l.pos = back
	return n, nil
}

func (l *lexer) name() (any, error) {
	l.pos++
	w := []byte(l.token())
	for i := 0; i < len(w); i++ {
		if w[i] != '#' {
			continue
		}
		if i+2 >= len(w) {
			return nil, broken("a malformed name")
		}
		v, err := strconv.ParseUint(string(w[i+1:i+3]), 16, 8)
		if err != nil {
			return nil, broken("a malformed name")
		}
		w = append(append(w[:i:i], byte(v)), w[i+3:]...)
	}
	return name(w), nil
}

func (l *lexer) array(depth int) (any, error) {
	l.pos++
	out := array{}
	for {
		l.skip()
		if l.peek("]") {
			l.pos++
			return out, nil
		}
		v, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, bad := v.(keyword); bad {
			return nil, broken("a word inside an array")
		}
		out = append(out, v)
	}
}

// dict reads a dictionary. A key twice is refused: one program would take the
// first value, another one the last.
func (l *lexer) dict(depth int) (any, error) {
	l.pos += 2
	out := dict{}
	for {
		l.skip()
		if l.peek(">>") {
			l.pos += 2
			return out, nil
		}
		if !l.peek("/") {
			return nil, broken("a key that is not a name")
		}
		k, err := l.name()
		if err != nil {
			return nil, err
		}
		v, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, bad := v.(keyword); bad {
			return nil, broken("a word inside a dictionary")
		}
		if _, twice := out[k.(name)]; twice {
			return nil, broken("the key %.40q twice in a dictionary", string(k.(name)))
		}
		out[k.(name)] = v
	}
}

func (l *lexer) hexString() (any, error) {
	start := l.pos
	l.pos++
	var out []byte
	var high byte
	n := 0
	for ; l.pos < len(l.b); l.pos++ {
		c := l.b[l.pos]
		switch {
		case c == '>':
			l.pos++
			if n%2 == 1 {
				out = append(out, high<<4)
			}
			return text{b: out, hex: true, start: start, end: l.pos}, nil
		case space(c):
			continue
		}
		v := unhex(c)
		if v > 15 {
			return nil, broken("a malformed string")
		}
		if n%2 == 1 {
			out = append(out, high<<4|v)
		}
		high = v
		n++
	}
	return nil, broken("a string without end")
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

func (l *lexer) literal() (any, error) {
	start := l.pos
	l.pos++
	var out []byte
	depth := 1
	for l.pos < len(l.b) {
		c := l.b[l.pos]
		l.pos++
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text{b: out, start: start, end: l.pos}, nil
			}
		case '\\':
			out = l.escape(out)
			continue
		case '\r':
			if l.peek("\n") {
				l.pos++
			}
			c = '\n'
		}
		out = append(out, c)
	}
	return nil, broken("a string without end")
}

func (l *lexer) escape(out []byte) []byte {
	if l.pos >= len(l.b) {
		return out
	}
	c := l.b[l.pos]
	l.pos++
	switch c {
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case '\n':
		return out
	case '\r':
		if l.peek("\n") {
			l.pos++
		}
		return out
	}
	if c < '0' || c > '7' {
		return append(out, c)
	}
	v := int(c - '0')
	for i := 0; i < 2 && l.pos < len(l.b) && l.b[l.pos] >= '0' && l.b[l.pos] <= '7'; i++ {
		v = v*8 + int(l.b[l.pos]-'0')
		l.pos++
	}
	return append(out, byte(v))
}
