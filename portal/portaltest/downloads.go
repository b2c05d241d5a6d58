package portaltest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"
)

// Downloads is a folder as make packages leaves it, with invented contents: one
// file is not what the list says, one is not in the list, macOS is not there.
func Downloads() fs.FS {
	files := fstest.MapFS{}
	var sums strings.Builder
	for _, name := range []string{
		"cse-0.1.0-1.x86_64.rpm", "cse.cdx.json", "cse_0.1.0_amd64.deb", "cse_0.1.0_linux_arm64.tar.gz", "cse_0.1.0_windows_amd64.zip",
		"csed-0.1.0-1.x86_64.rpm", "csed_0.1.0_amd64.deb", "cse_0.1.0_darwin_arm64.tar.gz",
	} {
		data := []byte(strings.Repeat(name+"\n", 9000))
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), name)
		if strings.Contains(name, "darwin") {
			data[0]++
		}
		files[name] = &fstest.MapFile{Data: data, Mode: 0o644, ModTime: Now}
	}
	files["SHA256SUMS"] = &fstest.MapFile{Data: []byte(sums.String()), Mode: 0o644, ModTime: Now}
	files["secret.txt"] = &fstest.MapFile{Data: []byte("not in the list"), Mode: 0o644}
	return files
}
