package registration

import (
	"bytes"
	"testing"
)

// Whatever stands in pkcs11.txt, only our block is taken out of it.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte(internal + stranger))
	f.Add(append([]byte(internal), block("/m.so")...))
	f.Add([]byte("\n\n\n"))
	f.Add([]byte("name=" + Name))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !bytes.Equal(bytes.Join(blocks(b), nil), b) {
			t.Fatal("blocks lose something")
		}
		rest := without(b)
		for _, x := range blocks(rest) {
			if _, ok := ours(x); ok {
				t.Fatalf("ours is left in %q", rest)
			}
		}
		if !bytes.Equal(without(append(bytes.Clone(rest), block("/m.so")...)), rest) && closed(rest) {
			t.Fatalf("install and remove change %q", rest)
		}
	})
}
