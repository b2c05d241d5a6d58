package keys

import (
	"bytes"
	"errors"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// ReadPassphrase reads a passphrase from files of one line each, mode 0600: the
// lines joined in their order, so that each custodian has a part; or, where they
// are shares (Share), any of them that are enough. CSE-389 names the file that
// will not do.
func ReadPassphrase(paths ...string) (secret.Text, error) {
	var lines [][]byte
	defer func() {
		for _, l := range lines {
			clear(l)
		}
	}()
	shares := 0
	for _, p := range paths {
		b, err := readPrivate(p)
		if err != nil {
			return secret.Text{}, words.Refuse("CSE-389", p).Because(err)
		}
		line := bytes.TrimRight(b, "\r\n")
		lines = append(lines, line)
		if len(line) == 0 || bytes.ContainsAny(line, "\r\n") {
			return secret.Text{}, words.Refuse("CSE-389", p).Because(errors.New("one line is wanted"))
		}
		if isShare(line) {
			shares++
		}
	}
	if shares == 0 {
		whole := bytes.Join(lines, nil)
		defer clear(whole)
		return secret.New(whole), nil
	}
	s, err := join(lines)
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-389", paths[0]).Because(err)
	}
	return s, nil
}

// KeepPassphrase writes a passphrase, or a share of one, to a new file of one
// line, mode 0600 (CSE-193 where there is one).
func KeepPassphrase(path string, s secret.Text) error {
	b := append(s.Reveal(), '\n')
	defer clear(b)
	return writeNew(path, b)
}
