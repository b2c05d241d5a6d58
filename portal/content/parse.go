package content

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"cse.example/cse/ground/words"
)

const fence = "---\n"

var (
	reRule = regexp.MustCompile(`^R(P?)[1-9][0-9]{0,2}$`)
	reID   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	rePath = regexp.MustCompile(`^(/[a-z0-9]+(-[a-z0-9]+)*)+$`)
)

// parse reads one file; name is its path, KIND/LANG/ID.md.
func parse(name string, b []byte) (*Article, error) {
	dir, file := path.Split(name)
	id, isMD := strings.CutSuffix(file, ".md")
	if !isMD || !reID.MatchString(id) {
		return nil, errors.New("a text is called ID.md, with small letters, digits and hyphens")
	}
	a := &Article{ID: id, Lang: words.Lang(path.Base(dir))}
	top, body, err := split(b)
	if err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(top))
	dec.KnownFields(true)
	if err := dec.Decode(&a.head); err != nil {
		return nil, fmt.Errorf("the head: %w", err)
	}
	if err := a.check(path.Dir(path.Clean(dir)) == "faq"); err != nil {
		return nil, err
	}
	if a.Body, err = newBody(body); err != nil {
		return nil, err
	}
	if a.Section != "" && a.Body.headings > 0 {
		return nil, errors.New("an answer has no headings of its own")
	}
	for i := range a.Dated {
		if a.Dated[i].Body, err = newBody([]byte(a.Dated[i].Text)); err != nil {
			return nil, fmt.Errorf("dated passage %d: %w", i+1, err)
		}
	}
	return a, nil
}

// split parts the head from the body.
func split(b []byte) (top, body []byte, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(fence))
	if !ok {
		return nil, nil, errors.New(`the first line is not "---"`)
	}
	top, body, ok = bytes.Cut(rest, []byte("\n"+fence))
	if !ok {
		return nil, nil, errors.New(`the head does not end with a line "---"`)
	}
	return top, body, nil
}

func (a *Article) check(question bool) error {
	m := reQuestion.FindStringSubmatch(a.ID)
	switch {
	case strings.TrimSpace(a.Title) == "" || a.Title != strings.TrimSpace(a.Title):
		return errors.New("no title, or one with spaces around it")
	case a.Article == "":
		return errors.New("no article number")
	case a.From.IsZero() || a.Updated.IsZero():
		return errors.New("valid_from and updated are needed, as 2026-01-31")
	case !a.Until.IsZero() && a.Until.Before(a.From):
		return errors.New("valid_until is before valid_from")
	case question && m == nil:
		return errors.New("a question is called a1…, b1…")
	case question && a.Section != map[string]string{"a": General, "b": Activation}[m[1]]:
		return fmt.Errorf("section %q does not go with %s", a.Section, a.ID)
	case question && a.Path != "":
		return errors.New("a question has no path of its own")
	case !question && a.Section != "":
		return errors.New("only questions have a section")
	case a.Path != "" && !rePath.MatchString(a.Path):
		return fmt.Errorf("path %q", a.Path)
	case question && len(a.Rules) == 0:
		return errors.New("no rule")
	}
	for i, r := range a.Rules {
		if !reRule.MatchString(r) || slices.Contains(a.Rules[:i], r) {
			return fmt.Errorf("rule %q is none, or is there twice", r)
		}
	}
	for i, d := range a.Dated {
		if d.From.IsZero() || d.Until.IsZero() || d.Until.Before(d.From) {
			return fmt.Errorf("dated passage %d needs valid_from and a later valid_until", i+1)
		}
	}
	return nil
}
