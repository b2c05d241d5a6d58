package model

import (
	"strings"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// today is the day on which every life begins.
var today = civil.DayOf(start)

// somebody is an invented Italian adult of ASL 201, assisted without end.
func somebody(surname, name string, born civil.Date, sex codicefiscale.Sex) registry.Person {
	cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: surname, Name: name, Born: born, Sex: sex, Belfiore: "D612"})
	if err != nil {
		panic(err) // the names below are written by hand
	}
	return registry.Person{
		CF: cf, Surname: strings.ToUpper(surname), Name: strings.ToUpper(name), Born: born, Sex: string(sex), BirthPlace: "D612", BirthProvince: "FI",
		Citizenship: "IT", Residence: "D612", Address: "VIA DI PROVA 1", PostCode: "50100", ASL: "201", AssistedFrom: today.AddYears(-3), AbroadRight: true,
	}
}

func years(n, days int) civil.Date { return today.AddYears(-n).AddDays(days) }

// townspeople are everybody who has or may have a card. The last one works at
// the counters, too.
func townspeople() []registry.Person {
	mario := somebody("Rossi", "Mario", years(45, 10), codicefiscale.Male)
	anna := somebody("Bianchi", "Anna", years(40, 100), codicefiscale.Female)
	anna.ASL, anna.Email = "202", "anna@posta.example"
	madre := somebody("Verdi", "Lucia", years(38, 20), codicefiscale.Female)
	almost := somebody("Rossi", "Luca", years(18, 40), codicefiscale.Male) // of age in forty days
	almost.Guardians = []registry.Guardian{{CF: mario.CF, Kind: registry.Parent, From: almost.Born}}
	child := somebody("Neri", "Sara", years(8, 0), codicefiscale.Female)
	child.Guardians = []registry.Guardian{{CF: madre.CF, Kind: registry.Parent, From: child.Born}}
	newborn := somebody("Bianchi", "Ugo", years(0, -60), codicefiscale.Male)
	newborn.Guardians = []registry.Guardian{{CF: anna.CF, Kind: registry.Parent, From: newborn.Born}}
	ward := somebody("Gialli", "Piero", years(70, 3), codicefiscale.Male)
	ward.UnderGuardianship = true
	ward.Guardians = []registry.Guardian{{CF: anna.CF, Kind: registry.Tutor, From: today.AddYears(-2)}}
	guest := somebody("Hoxha", "Elira", years(30, 200), codicefiscale.Female)
	guest.Citizenship, guest.Permit, guest.AbroadRight = "AL", registry.Permit{Kind: registry.PermitUntil, Until: today.AddDays(400)}, false
	undated := somebody("Diop", "Awa", years(33, 7), codicefiscale.Female)
	undated.Citizenship = "SN" // no datum of the permit: no card can be made
	return []registry.Person{mario, anna, almost, child, newborn, ward, guest, undated, madre}
}

// pharmacies take part in reprints, where the configuration says so, and in
// nothing else that is configurable.
var alsoAtPharmacies = []staff.Action{staff.ReprintCodes}

func offices() []staff.Office {
	return []staff.Office{
		{ID: "asl1", Type: staff.ASL, Name: "ASL 1", ASL: "201"},
		{ID: "asl2", Type: staff.ASL, Name: "ASL 2", ASL: "202"},
		{ID: "com", Type: staff.Comune, Name: "Comune"},
		{ID: "urp", Type: staff.URP, Name: "URP"},
		{ID: "far", Type: staff.Pharmacy, Name: "Farmacia", TakesPart: true},
		{ID: "no", Type: staff.Pharmacy, Name: "Farmacia che non aderisce"},
		{ID: "ade", Type: staff.ADE, Name: "Agenzia delle Entrate"},
		{ID: "cc", Type: staff.CallCentre, Name: "Call center"},
	}
}

// accounts are one operator of each role; "madre" is a mother of this town.
func accounts(t testing.TB) []staff.Account {
	t.Helper()
	counters := []string{"asl1", "asl2", "com", "urp", "far", "no", "ade"}
	people := townspeople()
	madre := people[len(people)-1]
	var out []staff.Account
	for i, a := range []struct {
		account string
		offices []string
		role    staff.Role
	}{
		{"ada", counters, staff.RoleOperator},
		{"capo", counters, staff.RoleSupervisor},
		{"vice", counters, staff.RoleSupervisor},
		{"voce", []string{"cc"}, staff.RoleCallCentre},
		{"centro", []string{"asl1"}, staff.RoleOperations},
		{"revisore", []string{"asl1"}, staff.RoleAuditor},
		{"garante", []string{"asl1"}, staff.RoleSecurity},
	} {
		p := somebody("Operai", "Prova", years(50, i), codicefiscale.Female)
		out = append(out, staff.Account{Account: a.account, Name: a.account, CF: string(p.CF), Roles: []staff.Role{a.role}, Offices: a.offices})
	}
	return append(out, staff.Account{Account: "madre", Name: "Lucia Verdi", CF: string(madre.CF), Roles: []staff.Role{staff.RoleOperator}, Offices: counters})
}
