package ceremony

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
)

var approverName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$`)

const (
	purposeApprover = "ceremony approver"
	approvalHead    = "CSE ceremony approval 1"
	// LongestApproval is the longest life of an approval.
	LongestApproval = 30 * 24 * time.Hour
)

// NewApprover makes the Ed25519 key of one who approves, sealed at path, and
// gives the line that ceremony files name him by. The name stands in names of
// files: lower-case letters, digits, points and hyphens.
func NewApprover(rand io.Reader, path, name string, passphrase secret.Text) (string, error) {
	if !approverName.MatchString(name) {
		return "", words.Refuse("CSE-919", "name", name, "anna.bianchi").At("name")
	}
	private, public, err := note.GenerateKey(rand, name)
	if err != nil {
		return "", fmt.Errorf("ceremony: approver: %w", err)
	}
	return public, keys.Seal(rand, path, purposeApprover, []byte(private), passphrase)
}

// Approve writes an approval of the ceremony file c by the key at path, good for
// life from now, beside the file, and answers with its path. The approval names
// the digest of the file: one octet changed, and it is of another file.
func Approve(c *File, path string, passphrase secret.Text, now time.Time, life time.Duration) (string, error) {
	if life <= 0 || life > LongestApproval {
		return "", words.Refuse("CSE-919", "days", fmt.Sprintf("%g", life.Hours()/24), "1…30").At("days")
	}
	private, err := keys.Open(path, purposeApprover, passphrase)
	if err != nil {
		return "", err
	}
	defer clear(private)
	s, err := note.NewSigner(string(private))
	if err != nil {
		return "", words.Refuse("CSE-191", path).Because(err)
	}
	known, err := c.Approvals.verifiers()
	if err != nil {
		return "", err
	}
	if _, err := known.Verifier(s.Name(), s.KeyHash()); err != nil {
		return "", refused(fmt.Errorf("%s is not among the approvers of %s", s.Name(), c.name))
	}
	text := approval{file: c.Digest(), mode: c.Mode, from: now.UTC().Truncate(time.Second), until: now.Add(life).UTC().Truncate(time.Second)}.text()
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return "", fmt.Errorf("ceremony: approve: %w", err)
	}
	out := c.name + "." + s.Name() + approvalSuffix
	return out, replace(out, signed)
}

const approvalSuffix = ".approval"

// approval is what an approver signs.
type approval struct {
	file        string
	mode        Mode
	from, until time.Time
}

func (a approval) text() string {
	return fmt.Sprintf("%s\nfile %s\nmode %s\nfrom %s\nuntil %s\n", approvalHead, a.file, a.mode, a.from.Format(time.RFC3339), a.until.Format(time.RFC3339))
}

// parseApproval reads what text writes, and nothing else.
func parseApproval(text string) (approval, error) {
	var a approval
	lines := strings.Split(text, "\n")
	if len(lines) != 6 || lines[0] != approvalHead {
		return a, errors.New("not an approval")
	}
	values := make([]string, 4)
	for i, name := range []string{"file", "mode", "from", "until"} {
		v, ok := strings.CutPrefix(lines[i+1], name+" ")
		if !ok {
			return a, fmt.Errorf("not an approval: no %s", name)
		}
		values[i] = v
	}
	a.file, a.mode = values[0], Mode(values[1])
	var err, err2 error
	a.from, err = time.Parse(time.RFC3339, values[2])
	a.until, err2 = time.Parse(time.RFC3339, values[3])
	if err := errors.Join(err, err2); err != nil {
		return a, err
	}
	if a.text() != text {
		return a, errors.New("not an approval as it is written here")
	}
	return a, nil
}

func (a Approvals) verifiers() (note.Verifiers, error) {
	var list []note.Verifier
	for _, s := range a.Approvers {
		v, err := note.NewVerifier(s)
		if err != nil {
			return nil, fmt.Errorf("ceremony: approver: %w", err)
		}
		list = append(list, v)
	}
	return note.VerifierList(list...), nil
}

func refused(err error) error { return words.Refuse("CSE-920").Because(err) }

// approved looks whether the signed notes are the approvals of the file that are
// needed at now: of its digest, each by another of its approvers, none too early
// or too late. It answers with their names, or CSE-920 and what is the matter
// with each.
func (c *File) approved(notes [][]byte, now time.Time) ([]string, error) {
	known, err := c.Approvals.verifiers()
	if err != nil {
		return nil, err
	}
	var names []string
	var reasons []error
	for _, b := range notes {
		n, err := note.Open(b, known)
		if err != nil {
			reasons = append(reasons, fmt.Errorf("not signed by an approver of the file: %w", err))
			continue
		}
		who := n.Sigs[0].Name
		a, err := parseApproval(n.Text)
		switch {
		case err != nil:
			reasons = append(reasons, fmt.Errorf("%s: %w", who, err))
		case a.file != c.Digest() || a.mode != c.Mode:
			reasons = append(reasons, fmt.Errorf("%s approved another file: %s, this one is %s", who, a.file, c.Digest()))
		case now.Before(a.from):
			reasons = append(reasons, fmt.Errorf("%s approves from %s on, and it is %s: one of the clocks is wrong", who, a.from.Format(time.RFC3339), now.Format(time.RFC3339)))
		case now.After(a.until) || a.until.Sub(a.from) > LongestApproval:
			reasons = append(reasons, fmt.Errorf("the approval of %s ended at %s", who, a.until.Format(time.RFC3339)))
		case slices.Contains(names, who):
			reasons = append(reasons, fmt.Errorf("%s approved twice, and counts once", who))
		default:
			names = append(names, who)
		}
	}
	if len(names) < c.Approvals.Needed {
		return names, refused(errors.Join(append([]error{fmt.Errorf("%d of %d approvals count", len(names), c.Approvals.Needed)}, reasons...)...))
	}
	return names, nil
}

// approvals reads the approvals that lie beside the file.
func (c *File) approvals() ([][]byte, error) {
	dir, base := filepath.Split(c.name)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	var out [][]byte
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), base+".") || !strings.HasSuffix(e.Name(), approvalSuffix) || len(out) == 100 {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("ceremony: %w", err)
		}
		out = append(out, b)
	}
	return out, nil
}
