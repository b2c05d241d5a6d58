//go:build cgo

package hsm

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// pin reads the file of the PIN.
func (c Config) pin() (secret.Text, error) {
	st, err := os.Stat(c.PINFile)
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-917", c.Token).Because(err)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return secret.Text{}, words.Refuse("CSE-192", c.PINFile).Because(fmt.Errorf("mode %04o", st.Mode().Perm()))
	}
	b, err := os.ReadFile(c.PINFile)
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-917", c.Token).Because(err)
	}
	defer clear(b)
	line := strings.TrimRight(string(b), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n\x00") {
		return secret.Text{}, words.Refuse("CSE-917", c.Token).Because(errors.New("the PIN file has not one line"))
	}
	return secret.FromString(line), nil
}
