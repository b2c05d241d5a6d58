package content

import (
	"errors"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// Body is a parsed text. It holds no HTML: Text and HTML are written from its
// tree, node by node, and a node that is not listed there is refused by Load.
type Body struct {
	source   []byte
	root     ast.Node
	headings int
	links    []string
}

// Fill is what placeholders stand for: {phone}, {hours}, {region}.
type Fill struct {
	Phone, Hours, Region string
	// Prefix goes before every address ("", "/it", "/en").
	Prefix string
}

// reEscape finds what CommonMark would turn into another character.
var reEscape = regexp.MustCompile(`\\|&[#0-9A-Za-z]+;|\x00`)

var rePlace = regexp.MustCompile(`\{[^}]*\}`)

func (f Fill) say(s string) string {
	return rePlace.ReplaceAllStringFunc(s, func(p string) string {
		switch p {
		case "{phone}":
			return f.Phone
		case "{hours}":
			return f.Hours
		case "{region}":
			return f.Region
		}
		return p // newBody has refused it
	})
}

func newBody(source []byte) (Body, error) {
	if !utf8.Valid(source) {
		return Body{}, errors.New("not UTF-8")
	}
	b := Body{source: source}
	b.root = goldmark.DefaultParser().Parse(text.NewReader(source))
	if b.root.ChildCount() == 0 {
		return Body{}, errors.New("the text is empty")
	}
	err := ast.Walk(b.root, func(n ast.Node, in bool) (ast.WalkStatus, error) {
		if !in {
			return ast.WalkContinue, nil
		}
		return ast.WalkContinue, b.admit(n)
	})
	if err != nil {
		return Body{}, err
	}
	return b, nil
}

// admit refuses what the pages do not show.
func (b *Body) admit(n ast.Node) error {
	switch n := n.(type) {
	case *ast.Document, *ast.Paragraph, *ast.TextBlock, *ast.List, *ast.ListItem, *ast.Emphasis, *ast.CodeSpan, *ast.String, *ast.FencedCodeBlock:
	case *ast.Heading:
		b.headings++
		if n.Level != 2 && n.Level != 3 {
			return errors.New("headings are of level 2 or 3: the title is the page's first")
		}
	case *ast.Text:
		if reEscape.Match(n.Value(b.source)) {
			return fmt.Errorf("%q: write the character itself", n.Value(b.source))
		}
		for _, p := range rePlace.FindAllString(string(n.Value(b.source)), -1) {
			if p != "{phone}" && p != "{hours}" && p != "{region}" {
				return fmt.Errorf("nobody fills %s", p)
			}
		}
	case *ast.Link:
		to := string(n.Destination)
		address, _, _ := strings.Cut(to, "#")
		if len(n.Title) > 0 {
			return fmt.Errorf("link to %q: a title is not shown", to)
		}
		if address != "/" && !rePath.MatchString(address) {
			return fmt.Errorf("link to %q: only addresses of this site, as /contatti", to)
		}
		b.links = append(b.links, to)
	default:
		return fmt.Errorf("%s is not admitted in a text", n.Kind())
	}
	return nil
}

// Links are the addresses to which the text leads.
func (b Body) Links() []string { return b.links }

// HTML writes the text. down is added to the level of its headings.
func (b Body) HTML(f Fill, down int) template.HTML {
	w := writer{source: b.source, fill: f, down: down}
	w.children(b.root)
	return template.HTML(w.out.String()) //nolint:gosec // written node by node below, every text and address escaped
}

// Text is the plain text, one block a line; for searching and measuring.
func (b Body) Text(f Fill) string {
	w := writer{source: b.source, fill: f, plain: true}
	w.children(b.root)
	return strings.TrimSpace(w.out.String())
}

type writer struct {
	out    strings.Builder
	source []byte
	fill   Fill
	down   int
	plain  bool
}

func (w *writer) children(n ast.Node) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		w.node(c)
	}
}

// tag writes an element around the children of n.
func (w *writer) tag(n ast.Node, name, attributes string) {
	if !w.plain {
		w.out.WriteString("<" + name + attributes + ">")
	}
	w.children(n)
	if !w.plain {
		w.out.WriteString("</" + name + ">")
	}
}

// block is tag with a line of its own.
func (w *writer) block(n ast.Node, name, attributes string) {
	w.tag(n, name, attributes)
	w.out.WriteByte('\n')
}

func (w *writer) text(s string) {
	if !w.plain {
		s = html.EscapeString(s)
	}
	w.out.WriteString(s)
}

func (w *writer) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.Paragraph:
		w.block(n, "p", "")
	case *ast.TextBlock: // the line of a tight list
		w.children(n)
		if n.NextSibling() != nil {
			w.out.WriteByte('\n')
		}
	case *ast.Heading:
		w.block(n, fmt.Sprintf("h%d", n.Level+w.down), "")
	case *ast.List:
		w.list(n)
	case *ast.ListItem:
		w.block(n, "li", "")
	case *ast.Emphasis:
		w.tag(n, map[bool]string{false: "em", true: "strong"}[n.Level == 2], "")
	case *ast.CodeSpan:
		w.tag(n, "code", ` class="cse-mono"`)
	case *ast.FencedCodeBlock:
		w.code(n)
	case *ast.Link:
		w.tag(n, "a", ` href="`+html.EscapeString(w.fill.Prefix+string(n.Destination))+`"`)
	case *ast.Text:
		w.text(w.fill.say(string(n.Value(w.source))))
		if n.SoftLineBreak() || n.HardLineBreak() {
			w.out.WriteByte(' ')
		}
	case *ast.String:
		w.text(w.fill.say(string(n.Value)))
	}
}

func (w *writer) list(n *ast.List) {
	if !n.IsOrdered() {
		w.block(n, "ul", "")
		return
	}
	start := ""
	if n.Start != 1 {
		start = fmt.Sprintf(` start="%d"`, n.Start)
	}
	w.block(n, "ol", start)
}

func (w *writer) code(n *ast.FencedCodeBlock) {
	if !w.plain {
		w.out.WriteString(`<pre class="cse-letter"><code>`)
	}
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		w.text(string(line.Value(w.source)))
	}
	if !w.plain {
		w.out.WriteString("</code></pre>\n")
	}
}
