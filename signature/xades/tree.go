package xades

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"

	"cse.example/cse/ground/words"
)

const (
	maxDepth    = 100
	maxElements = 300_000
	// maxWork is how many elements are copied for all canonical forms together:
	// many signatures of a big document would take minutes.
	maxWork = 6_000_000

	nsDS    = "http://www.w3.org/2000/09/xmldsig#"
	nsXAdES = "http://uri.etsi.org/01903/v1.3.2#"
)

// document is an XML document with its elements by identifier.
type document struct {
	tree *etree.Document
	root *etree.Element
	byID map[string]*etree.Element
	// signatures are the ds:Signature elements that no other signature holds.
	signatures []*etree.Element
	// elements are counted, weight counts each as often as it is deep, and work
	// is what was done so far.
	elements, weight, work int
}

func unread(err error) error { return words.Refuse("CSE-742").Because(err) }

func forbidden(what string) error { return words.Refuse("CSE-737", what) }

// read parses a document. Refused is what two programs may read in two ways:
// type definitions and their entities, encodings other than UTF-8, an
// identifier twice, an attribute twice, line breaks in an attribute.
func read(in []byte) (*document, error) {
	in = bytes.TrimPrefix(in, []byte("\xEF\xBB\xBF"))
	if err := wellFormed(in); err != nil {
		return nil, err
	}
	t := etree.NewDocument()
	t.ReadSettings = etree.ReadSettings{MaxDepth: maxDepth, PreserveDuplicateAttrs: true, CharsetReader: onlyUTF8}
	if err := t.ReadFromBytes(in); err != nil {
		return nil, unread(err)
	}
	d := &document{tree: t, byID: map[string]*etree.Element{}}
	for _, c := range t.Child {
		switch x := c.(type) {
		case *etree.Directive:
			return nil, forbidden("DOCTYPE")
		case *etree.Element:
			if d.root != nil {
				return nil, unread(errors.New("xml: two roots"))
			}
			d.root = x
		case *etree.CharData:
			if !x.IsWhitespace() {
				return nil, unread(errors.New("xml: text outside the root"))
			}
		}
	}
	if d.root == nil {
		return nil, unread(errors.New("xml: no root"))
	}
	return d, d.index(d.root, false, 1)
}

func onlyUTF8(label string, r io.Reader) (io.Reader, error) {
	if strings.EqualFold(label, "us-ascii") {
		return r, nil
	}
	return nil, forbidden("encoding " + label)
}

// wellFormed reads the document once for the ends of its elements, which the
// tree's reader does not compare.
func wellFormed(in []byte) error {
	d := xml.NewDecoder(bytes.NewReader(in))
	d.CharsetReader = onlyUTF8
	for depth := 0; ; {
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case words.FaultOf(err) != nil:
			return err
		case err != nil:
			return unread(err)
		}
		switch t.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return unread(errors.New("xml: nested too deep"))
			}
		case xml.EndElement:
			depth--
		}
	}
}

