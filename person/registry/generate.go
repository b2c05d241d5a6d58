package registry

import (
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/person/codicefiscale"
)

// Generate writes a CSV of n invented people who are assisted on day today: the
// same n, seed and today give the same bytes. The mix of every hundred: 80
// Italian adults, 6 minors (with a parent among the adults written before), 1
// newborn, 6 citizens of the EU, EEA or Switzerland, 7 of other states with a
// permit of stay; one in twenty has no right abroad. Codes are valid and unique.
func Generate(w io.Writer, n int, seed int64, today civil.Date) error {
	return GenerateWithErrors(w, n, 0, seed, today)
}

// GenerateWithErrors writes good invented people and, spread among them, bad
// rows: in turn a wrong check letter, an impossible birth date, a missing
// surname.
func GenerateWithErrors(w io.Writer, good, bad int, seed int64, today civil.Date) error {
	if good < 0 || bad < 0 || !today.Valid() {
		return fmt.Errorf("generate people: %d good, %d bad, today %q", good, bad, today)
	}
	g := generator{rnd: rand.New(rand.NewPCG(uint64(seed), 0x435345)), today: today, seen: map[codicefiscale.Code]bool{}}
	out := csv.NewWriter(w)
	if err := out.Write(Columns); err != nil {
		return fmt.Errorf("generate people: %w", err)
	}
	done := 0
	for i := range good + bad {
		row, err := g.next()
		if err != nil {
			return err
		}
		if done < bad && i+1 > (done+1)*(good+bad)/(bad+1) || good+bad-i <= bad-done {
			row = spoil(row, done)
			done++
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("generate people: %w", err)
		}
	}
	out.Flush()
	return out.Error()
}

// spoil makes a row that Import must reject for exactly one reason.
func spoil(row []string, kind int) []string {
	switch kind % 3 {
	case 0:
		cf := row[columnAt["codice_fiscale"]]
		row[columnAt["codice_fiscale"]] = cf[:15] + string('A'+(cf[15]-'A'+1)%26)
	case 1:
		born := row[columnAt["data_nascita"]]
		row[columnAt["data_nascita"]] = born[:4] + "-02-30"
	default:
		row[columnAt["cognome"]] = ""
	}
	return row
}

type generator struct {
	rnd   *rand.Rand
	today civil.Date
	seen  map[codicefiscale.Code]bool
	// parents are Italian adults written already, a few of the last ones.
	parents []Person
	written int
}

func (g *generator) next() ([]string, error) {
	for range 10_000 {
		p := g.person(g.written % 100)
		cf, err := codicefiscale.Compute(codicefiscale.Person{
			Surname: p.Surname, Name: p.Name, Born: p.Born, Sex: codicefiscale.Sex(p.Sex), Belfiore: p.BirthPlace,
		})
		if err != nil {
			return nil, fmt.Errorf("generate people: %w", err)
		}
		if g.seen[cf] {
			continue
		}
		g.seen[cf] = true
		p.CF = cf
		g.written++
		if age := p.Born.AgeOn(g.today); p.Citizenship == "IT" && age >= 25 && age < 55 {
			g.parents = append(g.parents, p)[max(0, len(g.parents)-20):]
		}
		return p.Row(), nil
	}
	return nil, fmt.Errorf("generate people: no more unused codes after %d people", g.written)
}

// person draws by the position in the hundred, so that small files are mixed too.
func (g *generator) person(at int) Person {
	switch {
	case at%16 == 15: // 15 31 47 63 79 95
		return g.minor(1, 17)
	case at == 10:
		return g.newborn()
	case at%16 == 4: // 4 20 36 52 68 84: with 99, seven
		return g.foreigner(otherSurnames, otherMale, otherFemale, others)
	case at == 99:
		return g.foreigner(otherSurnames, otherMale, otherFemale, others)
	case at%16 == 8 && at < 96: // 8 24 40 56 72 88
		return g.foreigner(europeanSurnames, europeanMale, europeanFemale, europe)
	default:
		return g.italian(g.bornBetween(18, 95))
	}
}

func pick[T any](g *generator, from []T) T { return from[g.rnd.IntN(len(from))] }

// bornBetween draws a birth day such that the age is at least young and less
// than old+1 years.
func (g *generator) bornBetween(young, old int) civil.Date {
	last := g.today.AddYears(-young)
	return last.AddDays(-g.rnd.IntN(365 * (old + 1 - young)))
}

func (g *generator) italian(born civil.Date) Person {
	p := g.resident(born, italianSurnames, italianMale, italianFemale)
	place := pick(g, homes)
	p.BirthPlace, p.BirthProvince, p.Citizenship = place.belfiore, place.province, "IT"
	if g.rnd.IntN(3) == 0 && !born.After(g.today.AddYears(-18)) {
		name := strings.ToLower(codicefiscale.Fold(p.Name + "." + p.Surname))
		p.Email = strings.NewReplacer(" ", "", "'", "").Replace(name) + "@example.org"
	}
	return p
}

func (g *generator) minor(young, old int) Person {
	p := g.italian(g.bornBetween(young, old))
	p.Email = ""
	if len(g.parents) > 0 {
		parent := pick(g, g.parents)
		p.Surname = parent.Surname
		p.Guardians = []Guardian{{CF: parent.CF, Kind: Parent, From: p.Born}}
	}
	return p
}

// newborn has been alive for less than three months and enrolled since birth.
func (g *generator) newborn() Person {
	p := g.minor(1, 1)
	p.Born = g.today.AddDays(-5 - g.rnd.IntN(80))
	p.AssistedFrom = p.Born
	if len(p.Guardians) > 0 {
		p.Guardians[0].From = p.Born
	}
	return p
}

func (g *generator) foreigner(surnames, male, female []string, from []origin) Person {
	p := g.resident(g.bornBetween(19, 75), surnames, male, female)
	o := pick(g, from)
	p.BirthPlace, p.BirthProvince, p.Citizenship = o.belfiore, "EE", o.iso
	if !p.NeedsPermit() {
		return p
	}
	switch g.rnd.IntN(4) {
	case 0:
		p.Permit = Permit{Kind: PermitUnlimited}
	case 1:
		p.Permit = Permit{Kind: PermitRenewal}
	default:
		p.Permit = Permit{Kind: PermitUntil, Until: g.today.AddDays(120 + g.rnd.IntN(365*4))}
	}
	return p
}

// resident draws what does not depend on citizenship.
func (g *generator) resident(born civil.Date, surnames, male, female []string) Person {
	h := pick(g, homes)
	p := Person{
		Surname: pick(g, surnames), Born: born, Sex: "M", Name: pick(g, male),
		Residence: h.belfiore, PostCode: h.postCode, ASL: h.asl,
		Address:     fmt.Sprintf("%s, %d", pick(g, streets), 1+g.rnd.IntN(120)),
		AbroadRight: g.rnd.IntN(20) != 0,
	}
	if g.rnd.IntN(2) == 0 {
		p.Sex, p.Name = "F", pick(g, female)
	}
	p.AssistedFrom = g.today.AddDays(-40 - g.rnd.IntN(3000))
	if p.AssistedFrom.Before(born) {
		p.AssistedFrom = born
	}
	return p
}
