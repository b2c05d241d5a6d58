package keys

import (
	"bytes"
	"errors"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// ReadPassphrase joins the lines of files of one line each, mode 0600, in their
// order: where each custodian has a part, nobody has the whole. CSE-389 names the
// file that will not do.
func ReadPassphrase(paths ...string) (secret.Text, error) {
	var whole []byte
	defer func() { clear(whole) }()
	for _, p := range paths {
		b, err := readPrivate(p)
		if err != nil {
			return secret.Text{}, words.Refuse("CSE-389", p).Because(err)
		}
		part := bytes.TrimRight(b, "\r\n")
		if len(part) == 0 || bytes.ContainsAny(part, "\r\n") {
			return secret.Text{}, words.Refuse("CSE-389", p).Because(errors.New("one line is wanted"))
		}
		whole = append(whole, part...)
		clear(b)
	}
	return secret.New(whole), nil
}
