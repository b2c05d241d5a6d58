package cse_test

import (
	"os"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The keys that the publiccode.yml standard requires (schema 0.5).
func TestPubliccode(t *testing.T) {
	b, err := os.ReadFile("publiccode.yml")
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Version     string   `yaml:"publiccodeYmlVersion"`
		Name        string   `yaml:"name"`
		URL         string   `yaml:"url"`
		Platforms   []string `yaml:"platforms"`
		Categories  []string `yaml:"categories"`
		Status      string   `yaml:"developmentStatus"`
		Type        string   `yaml:"softwareType"`
		Release     string   `yaml:"releaseDate"`
		Description map[string]struct {
			Short    string   `yaml:"shortDescription"`
			Long     string   `yaml:"longDescription"`
			Features []string `yaml:"features"`
		} `yaml:"description"`
		Legal       struct{ License string } `yaml:"legal"`
		Maintenance struct {
			Type     string
			Contacts []map[string]string
		} `yaml:"maintenance"`
		Localisation struct {
			Ready     *bool    `yaml:"localisationReady"`
			Languages []string `yaml:"availableLanguages"`
		} `yaml:"localisation"`
	}
	if err := yaml.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	for what, ok := range map[string]bool{
		"publiccodeYmlVersion": p.Version == "0.5",
		"name":                 p.Name != "",
		"url":                  regexp.MustCompile(`^https://.+\.git$`).MatchString(p.URL),
		"platforms":            len(p.Platforms) > 0,
		"categories":           len(p.Categories) > 0,
		"developmentStatus":    regexp.MustCompile(`^(concept|development|beta|stable|obsolete)$`).MatchString(p.Status),
		"softwareType":         p.Type == "standalone/web",
		"releaseDate":          regexp.MustCompile(`^\d{4}-\d\d-\d\d$`).MatchString(p.Release),
		"legal.license":        p.Legal.License == "EUPL-1.2",
		"maintenance":          p.Maintenance.Type == "community" && len(p.Maintenance.Contacts) > 0,
		"localisation":         p.Localisation.Ready != nil && len(p.Localisation.Languages) >= 2,
		"description":          len(p.Description) >= 2,
	} {
		if !ok {
			t.Errorf("publiccode.yml: %s is missing or wrong", what)
		}
	}
	for lang, d := range p.Description {
		if n := len([]rune(d.Short)); n == 0 || n > 150 {
			t.Errorf("%s: shortDescription has %d characters", lang, n)
		}
		if n := len([]rune(d.Long)); n < 150 || n > 10000 {
			t.Errorf("%s: longDescription has %d characters", lang, n)
		}
		if len(d.Features) == 0 {
			t.Errorf("%s: no features", lang)
		}
	}
}
