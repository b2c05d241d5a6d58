package main

import (
	"encoding/base32"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"

	"go.yaml.in/yaml/v3"

	"cse.example/cse/ground/secret"
)

// descriptor hands out a duplicate of f's descriptor, for a command that closes it.
func descriptor(t *testing.T, f *os.File) string {
	t.Helper()
	n, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(n)
}

// hashed runs `csed operator hash` with a password in a pipe and the secret into a
// file.
func hashed(t *testing.T, data, password string) (code int, lines, messages, address string) {
	t.Helper()
	in, give, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.CreateTemp(t.TempDir(), "secret") // not a pipe: the command may end before it writes
	if err != nil {
		t.Fatal(err)
	}
	if _, err := give.WriteString(password); err != nil {
		t.Fatal(err)
	}
	if err := give.Close(); err != nil {
		t.Fatal(err)
	}
	config := written(t, "data: "+data+"\n")
	code, lines, messages = said(t, nil, "operator", "hash", "anna", "--config", config, "--fd", descriptor(t, in), "--totp-fd", descriptor(t, out))
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = in.Close(), out.Close() // read to the end
	return code, lines, messages, string(b)
}

func TestOperatorHash(t *testing.T) {
	r := newRegion(t)
	code, lines, messages, address := hashed(t, r.config.Data, "quattro parole a caso\n")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, messages)
	}
	if !strings.HasPrefix(address, "otpauth://totp/CSE:anna?secret=") || strings.Count(address, "\n") != 1 {
		t.Errorf("no otpauth address on its descriptor, but %d octets", len(address))
	}
	if strings.Contains(lines+messages, "otpauth") || strings.Contains(lines+messages, "parole") {
		t.Error("a secret is among the lines to be kept")
	}
	var a staff.Account
	if err := yaml.Unmarshal([]byte(lines), &a); err != nil {
		t.Fatal(err)
	}
	a.Account, a.Name, a.CF, a.Roles, a.Offices = "anna", "Anna", r.config.Operators[0].CF, r.config.Operators[0].Roles, r.config.Operators[0].Offices
	r.config.Operators = []staff.Account{a}
	p := r.open(t, Options{}, "web")
	try := func(password string) error {
		_, err := p.proofs.Authenticate(t.Context(), staff.Try{Account: "anna", Password: secret.FromString(password), Code: staff.TOTP(totpOf(t, address), r.clock.Now())}, r.clock.Now())
		return err
	}
	if err := try("quattro parole a cas"); err == nil {
		t.Error("a wrong password opens")
	}
	r.clock.Advance(time.Minute) // wrong tries cost time
	if err := try("quattro parole a caso"); err != nil {
		t.Errorf("the operator cannot log in: %v", err)
	}
}

func TestOperatorHashRefuses(t *testing.T) {
	r := newRegion(t)
	for name, password := range map[string]string{"short": "undici char\n", "empty": "\n", "nothing": ""} {
		code, lines, messages, address := hashed(t, r.config.Data, password)
		if code != 1 || !strings.Contains(messages, "CSE-398") || lines != "" || address != "" {
			t.Errorf("%s: exit %d, %q, %q", name, code, lines, messages)
		}
	}
	if code, _, messages, _ := hashed(t, t.TempDir(), "quattro parole a caso\n"); code != 1 || !strings.Contains(messages, "CSE-389") {
		t.Errorf("without keys: exit %d: %s", code, messages)
	}
	config := written(t, "data: "+r.config.Data+"\n")
	if code, _, messages := said(t, nil, "operator", "hash", "anna", "a password", "--config", config); code != 1 || strings.Contains(messages, "a password\"") {
		t.Errorf("a password on the command line: exit %d: %s", code, messages)
	}
}

// totpOf is the secret of an otpauth address.
func totpOf(t *testing.T, address string) secret.Text {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil {
		t.Fatal(err)
	}
	return secret.New(b)
}
