package registration

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
)

// internal is the block that NSS writes into every database.
const internal = "library=\nname=NSS Internal PKCS #11 Module\nparameters=configdir='sql:.' certPrefix='' keyPrefix='' secmod='secmod.db' flags= \n" +
	"NSS=Flags=internal,critical trustOrder=75 cipherOrder=100 slotParams=(1={slotFlags=[RSA] askpw=any timeout=30})\n\n"

const stranger = "library=/usr/lib/opensc-pkcs11.so\nname=OpenSC\n\n"

func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// tree is every file and folder below dir, with its content.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		b.WriteString("== " + path + "\n")
		if d.Type().IsRegular() {
			x, err := os.ReadFile(path)
			b.Write(x)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// homes are the folders people have: after install and remove each is what it was.
var homes = map[string]map[string]string{
	"new":      {},
	"chromium": {".pki/nssdb/pkcs11.txt": internal, ".pki/nssdb/cert9.db": "x"},
	"firefox": {
		".mozilla/firefox/profiles.ini":                  "[General]\n",
		".mozilla/firefox/abcd.default-esr/cert9.db":     "x",
		".mozilla/firefox/abcd.default-esr/pkcs11.txt":   internal + stranger,
		".config/mozilla/firefox/wxyz.default/prefs.js":  "",
		".thunderbird/mnop.default/times.json":           "{}",
		".config/pkcs11/modules/other.module":            "module: x.so\n",
		".mozilla/firefox/Crash Reports/InstallTime2026": "1",
	},
	"odd": {".pki/nssdb/pkcs11.txt": strings.TrimRight(internal, "\n") + "\n\n"},
}

func TestInstallStatusRemove(t *testing.T) {
	places := map[string]int{"new": 2, "chromium": 2, "firefox": 5, "odd": 2}
	for name, files := range homes {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			lay(t, home, files)
			module := filepath.Join(t.TempDir(), "libcse-pkcs11.so")
			lay(t, filepath.Dir(module), map[string]string{"libcse-pkcs11.so": "x", "newer.so": "x"})
			w := World{Home: home}
			before := tree(t, home)
			want := func(state State) {
				t.Helper()
				list, err := w.Status(module)
				if err != nil || len(list) != places[name] {
					t.Fatalf("%+v, %v", list, err)
				}
				for _, p := range list {
					if p.State != state {
						t.Errorf("%+v, want %s", p, state)
					}
				}
			}
			want(Absent)
			if err := w.Install(module); err != nil {
				t.Fatal(err)
			}
			want(Registered)
			once := tree(t, home)
			if err := w.Install(module); err != nil {
				t.Fatal(err)
			}
			if tree(t, home) != once {
				t.Fatal("installed twice, and something changed")
			}
			if err := w.Install(filepath.Join(filepath.Dir(module), "newer.so")); err != nil {
				t.Fatal(err)
			}
			want(Other)
			if n := strings.Count(tree(t, home), "name="+Name); n != places[name]-1 {
				t.Fatalf("%d entries in NSS databases", n)
			}
			if err := w.Remove(); err != nil {
				t.Fatal(err)
			}
			want(Absent)
			if after := tree(t, home); after != before {
				t.Fatalf("something was left behind\n%s\nbefore\n%s", after, before)
			}
			if err := w.Remove(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestSystem(t *testing.T) {
	const others = `{"policies": {"DisableTelemetry": true, "SecurityDevices": {"Add": {"Other": "/o.so"}}, "Number": 12345678901234567890}}`
	for name, files := range map[string]map[string]string{
		"new":    {},
		"others": {"etc/firefox/policies/policies.json": others},
		"empty":  {"etc/firefox/policies/policies.json": `{"policies": {}}`},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			lay(t, root, files)
			module := filepath.Join(root, "m.so")
			lay(t, root, map[string]string{"m.so": "x"})
			w := World{Root: root, System: true}
			if err := w.Install(module); err != nil {
				t.Fatal(err)
			}
			list, err := w.Status(module)
			if err != nil || len(list) != 2 || list[0].State != Registered || list[1].State != Registered {
				t.Fatalf("%+v, %v", list, err)
			}
			if name == "others" {
				if b := tree(t, root); !strings.Contains(b, "/o.so") || !strings.Contains(b, "12345678901234567890") || !strings.Contains(b, "DisableTelemetry") {
					t.Fatalf("a policy of others is gone\n%s", b)
				}
			}
			if err := w.Remove(); err != nil {
				t.Fatal(err)
			}
			left := tree(t, root)
			if strings.Contains(left, Name) || name == "new" && strings.Contains(left, "etc/") || name == "others" && !strings.Contains(left, "/o.so") {
				t.Fatalf("after removal\n%s", left)
			}
		})
	}
}

// A policy file that is no JSON is not touched.
func TestBrokenPolicies(t *testing.T) {
	root := t.TempDir()
	lay(t, root, map[string]string{"etc/firefox/policies/policies.json": "{", "m.so": "x"})
	err := World{Root: root, System: true}.Install(filepath.Join(root, "m.so"))
	if f := words.FaultOf(err); f == nil || f.Code != "CSE-703" {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(filepath.Join(root, "etc/firefox/policies/policies.json")); string(b) != "{" {
		t.Fatalf("%q", b)
	}
}

func TestSandboxes(t *testing.T) {
	home := t.TempDir()
	lay(t, home, map[string]string{"snap/firefox/common/x": "", ".var/app/org.mozilla.firefox/x": ""})
	list, err := World{Home: home}.Status("")
	if err != nil {
		t.Fatal(err)
	}
	var n int
	for _, p := range list {
		if p.State == Sandboxed {
			n++
		}
	}
	if n != 2 {
		t.Fatalf("%+v", list)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{"bin/cse": "", "lib/libcse-pkcs11.so": ""})
	if got, err := Find("", filepath.Join(dir, "bin/cse")); err != nil || got != filepath.Join(dir, "lib/libcse-pkcs11.so") {
		t.Fatal(got, err)
	}
	if _, err := Find(filepath.Join(dir, "none.so"), ""); words.FaultOf(err) == nil || words.FaultOf(err).Code != "CSE-702" {
		t.Fatal(err)
	}
}
