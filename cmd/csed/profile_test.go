package main

import (
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
)

// A profile that one person wrote into the configuration issues nothing until a
// second one approved exactly that.
func TestTheProfileOfCertificatesNeedsTwo(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.officers(t)
	ctx := t.Context()
	n := 710_000
	issue := func(p *Platform) error {
		n++
		q := catest.Request(t, n)
		q.Expires = civil.Today(r.clock).AddYears(6)
		_, err := p.authority.Issue(ctx, q)
		return err
	}
	first := r.open(t, Options{Duties: []string{}}, "web")
	check(t, issue(first))
	if got := records(t, first, "profile.adopted"); len(got) != 1 {
		t.Fatalf("adopted %d times", len(got))
	}
	check(t, issue(first))

	r.config.Issue.PolicyText = "Un altro testo."
	p := r.open(t, Options{Duties: []string{}}, "web")
	refusedWith(t, "issue under a profile of one", issue(p), "CSE-936")
	check(t, issue(first)) // what was agreed goes on
	marta := operatorOf(t, p, "marta")
	refusedWith(t, "asked", p.changeProfile(ctx, marta, profile.FirstLabel, "nuovo testo"), "CSE-937")
	refusedWith(t, "asked again", p.changeProfile(ctx, marta, profile.FirstLabel, "nuovo testo"), "CSE-937")
	refusedWith(t, "no such authority", p.changeProfile(ctx, marta, "altra", "nuovo testo"), "CSE-925")
	p.decide(t, "carla")

	r.config.Issue.PolicyText = "Un terzo testo."
	third := r.open(t, Options{Duties: []string{}}, "web")
	refusedWith(t, "another than was approved", third.changeProfile(ctx, marta, profile.FirstLabel, "nuovo testo"), "CSE-937")

	check(t, p.changeProfile(ctx, marta, profile.FirstLabel, "nuovo testo"))
	check(t, p.changeProfile(ctx, marta, profile.FirstLabel, "nuovo testo")) // nothing more to do
	check(t, issue(p))
	refusedWith(t, "the profile of before", issue(first), "CSE-936")
	got := records(t, p, "profile.changed")
	content, err := p.branches.labelled(profile.FirstLabel).sheet.Content()
	if err != nil || len(got) != 1 || got[0].Actor != "marta" || got[0].Detail["sha256"] != ca.Fingerprint(content) {
		t.Errorf("%+v (%v)", got, err)
	}
}
