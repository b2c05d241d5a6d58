package foreignpki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
	"cse.example/cse/pki/status"
)

// A list in parts, as OpenSSL, GnuTLS and zlint see it: every part is well formed,
// signed and complete for its certificates, empty ones too; a certificate is judged by
// its own part and by no other.
func TestListsInParts(t *testing.T) {
	const shards = 5
	db := storetest.SQLite(t)
	a := catest.NewAt(t, time.Now().Add(-time.Minute), db, db.PKI(), func(p *ca.Parts) { p.Profile.Shards = shards })
	a.Hand.Set(time.Now())
	o := &office{Authority: a, db: db, dir: t.TempDir(), root: a.Material.RootFile}
	p, err := status.NewPublisher(status.PublisherParts{
		Issuer: a.Material.Issuing, Signer: a.Material.IssuingKey, Store: db.PKI(), Atomically: db.Atomically, Clock: a.Hand, Rand: rand.Reader,
		Dir: o.dir, URLs: profile.URLsAt(catest.Base), Shards: shards + 1, // the last stays empty
	})
	if err != nil {
		t.Fatal(err)
	}
	type card struct {
		pem, serial, says string
		shard             int
	}
	var cards []card
	want := map[int]int{}
	for n := range 12 {
		c := card{}
		c.serial, c.pem = o.issue(t, n)
		r, err := a.Get(t.Context(), c.serial)
		if err != nil {
			t.Fatal(err)
		}
		c.shard = r.Shard
		if n%4 > 0 {
			err = a.Activate(t.Context(), c.serial)
		}
		switch n % 4 {
		case 2:
			err = a.Hold(t.Context(), c.serial)
		case 3:
			err = a.Revoke(t.Context(), c.serial, ca.Superseded)
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.says = "certificate revoked"; n%4 == 1 {
			c.says = ": OK"
		} else {
			want[c.shard]++
		}
		cards = append(cards, c)
	}
	lists, err := p.Publish(t.Context())
	if err != nil || len(lists) != shards+1 {
		t.Fatal(len(lists), err)
	}
	root := o.rootList(t)
	pems := map[int]string{}
	for _, l := range lists {
		b, err := os.ReadFile(l.Path)
		if err != nil {
			t.Fatal(err)
		}
		pems[l.Shard] = o.file(t, fmt.Sprintf("part-%d.pem", l.Shard), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: b}))
		found, err := lint.RevocationList(b)
		if err != nil || len(found.Errors)+len(found.Warnings) != 0 {
			t.Errorf("part %d: zlint finds %v (%v)", l.Shard, found, err)
		}
		entries := "No Revoked Certificates"
		if want[l.Shard] > 0 {
			entries = "Serial Number: "
		}
		says(t, []string{"verify OK", "Issuing Distribution Point: critical", "Only User Certificates", fmt.Sprintf("/crl/issuing-%d.crl", l.Shard), entries},
			"openssl", "crl", "-inform", "DER", "-in", l.Path, "-CAfile", o.file(t, "top.pem", pemOf(a.Material.Issuing), pemOf(a.Material.Root)), "-noout", "-text")
		says(t, []string{"CRL Number"}, "certtool", "--crl-info", "--infile", pems[l.Shard])
		says(t, []string{"Verified"}, "certtool", "--verify-crl", "--load-ca-certificate", a.Material.IssuingFile, "--infile", pems[l.Shard])
	}
	verify := []string{"verify", "-x509_strict", "-crl_check_all", "-CAfile", o.root, "-untrusted", a.Material.IssuingFile, "-CRLfile", root}
	every := append([]string{}, verify...)
	for _, f := range pems {
		every = append(every, "-CRLfile", f)
	}
	for _, c := range cards {
		out, err := run(t, "openssl", append(every, c.pem)...)
		if !strings.Contains(out, c.says) || (err == nil) != (c.says == ": OK") {
			t.Errorf("card %s in part %d: %v\n%s", c.serial, c.shard, err, out)
		}
		// Another part says nothing of it.
		refuses(t, "different CRL scope", "openssl", append(append([]string{}, verify...), "-CRLfile", pems[(c.shard+1)%shards], c.pem)...)
	}
}

// rootList publishes the root's list and gives it in PEM.
func (o *office) rootList(t *testing.T) string {
	t.Helper()
	_, pems := o.publish(t)
	return pems[1]
}

// Lists that OpenSSL made, of random entries: our reader sees each of them, with its
// day and its reason, and believes the signature.
func TestOurReaderOnOpenSSLsLists(t *testing.T) {
	o := open(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	says(t, nil, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", filepath.Join(dir, "ca.key"),
		"-out", filepath.Join(dir, "ca.pem"), "-days", "3650", "-subj", "/C=IT/O=CSE/CN=openssl", "-addext", "keyUsage=critical,cRLSign,keyCertSign")
	reasons := map[string]int{"": 0, "keyCompromise": 1, "CACompromise": 2, "affiliationChanged": 3, "superseded": 4, "cessationOfOperation": 5, "certificateHold": 6}
	var names []string
	for name := range reasons {
		names = append(names, name)
	}
	r := mrand.New(mrand.NewPCG(11, 12))
	type entry struct {
		since  string
		reason int
	}
	for round, n := range []int{0, 1, 30, 700} {
		want := map[string]entry{}
		var index strings.Builder
		for range n {
			serial := make([]byte, 1+r.IntN(20))
			for i := range serial {
				serial[i] = byte(r.IntN(256))
			}
			serial[0] = serial[0]&0x7f | 1
			since := time.Now().Add(-time.Duration(1+r.IntN(1e8)) * time.Second).UTC().Format("060102150405Z")
			name := names[r.IntN(len(names))]
			key := strings.ToUpper(hex.EncodeToString(serial))
			if _, twice := want[key]; twice {
				continue
			}
			want[key] = entry{since, reasons[name]}
			mark := since
			if name != "" {
				mark += "," + name
			}
			fmt.Fprintf(&index, "R\t351231235959Z\t%s\t%s\tunknown\t/CN=%s\n", mark, key, key)
		}
		conf := file("conf", fmt.Sprintf("[ca]\ndefault_ca=d\n[d]\ndatabase=%s\ncrlnumber=%s\ndefault_md=sha384\ndefault_crl_days=30\ncrl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid\n",
			file("index.txt", index.String()), file("number", "0A\n")))
		list := filepath.Join(dir, fmt.Sprintf("list-%d.pem", round))
		says(t, nil, "openssl", "ca", "-gencrl", "-config", conf, "-cert", filepath.Join(dir, "ca.pem"), "-keyfile", filepath.Join(dir, "ca.key"), "-out", list)
		f, err := crl.OpenFile(list)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for e, err := range f.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			got++
			w := want[strings.ToUpper(hex.EncodeToString(e.Serial))]
			if e.Since.Format("060102150405Z") != w.since || e.Reason != w.reason {
				t.Errorf("%x: since %s, reason %d; want %+v", e.Serial, e.Since, e.Reason, w)
			}
		}
		if got != len(want) || f.Head.Number.Int64() != 10 {
			t.Errorf("%d entries of %d, number %s", got, len(want), f.Head.Number)
		}
		b, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(b)
		signer, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.CheckSignatureFrom(signer); err != nil {
			t.Error(err)
		}
		if f.CheckSignatureFrom(o.Material.Issuing) == nil {
			t.Error("another authority's list is believed")
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
