package foreign

import (
	"crypto/tls"
	"encoding/json"
	"strings"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/cmd/cse/agent/agenttest"
)

// Rule R3: nothing binds a card to a workstation. One and the same card logs in,
// one after the other and without any enrolment, through two middlewares of two
// different users (each with a home folder of his own): OpenSC under curl, and
// our own; and again through the first.
func TestOneCardTwoMiddlewares(t *testing.T) {
	d := insert(t, cns.Neutral())
	ca := d.serve(tls.VersionTLS13)
	welcome := "welcome " + d.card.Leaf.Subject.CommonName
	site := agenttest.New(t, 0)
	openSC := func() {
		d.home = t.TempDir() // nothing is remembered
		d.contains(d.run("curl", "--silent", "--show-error", "--cacert", ca, "--engine", "pkcs11",
			"--cert-type", "ENG", "--cert", object("cert"), "--key-type", "ENG", "--key", object("private"),
			"--resolve", host+":"+d.port+":127.0.0.1", "https://"+host+":"+d.port+"/"), welcome)
	}
	openSC()
	d.home = t.TempDir()
	ours, err := d.try(holdertest.PIN+"\n", cse, "--json", "--lang", "en", "--pin-fd", "0", "login",
		"--ca", d.file("web-ca.pem", site.RootPEM), site.URL("portal", "/tessera"))
	if err != nil {
		t.Fatalf("%v\n%s", err, ours)
	}
	var page struct{ Title string }
	if err := json.Unmarshal([]byte(ours[strings.IndexByte(ours, '{'):]), &page); err != nil || page.Title != "La mia tessera" {
		t.Fatalf("%+v, %v\n%s", page, err, ours)
	}
	openSC()
	d.wantTries(3, 3)
}
