package signature

import (
	"context"
	"testing"

	"cse.example/cse/signature/signtest"
)

// BenchmarkVerify measures the whole answer: reading, digest, signature, path,
// revocation from memory, and for PDF the comparison of revisions.
func BenchmarkVerify(b *testing.B) {
	ca := signtest.NewAuthority(b, "CA di prova")
	v := believing(ca, good)
	s := signer(ca.CNS(b, nil))
	for _, c := range []struct {
		name string
		f    Format
		in   []byte
	}{{"CAdES", CAdES, make([]byte, 1<<20)}, {"PAdES", PAdES, pdf(b)}, {"XAdES", XAdES, []byte("<a>Chiedo il rimborso</a>")}} {
		out := must[Signed](b)(s.Sign(context.Background(), c.in, Wish{Format: c.f}))
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(out.Data)))
			for b.Loop() {
				if r, err := v.Verify(context.Background(), out.Data, nil); err != nil || r.Verdict != Valid {
					b.Fatal(r.Verdict, err)
				}
			}
		})
	}
}
