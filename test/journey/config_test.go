package journey

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// configuration: a key that does not exist, a value of the wrong kind, a value
// in the environment; check-config and the server say the same.
func (j *journey) configuration(t *testing.T) {
	good := j.file(t, "good.yaml", []byte("data: "+filepath.Join(j.dir, "checked")+"\nlisten: 127.0.0.1:18443\n"))
	j.run(t, "", csed, "check-config", "--config", good).says(t, 0)
	for name, c := range map[string]struct{ yaml, code, particular string }{
		"unknown":       {"data: x\nlisten_tls: 127.0.0.1:8443\n", "CSE-381", "listen_tls"},
		"deep unknown":  {"mail:\n  sever: 127.0.0.1:25\n", "CSE-381", "sever"},
		"no address":    {"listen: 8443\n", "CSE-383", "listen"},
		"no such value": {"issue:\n  atr: \"9999\"\n", "CSE-383", "issue.atr"},
	} {
		file := j.file(t, "wrong.yaml", []byte(c.yaml))
		for _, command := range []string{"check-config", "serve", "fsck"} {
			o := j.run(t, "", csed, command, "--config", file)
			o.says(t, 2, c.code, c.particular)
			if t.Failed() {
				t.Fatalf("%s: %s", name, command)
			}
		}
	}
	j.run(t, "", csed, "check-config", "--config", filepath.Join(j.dir, "none.yaml")).says(t, 2, "CSE-380")
}

// foldersAndPorts: what the demonstration refuses before it begins.
func (j *journey) foldersAndPorts(t *testing.T) {
	free := []string{"--listen", "127.0.0.1:0", "--listen-plain", "127.0.0.1:0"}
	demo := func(data string, more ...string) outcome {
		t.Helper()
		return j.run(t, "", csed, append([]string{"demo", "--once", "--data", data}, more...)...)
	}
	// a file where a folder should be
	demo(j.file(t, "a-file", []byte("x")), free...).says(t, 1, "CSE-384")
	// a folder that is on a file system for reading only
	readonly := filepath.Join(j.dir, "readonly")
	ok(t, os.Mkdir(readonly, 0o700))
	ok(t, syscall.Mount(readonly, readonly, "", syscall.MS_BIND, ""))
	ok(t, syscall.Mount(readonly, readonly, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	demo(readonly, free...).says(t, 1, "CSE-384")
	config := j.file(t, "readonly.yaml", []byte("data: "+readonly+"\n"))
	j.run(t, "", csed, "check-config", "--config", config).says(t, 2, "CSE-384")
	ok(t, syscall.Unmount(readonly, 0))
	// somebody's folder
	theirs := filepath.Join(j.dir, "theirs")
	ok(t, os.Mkdir(theirs, 0o700))
	ok(t, os.WriteFile(filepath.Join(theirs, "thesis.odt"), []byte("years of work"), 0o600))
	demo(theirs, free...).says(t, 1, "CSE-385")
	if b, err := os.ReadFile(filepath.Join(theirs, "thesis.odt")); err != nil || string(b) != "years of work" {
		t.Errorf("somebody's file is gone: %v", err)
	}
	// the folder of the demonstration that is up
	demo(j.live.data, free...).says(t, 1, "CSE-386")
	// not on loopback
	demo(filepath.Join(j.dir, "open"), "--listen", "0.0.0.0:8443").says(t, 2, "CSE-395")
	// without --once a taken port is no reason to move
	o := j.run(t, "", csed, "demo", "--data", filepath.Join(j.dir, "second"), "--listen", liveTLS)
	o.says(t, 1, "CSE-370", liveTLS)
	o = j.run(t, "", csed, "demo", "--data", filepath.Join(j.dir, "second"), "--listen", "127.0.0.1:18443", "--listen-plain", livePlain)
	o.says(t, 1, "CSE-370", livePlain)
	if c, err := net.DialTimeout("tcp", "127.0.0.1:18443", time.Second); err == nil {
		_ = c.Close()
		t.Error("the port taken first stays taken")
	}
	if strings.Contains(o.stdout, "{") {
		t.Errorf("a result of a demonstration that did not begin: %s", o.stdout)
	}
}
