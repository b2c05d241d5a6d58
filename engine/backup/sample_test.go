package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
)

// sampleArchive is the inside of a whole archive, not sealed: for the fuzzer.
func sampleArchive() []byte {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	a := &Archive{tar: tar.NewWriter(zip)}
	for _, err := range []error{
		a.JSON(entryLabel, label{"s", "backup", "records"}), a.Bytes("files/a", []byte("a")), a.Bytes(entrySums, []byte(strings.Join(a.sums, ""))),
		a.tar.Close(), zip.Close(),
	} {
		if err != nil {
			panic(err) // in memory
		}
	}
	return b.Bytes()
}
