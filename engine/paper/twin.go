package paper

import "cse.example/cse/ground/words"

// BlockKind is what a part of a paper is.
type BlockKind string

// The kinds, as a page would write them down.
const (
	Heading    BlockKind = "heading"    // Text is the paper's title, Items its subtitle
	Section    BlockKind = "section"    // Text
	Fields     BlockKind = "fields"     // Pairs of label and value
	Paragraph  BlockKind = "paragraph"  // Text
	List       BlockKind = "list"       // Items
	Consent    BlockKind = "consent"    // Text, Given
	Signatures BlockKind = "signatures" // Items: who signs
)

// Block is one part of a paper's twin.
type Block struct {
	Kind  BlockKind
	Text  string
	Items []string
	Pairs [][2]string
	Given bool
}

// Twin says what Papers would print, as blocks for a page that a screen reader
// reads. Paper and twin come from the same drawing, so that they say the same,
// save the codes: the twin has no half of any code and needs none, and says
// where they are. The two copies of a module are one.
func (p *Press) Twin(lang words.Lang, parts ...Part) ([]Block, error) {
	s := p.sheet(lang, "paper.papers.title")
	s.twin = &[]Block{}
	for _, x := range parts {
		x.draw(s)
	}
	return *s.twin, s.err
}

// note writes a block down, when a twin is made.
func (s *sheet) note(b Block) {
	if s.twin != nil {
		*s.twin = append(*s.twin, b)
	}
}

// pairs are the labels and values that fields prints.
func pairs(list []string) [][2]string {
	var out [][2]string
	for i := 0; i+1 < len(list); i += 2 {
		if list[i+1] != "" {
			out = append(out, [2]string{list[i], list[i+1]})
		}
	}
	return out
}
