package agent

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// document is what the agent understands of a page.
type document struct {
	title string
	// cns is the address of the first <a> or <link> with rel="cns".
	cns string
}

// parse reads title and card link. It accepts any bytes: what is not HTML has
// neither.
func parse(page []byte) document {
	var d document
	inTitle := false
	for z := html.NewTokenizer(bytes.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			d.title = strings.Join(strings.Fields(d.title), " ")
			return d
		case html.TextToken:
			if inTitle {
				d.title += string(z.Text())
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "title" {
				inTitle = false
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			inTitle = t.Data == "title" && d.title == ""
			if d.cns == "" && (t.Data == "a" || t.Data == "link") {
				d.cns = cardLink(t)
			}
		}
	}
}

// cardLink is the href of an element whose rel has the word cns.
func cardLink(t html.Token) string {
	var rel, href string
	for _, attr := range t.Attr {
		switch attr.Key {
		case "rel":
			rel = attr.Val
		case "href":
			href = strings.TrimSpace(attr.Val)
		}
	}
	if slices.Contains(strings.Fields(strings.ToLower(rel)), "cns") {
		return href
	}
	return ""
}
