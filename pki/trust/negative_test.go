package trust_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"cse.example/cse/pki/trust"
	"cse.example/cse/pki/trust/path"
	"cse.example/cse/pki/trust/trusttest"
)

// R4, R9, R15: every known way past a verifier of client certificates is shut, by
// the reason that it is shut for; without the one fault the same thing opens. The
// responder is asked only about a certificate whose chain is proved.
func TestR9_NegativeGenerator(t *testing.T) {
	anchors, cases := trusttest.Make(t, now)
	rows := map[string]int{}
	for _, c := range cases {
		rows[c.Row]++
		t.Run(c.Row+"/"+c.Name, func(t *testing.T) {
			_, err := judge(t, anchors, c.Twin)
			if err != nil {
				t.Errorf("the twin: %v", err)
			}
			asked, err := judge(t, anchors, c.Bad)
			if got := trust.ReasonOf(err); got != c.Want {
				t.Errorf("got %v, want %q", err, c.Want)
			}
			if asked != 0 && c.Want < trust.NotActivated {
				t.Errorf("asked %d times about a certificate that is not believed", asked)
			}
			if c.Path != "" && (c.Want == trust.UntrustedIssuer || c.Want == trust.IssuerExpired) && string(path.ReasonOf(err)) != c.Path {
				t.Errorf("the path says %q, want %q", path.ReasonOf(err), c.Path)
			}
		})
	}
	for _, row := range []string{
		"non-critical KU bypass", "CRL-DP SSRF before trust", "CN regex confusion", "CA with equal CN", "name constraints", "policy OID on CA only", "expired CRL",
		"OCSP replay", "indirect CRL", "delegated responder w/o EKU", "unknown critical extension", "1024-bit/e=3", "signed by a signature CA of the same TSP",
	} {
		if rows[row] == 0 {
			t.Errorf("no case for %q", row)
		}
	}
	t.Logf("%d cases", len(cases))
}

func judge(t *testing.T, anchors []*x509.Certificate, s trusttest.Sample) (asked int, err error) {
	t.Helper()
	clock := func() time.Time { return now }
	var lists []*x509.RevocationList
	for _, der := range s.Lists {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, l)
	}
	v := trust.Verifier{Anchors: anchors}
	switch {
	case len(s.Answers) > 0:
		ask := func(context.Context, string, []byte) ([]byte, error) { asked++; return s.Answers[0], nil }
		v.Revocation = []trust.Revocation{trust.Responder{Ask: ask, Now: clock, Lists: lists}}
	case len(s.Lists) > 0:
		v.Revocation = []trust.Revocation{trust.Lists{All: lists, Signers: s.Offered, Anchors: anchors, Now: clock}}
	default:
		_, err = v.Check(s.Leaf, s.Offered, now)
		return 0, err
	}
	_, err = v.Verify(t.Context(), s.Leaf, s.Offered, now)
	return asked, err
}
