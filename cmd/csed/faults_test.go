package main

import (
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
)

// shownToday is a holder with a document that is good on the region's day.
func shownToday(r *region) counter.IdentityStep {
	today := civil.Today(r.clock)
	return counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
		Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "COMUNE DI FIRENZE", Issued: today.AddYears(-1), Expires: today.AddYears(5),
	}}
}
