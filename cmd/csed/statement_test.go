package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
)

// stateIn is the text in one language.
func stateIn(t *testing.T, p *Platform, lang words.Lang) string {
	t.Helper()
	s, err := p.statement(lang)
	check(t, err)
	var b strings.Builder
	check(t, s.write(&b))
	return b.String()
}

// The statement has RFC 3647's outline in both languages, says what is configured,
// and says openly what only people can write.
func TestThePracticeStatementFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p, err := r.tryOpen(t.Context(), Options{Duties: []string{}}, "web")
	check(t, err)
	sections := regexp.MustCompile(`(?m)^#{2,3} (\d(?:\.\d+)?)`)
	marked := map[words.Lang]*regexp.Regexp{words.Italian: regexp.MustCompile(`(?m)^> \*\*Da scrivere, (Regione|legale): `), words.English: regexp.MustCompile(`(?m)^> \*\*To be written, (Region|lawyer): `)}
	var numbers [2][]string
	for i, lang := range []words.Lang{words.Italian, words.English} {
		text := stateIn(t, p, lang)
		for _, m := range sections.FindAllStringSubmatch(text, -1) {
			numbers[i] = append(numbers[i], m[1])
		}
		for chapter := range 9 {
			if !slices.Contains(numbers[i], string(rune('1'+chapter))) {
				t.Errorf("%s: chapter %d is missing", lang, chapter+1)
			}
		}
		open := len(marked[lang].FindAllString(text, -1))
		if open < 12 || strings.Count(text, "\n- Da scrivere, ")+strings.Count(text, "\n- To be written, ") != open || strings.Contains(text, "<no value>") || strings.Contains(text, "⟦") || strings.Contains(text, "%!") {
			t.Errorf("%s: %d points are open\n%s", lang, open, text)
		}
		for _, want := range []string{
			"1.3.76.16.2.1", p.material.Issuing.Subject.CommonName, p.material.Root.Subject.CommonName, "Regione Esempio", "RSA 2048", "http://pki.cse.localhost",
			"keyCompromise (1)", "X25519MLKEM768", policyText, "10958",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it does not say %q", lang, want)
			}
		}
	}
	if !slices.Equal(numbers[0], numbers[1]) {
		t.Errorf("the two languages have not the same sections:\n%v\n%v", numbers[0], numbers[1])
	}
	check(t, p.Close())

	before := map[string]func(*Config){
		"dura 11 ore": func(c *Config) { c.Issue.CRLHours = 11 }, "in 77 parti": func(c *Config) { c.Issue.CRLShards = 77 },
		"PIN di 7 cifre": func(c *Config) { c.Issue.Codes.PIN.First, c.Issue.Codes.PIN.Second = 3, 4 },
		"manuale operativo dei certificati CNS di Regione Prova": func(c *Config) { c.Region.Name = "Regione Prova" },
		"4000 giorni (11.0 anni)":                                func(c *Config) { c.Privacy.TrailDays = 4000 },
		"records, 2 custodi":                                     func(c *Config) { c.Backup.Records = []string{"a", "b"} },
		"fino al 2031-05-06":                                     func(c *Config) { c.Extension.Until = "2031-05-06" },
		"http://pki.prova.example/ocsp":                          func(c *Config) { c.Public.PKI = "http://pki.prova.example" },
		"«un altro testo»":                                       func(c *Config) { c.Issue.PolicyText = "un altro testo" },
		"900.123456":                                             func(c *Config) { c.Region.Phone = "900.123456" },
	}
	plain := *r
	q, err := plain.tryOpen(t.Context(), Options{Duties: []string{}}, "web")
	check(t, err)
	text := stateIn(t, q, words.Italian)
	for want, change := range before {
		if strings.Contains(text, want) {
			t.Errorf("%q is said before it is configured", want)
		}
		was := q.Config
		change(&q.Config)
		if got := stateIn(t, q, words.Italian); !strings.Contains(got, want) {
			t.Errorf("configured, and not said: %q", want)
		}
		q.Config = was
	}
	check(t, q.Close())
	if len(ca.Reasons()) < 5 {
		t.Errorf("%d reasons", len(ca.Reasons()))
	}
	code, out, errs := said(t, nil, "ca", "statement", "--config", written(t, "data: "+r.config.Data+"\n"))
	if code != 0 || !strings.Contains(out, "# CSE Certificatore di prova: manuale operativo") || strings.Index(out, "certification practice statement") < strings.Index(out, "## Da scrivere") {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
}
