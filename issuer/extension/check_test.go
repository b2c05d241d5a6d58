package extension_test

import (
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

func day(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

// conditions are those of somebody who may: in October 2023, with a card that
// expires in November and a sheet without chip that came in September.
func conditions() extension.Conditions {
	at := time.Date(2018, 1, 10, 9, 0, 0, 0, time.UTC)
	old := lifecycle.Card{
		ID: "old", Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: day(2017, 11, 20), Expires: day(2023, 11, 20), CertSerial: "0a",
		OrderedAt: at, ShippedAt: at, DeliveredAt: at, ActivatedAt: at, ReplacedBy: "new",
	}
	sent := time.Date(2023, 9, 1, 9, 0, 0, 0, time.UTC)
	next := lifecycle.Card{
		ID: "new", Model: lifecycle.TS, State: lifecycle.Delivered, Issued: day(2023, 8, 20), Expires: day(2029, 8, 20), Replaces: "old",
		OrderedAt: sent, ShippedAt: sent, DeliveredAt: sent,
	}
	return extension.Conditions{
		Card: old, Cards: []lifecycle.Card{next, old}, Person: registry.Person{AssistedFrom: day(2000, 1, 1)}, Ends: day(2023, 12, 31), Now: day(2023, 10, 15),
	}
}

// R106 to R108: who may, and the reason of everybody else. Each row changes one
// thing of somebody who may.
func TestR106_R107_R108_WhoMayExtend(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(c *extension.Conditions)
		want   string
	}{
		"may":                  {func(*extension.Conditions) {}, ""},
		"sheet on its way":     {func(c *extension.Conditions) { c.Cards[0].State = lifecycle.Shipped }, ""},
		"last day of the card": {func(c *extension.Conditions) { c.Now = day(2023, 11, 20) }, ""},
		"the day after":        {func(c *extension.Conditions) { c.Now = day(2023, 11, 21) }, "CSE-886"},
		"last day of the service": {func(c *extension.Conditions) {
			c.Now, c.Card.Expires = day(2023, 12, 31), day(2024, 1, 1)
			c.Card.CertExpires = day(2023, 12, 31)
		}, "CSE-890"},
		"service over":                    {func(c *extension.Conditions) { c.Now = day(2024, 1, 1) }, "CSE-880"},
		"service over, and nothing right": {func(c *extension.Conditions) { c.Now, c.Card.Model = day(2024, 1, 1), lifecycle.TS }, "CSE-880"},
		"another end, configured":         {func(c *extension.Conditions) { c.Ends = day(2024, 6, 30) }, ""},
		"no chip":                         {func(c *extension.Conditions) { c.Card.Model = lifecycle.TS }, "CSE-881"},
		"another issuer's":                {func(c *extension.Conditions) { c.Card.Issuer = "ff" }, "CSE-882"},
		"never activated":                 {func(c *extension.Conditions) { c.Card.State = lifecycle.Delivered }, "CSE-883"},
		"suspended":                       {func(c *extension.Conditions) { c.Card.State = lifecycle.Suspended }, "CSE-884"},
		"revoked":                         {func(c *extension.Conditions) { c.Card.State = lifecycle.Revoked }, "CSE-885"},
		"replaced":                        {func(c *extension.Conditions) { c.Card.State = lifecycle.Replaced }, "CSE-885"},
		"expired by night":                {func(c *extension.Conditions) { c.Card.State = lifecycle.Expired }, "CSE-886"},
		"dead":                            {func(c *extension.Conditions) { c.Person.Died = day(2023, 10, 1) }, "CSE-885"},
		"not assisted":                    {func(c *extension.Conditions) { c.Person.AssistedUntil = day(2023, 10, 1) }, "CSE-885"},
		"certificate passed before":       {func(c *extension.Conditions) { c.Card.CertExpires = day(2023, 10, 14) }, "CSE-887"},
		"its last day":                    {func(c *extension.Conditions) { c.Card.CertExpires = day(2023, 10, 15) }, ""},
		"wrong data":                      {func(c *extension.Conditions) { c.Card.CorrectedAt = time.Now() }, "CSE-885"},
		"no next card":                    {func(c *extension.Conditions) { c.Card.ReplacedBy = "" }, "CSE-888"},
		"next card being made":            {func(c *extension.Conditions) { c.Cards[0].State = lifecycle.Ordered }, "CSE-888"},
		"next card never left":            {func(c *extension.Conditions) { c.Cards[0].State, c.Cards[0].ShippedAt = lifecycle.Revoked, time.Time{} }, "CSE-888"},
		"next card has a chip":            {func(c *extension.Conditions) { c.Cards[0].Model = lifecycle.TSCNS }, "CSE-889"},
		"extended already":                {func(c *extension.Conditions) { c.Card.CertExpires = day(2023, 12, 31) }, "CSE-890"},
		"extended, and the end was moved": {func(c *extension.Conditions) { c.Card.CertExpires, c.Ends = day(2023, 12, 31), day(2024, 12, 31) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := conditions()
			tt.change(&c)
			got := ""
			if f := extension.Check(c); f != nil {
				got = f.Code
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := extension.Until(day(2060, 1, 1), day(2023, 10, 15)); got != day(2029, 10, 15) {
		t.Errorf("the profile's six years: %s", got)
	}
}
