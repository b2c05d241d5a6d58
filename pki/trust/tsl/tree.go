package tsl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
)

// Bounds of a list. The Italian list has about 3 MB.
const (
	// MaxSize bounds the file, in octets.
	MaxSize     = 16 << 20
	maxDepth    = 40
	maxElements = 300_000
	maxServices = 20_000
)

func malformed(format string, args ...any) error { return refuse(Malformed, format, args...) }

// parse reads a document that two programs cannot read in two ways.
func parse(in []byte) (*etree.Element, error) {
	if len(in) > MaxSize {
		return nil, malformed("%d octets are too many", len(in))
	}
	in = bytes.TrimPrefix(in, []byte("\xEF\xBB\xBF"))
	if err := scan(in); err != nil {
		return nil, err
	}
	t := etree.NewDocument()
	t.ReadSettings = etree.ReadSettings{MaxDepth: maxDepth, PreserveDuplicateAttrs: true, CharsetReader: onlyUTF8}
	if err := t.ReadFromBytes(in); err != nil {
		return nil, malformed("%w", err)
	}
	root := t.Root()
	if root == nil {
		return nil, malformed("no root")
	}
	return root, walk(root, map[string]bool{})
}

func onlyUTF8(label string, _ io.Reader) (io.Reader, error) {
	return nil, fmt.Errorf("encoding %.20q", label)
}

// scan reads the tokens: elements and text and nothing else, one root, names with the ends that fit.
func scan(in []byte) error {
	d := xml.NewDecoder(bytes.NewReader(in))
	d.CharsetReader = onlyUTF8
	depth, elements, roots := 0, 0, 0
	for first := true; ; first = false {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return malformed("%w", err)
		}
		switch x := t.(type) {
		case xml.Directive:
			return malformed("a type definition")
		case xml.ProcInst:
			if !first || x.Target != "xml" {
				return malformed("a processing instruction")
			}
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			if depth++; depth > maxDepth {
				return malformed("nested too deep")
			}
			if elements++; elements > maxElements {
				return malformed("too many elements")
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(x)) > 0 {
				return malformed("text outside the root")
			}
		}
	}
	if roots != 1 {
		return malformed("%d roots", roots)
	}
	return nil
}

// walk refuses an attribute twice and an identifier twice.
func walk(e *etree.Element, ids map[string]bool) error {
	seen := map[string]bool{}
	for _, a := range e.Attr {
		if seen[a.FullKey()] {
			return malformed("an attribute twice")
		}
		seen[a.FullKey()] = true
		switch a.FullKey() {
		case "Id", "ID", "id", "xml:id":
			if ids[a.Value] {
				return malformed("the identifier %.40q twice", a.Value)
			}
			ids[a.Value] = true
		}
	}
	for _, c := range e.ChildElements() {
		if err := walk(c, ids); err != nil {
			return err
		}
	}
	return nil
}

func is(e *etree.Element, ns, tag string) bool { return e.Tag == tag && e.NamespaceURI() == ns }

func children(e *etree.Element, ns, tag string) []*etree.Element {
	if e == nil {
		return nil
	}
	var out []*etree.Element
	for _, c := range e.ChildElements() {
		if is(c, ns, tag) {
			out = append(out, c)
		}
	}
	return out
}

// only is the single child of a name; nil when there is none or more.
func only(e *etree.Element, ns, tag string) *etree.Element {
	if c := children(e, ns, tag); len(c) == 1 {
		return c[0]
	}
	return nil
}

// one is the single child of a name in the list's namespace, and an error without it.
func one(e *etree.Element, tag string) (*etree.Element, error) {
	if c := only(e, namespace, tag); c != nil {
		return c, nil
	}
	return nil, malformed("%s: not exactly one %s", e.Tag, tag)
}

// value is the text of the single child of a name, without elements in it.
func value(e *etree.Element, tag string) (string, error) {
	c, err := one(e, tag)
	if err != nil {
		return "", err
	}
	if len(c.ChildElements()) > 0 {
		return "", malformed("%s holds elements", tag)
	}
	return strings.TrimSpace(c.Text()), nil
}
