package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/eligibility"
)

// Every address of the programs' host × a program without certificate, with a key
// nobody knows, with one whose certificate is over: each is refused, and each refusal
// is in the trail, some sixty in an hour.
func TestR92_ProgramsThatAreRefusedAreRecorded(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	known := own(t, key)
	leaf, err := x509.ParseCertificate(known.Certificate[0])
	check(t, err)
	r.config.Providers = []eligibility.Client{{ID: "osp", Name: "Ospedale", Region: "Lazio", Key: eligibility.KeyOf(leaf), Daily: 3, Purposes: []eligibility.Purpose{eligibility.Care}}}
	p := r.serve(t, "web")
	host := hostname(p.Config.Public.API)
	ask := func(path string, pair *tls.Certificate) int {
		t.Helper()
		c := tls.Config{RootCAs: p.webCA.Pool(), ServerName: host}
		if pair != nil {
			c.Certificates = []tls.Certificate{*pair}
		}
		client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &c, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", p.ports.TLS().String())
		}}}
		defer client.CloseIdleConnections()
		rq, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+host+path, bytes.NewReader([]byte(`{"who":"RSSMRA85T10A562S","purpose":"care"}`)))
		check(t, err)
		rq.Header.Set("Content-Type", "application/json")
		w, err := client.Do(rq)
		check(t, err)
		check(t, w.Body.Close())
		return w.StatusCode
	}
	newest := func() audit.Record {
		t.Helper()
		list, err := p.trail.Search(t.Context(), audit.Search{Actor: "machine", Limit: 1})
		check(t, err)
		if len(list) == 0 {
			return audit.Record{}
		}
		return list[0]
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	stranger := own(t, other)
	for path, codes := range map[string][2]string{
		"/v1/eligibility": {"CSE-671", "CSE-672"}, "/v1/desk/next": {"CSE-473", "CSE-473"}, "/v1/desk/pieces": {"CSE-473", "CSE-473"}, "/v1/desk/done": {"CSE-473", "CSE-473"},
	} {
		for i, pair := range []*tls.Certificate{nil, &stranger} {
			before := newest().Index
			status := ask(path, pair)
			x := newest()
			if status != http.StatusForbidden && status != http.StatusUnauthorized || x.Index <= before || x.Act != "access.refused" || x.Detail["code"] != codes[i] || (x.Detail["key"] != "") != (pair != nil) {
				t.Errorf("%s by a program with %d certificates: %d; recorded: %+v, want %s", path, i, status, x, codes[i])
			}
		}
	}
	before := newest().Index
	r.clock.Advance(2 * time.Hour) // the certificate lasts an hour
	if status := ask("/v1/eligibility", &known); status < 400 || newest().Index <= before || newest().Detail["code"] != "CSE-673" {
		t.Errorf("a certificate that is over: %d; recorded: %+v", status, newest())
	}
	for range 70 {
		p.refusedMachine("POST /v1/eligibility", nil, words.Refuse("CSE-671"))
	}
	list, err := p.trail.Search(t.Context(), audit.Search{Actor: "machine", Limit: 1000})
	check(t, err)
	if len(list) != 8+60 {
		t.Errorf("%d refusals are written, want 8 of the first hour and 60 of the third", len(list))
	}
	r.clock.Advance(time.Hour)
	p.refusedMachine("POST /v1/eligibility", nil, words.Refuse("CSE-671"))
	if x := newest(); x.Detail["others"] != "11" {
		t.Errorf("those not written: %+v", x.Detail)
	}
}
