package foreign

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
)

// built makes our PKCS#11 module once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "cse-module")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "libcse-pkcs11.so")
	c := exec.Command("go", "build", "-buildmode=c-shared", "-o", path, "cse.example/cse/cmd/cse-pkcs11")
	c.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := c.CombinedOutput()
	if err != nil {
		_, _ = os.Stderr.Write(out)
	}
	return path, err
})

// withOurs has the programs at the desk load our module instead of OpenSC's.
func (d *desk) withOurs() *desk {
	d.t.Helper()
	path, err := built()
	if err != nil {
		d.t.Fatalf("build of the module: %v (apt-get install gcc libc6-dev)", err)
	}
	d.module = path
	return d
}

func TestModuleSelfTest(t *testing.T) {
	eachProfile(t, func(d *desk) {
		d.withOurs()
		out := d.run("pkcs11-tool", "--module", d.module, "--test", "--login", "--pin", holdertest.PIN)
		d.contains(out, "RSA-PKCS: OK", "SHA256-RSA-PKCS: OK", "No errors")
		d.contains(d.run("pkcs11-tool", "--module", d.module, "-L"), string(d.card.ID), "TS-CNS "+holdertest.CF)
		d.wantTries(3, 3)
	})
}

func TestModuleSignaturesVerifyWithOpenSSL(t *testing.T) {
	eachProfile(t, func(d *desk) { signAndVerify(d.withOurs()) })
}

func TestModuleCurl(t *testing.T) {
	eachVersion(t, func(d *desk, ca, welcome string) { curl(d.withOurs(), ca, welcome) })
}

func TestModuleOpenSSLClient(t *testing.T) {
	eachVersion(t, func(d *desk, ca, welcome string) { opensslClient(d.withOurs(), ca, welcome) })
}

func TestModuleGnuTLSClient(t *testing.T) {
	eachVersion(t, func(d *desk, ca, welcome string) { gnutlsClient(d.withOurs(), ca, welcome) })
}

func TestModuleNSS(t *testing.T) {
	eachProfile(t, func(d *desk) {
		d.withOurs()
		db := "sql:" + d.home
		pin := d.file("pin", []byte(holdertest.PIN+"\n"))
		d.run("certutil", "-N", "-d", db, "--empty-password")
		d.run("modutil", "-dbdir", db, "-add", "CSE", "-libfile", d.module, "-force")
		d.contains(d.run("certutil", "-K", "-d", db, "-h", "TS-CNS "+holdertest.CF, "-f", pin), "rsa", "CNS0")
	})
}

// "cse module install" makes p11-kit know the module, and with it GnuTLS and all
// that use it. As an ordinary user: p11-kit reads no settings of root's own. The
// card is a file, because polkit keeps strangers from the readers.
func TestModuleP11Kit(t *testing.T) {
	d := newDesk(t, cns.Neutral()).withOurs()
	const nobody = 65534
	library, err := os.ReadFile(d.module)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"libcse-pkcs11.so": library, "cse": nil} {
		if content == nil {
			if content, err = os.ReadFile(cse); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(d.home, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(d.home), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{d.home, d.card.Path} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	user := func(args ...string) string {
		return d.run("setpriv", append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", "env", "CSE_PKCS11_CARD=" + d.card.Path}, args...)...)
	}
	program := filepath.Join(d.home, "cse")
	user(program, "module", "install")
	d.contains(user("p11-kit", "list-modules"), "cse-pkcs11", "TS-CNS "+holdertest.CF)
	d.contains(user("p11tool", "--list-all", "pkcs11:serial="+string(d.card.ID)), "object=CNS0;type=cert", "object=CNS0;type=public")
	user(program, "module", "remove")
	if out := user("p11-kit", "list-modules"); strings.Contains(out, "cse-pkcs11") {
		t.Errorf("still there:\n%s", out)
	}
}

// Log-in and one signature through both modules on the same chip, in one run.
// The goal: a third of the exchanges, half the bytes.
func TestModuleNeedsAThirdOfTheAPDUs(t *testing.T) {
	for _, p := range profiles {
		t.Run(p.Name, func(t *testing.T) {
			d := insert(t, p)
			msg := d.file("message", []byte("one signature"))
			sign := func(module string) {
				d.run("pkcs11-tool", "--module", module, "--login", "--pin", holdertest.PIN, "-s", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", msg, "-o", filepath.Join(d.home, "sig"))
			}
			d.count.Zero()
			sign(module)
			theirs := d.count.Count()
			d.withOurs()
			d.count.Zero()
			sign(d.module)
			ours := d.count.Count()
			t.Logf("log-in and one signature: ours %+v, OpenSC %+v", ours, theirs)
			if ours.APDUs == 0 || ours.APDUs*3 > theirs.APDUs || (ours.Sent+ours.Received)*2 > theirs.Sent+theirs.Received {
				t.Errorf("ours %+v, OpenSC %+v; want a third of the exchanges and half the bytes", ours, theirs)
			}
		})
	}
}

func signAndVerify(d *desk) {
	d.t.Helper()
	msg := d.file("message", []byte("a message to sign"))
	cert := d.file("card.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.card.Leaf.Raw}))
	public := d.file("public.pem", []byte(d.run("openssl", "x509", "-in", cert, "-pubkey", "-noout")))
	for _, c := range []struct{ mechanism, hash, salt string }{
		{"SHA256-RSA-PKCS", "-sha256", ""},
		{"SHA384-RSA-PKCS", "-sha384", ""},
		{"SHA512-RSA-PKCS", "-sha512", ""},
		{"SHA256-RSA-PKCS-PSS", "-sha256", "32"},
		{"SHA384-RSA-PKCS-PSS", "-sha384", "48"},
		{"SHA512-RSA-PKCS-PSS", "-sha512", "64"},
	} {
		sig := filepath.Join(d.home, c.mechanism)
		d.run("pkcs11-tool", "--module", d.module, "--login", "--pin", holdertest.PIN, "-s", "-m", c.mechanism, "--id", "01", "-i", msg, "-o", sig)
		args := []string{"dgst", c.hash, "-verify", public}
		if c.salt != "" {
			args = append(args, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:"+c.salt)
		}
		d.contains(d.run("openssl", append(args, "-signature", sig, msg)...), "Verified OK")
	}
}