func (d *document) index(e *etree.Element, inside bool, depth int) error {
	d.weight += depth
	if d.elements++; d.elements > maxElements {
		return unread(fmt.Errorf("xml: more than %d elements", maxElements))
	}
	seen, prefix := map[string]bool{}, ""
	for _, a := range e.Attr {
		if seen[a.FullKey()] {
			return unread(errors.New("xml: an attribute twice"))
		}
		seen[a.FullKey()] = true
		if strings.ContainsAny(a.Value, "\n\r\t") {
			return forbidden("line break, @" + a.Key)
		}
		declares := a.Space == "xmlns" || a.FullKey() == "xmlns"
		if !declares && a.Space != "" {
			if prefix != "" && prefix != a.Space { // their canonical order is not the library's
				return forbidden("@" + prefix + ", @" + a.Space)
			}
			prefix = a.Space
		}
		switch a.FullKey() {
		case "Id", "ID", "id", "xml:id":
			if d.byID[a.Value] != nil {
				return words.Refuse("CSE-724").Because(fmt.Errorf("xml: the identifier %.40q twice", a.Value))
			}
			d.byID[a.Value] = e
		}
	}
	if is(e, nsDS, "Signature") {
		if !inside {
			d.signatures = append(d.signatures, e)
		}
		inside = true
	}
	for _, c := range e.Child {
		switch x := c.(type) {
		case *etree.Directive:
			return forbidden("<!…>")
		case *etree.Element:
			if err := d.index(x, inside, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func is(e *etree.Element, ns, tag string) bool { return e.Tag == tag && e.NamespaceURI() == ns }

// children are the child elements of a name.
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

// only is the single child element of a name; nil when there is none or more.
func only(e *etree.Element, ns, tag string) *etree.Element {
	if c := children(e, ns, tag); len(c) == 1 {
		return c[0]
	}
	return nil
}

// canonicalizer by its algorithm; nil when it is not one that is allowed.
func canonicalizer(alg *etree.Element) dsig.Canonicalizer {
	prefixes := ""
	if p := only(alg, "http://www.w3.org/2001/10/xml-exc-c14n#", "InclusiveNamespaces"); p != nil {
		prefixes = strings.ReplaceAll(" "+p.SelectAttrValue("PrefixList", "")+" ", " #default ", "  ")
	}
	switch dsig.AlgorithmID(alg.SelectAttrValue("Algorithm", "")) {
	case dsig.CanonicalXML10ExclusiveAlgorithmId:
		return dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes)
	case dsig.CanonicalXML10ExclusiveWithCommentsAlgorithmId:
		return dsig.MakeC14N10ExclusiveWithCommentsCanonicalizerWithPrefixList(prefixes)
	case dsig.CanonicalXML10RecAlgorithmId:
		return dsig.MakeC14N10RecCanonicalizer()
	case dsig.CanonicalXML10WithCommentsAlgorithmId:
		return dsig.MakeC14N10WithCommentsCanonicalizer()
	case dsig.CanonicalXML11AlgorithmId:
		return dsig.MakeC14N11Canonicalizer()
	}
	return nil
}

// canonical is the canonical form of an element where it stands.
func canonical(e *etree.Element, c dsig.Canonicalizer) ([]byte, error) {
	ctx, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, unread(err)
	}
	alone, err := etreeutils.NSDetatch(ctx, e)
	if err != nil {
		return nil, unread(err)
	}
	out, err := c.Canonicalize(alone)
	if err != nil {
		return nil, unread(err)
	}
	return out, nil
}

// canonicalDocument is the canonical form of the whole document without the
// elements given: the root and, of the whole, the processing instructions
// around it.
func (d *document) canonicalDocument(c dsig.Canonicalizer, whole bool, without ...*etree.Element) ([]byte, error) {
	if d.work += d.weight; d.work > maxWork {
		return nil, words.Refuse("CSE-734", MaxSignatures).Because(errors.New("xml: too much work"))
	}
	paths := make([][]int, len(without))
	for i, e := range without {
		paths[i] = path(e)
	}
	root := d.root.Copy()
	for i := len(paths) - 1; i >= 0; i-- { // from the last, so that the others stay where they were
		e := root
		for _, n := range paths[i][:len(paths[i])-1] {
			e = e.Child[n].(*etree.Element)
		}
		e.RemoveChildAt(paths[i][len(paths[i])-1])
	}
	body, err := c.Canonicalize(root)
	if err != nil {
		return nil, unread(err)
	}
	var before, after []byte
	past := false
	for _, t := range d.tree.Child {
		switch x := t.(type) {
		case *etree.Element:
			past = true
		case *etree.ProcInst:
			if x.Target == "xml" || !whole {
				continue
			}
			pi := "<?" + x.Target
			if x.Inst != "" {
				pi += " " + x.Inst
			}
			if past {
				after = append(after, "\n"+pi+"?>"...)
			} else {
				before = append(before, pi+"?>\n"...)
			}
		}
	}
	return bytes.Join([][]byte{before, body, after}, nil), nil
}

// path is where an element stands below the root.
func path(e *etree.Element) []int {
	var out []int
	for p := e.Parent(); p != nil && p.Parent() != nil; e, p = p, p.Parent() {
		out = append([]int{e.Index()}, out...)
	}
	return out
}

// insertion is where a last child of the root goes in the octets of a document:
// at, and with what around when the root is an empty-element tag.
func insertion(in []byte) (at, end int, closing string, err error) {
	d := xml.NewDecoder(bytes.NewReader(in))
	d.CharsetReader = onlyUTF8
	depth := 0
	name := ""
	for {
		before := int(d.InputOffset())
		t, err := d.RawToken()
		if err != nil {
			return 0, 0, "", unread(err)
		}
		switch x := t.(type) {
		case xml.StartElement:
			if depth == 0 {
				name = x.Name.Local
				if x.Name.Space != "" {
					name = x.Name.Space + ":" + name
				}
			}
			depth++
		case xml.EndElement:
			if depth--; depth > 0 {
				continue
			}
			if int(d.InputOffset()) == before { // <root/>
				slash := bytes.LastIndexByte(in[:before], '/')
				return slash, before, "</" + name + ">", nil
			}
			return before, before, "", nil
		}
	}
}
