package team

import (
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Basis is the law by which a country honours the card. Switzerland is no member
// of the European Economic Area: it has a basis of its own (rules.md, part D, 1).
type Basis string

// The bases.
const (
	// EU: Regulations (EC) 883/2004 and 987/2009, among members of the Union.
	EU Basis = "EU"
	// EEA: the same, by the Agreement on the European Economic Area.
	EEA Basis = "EEA"
	// CH: the same, by the Agreement on the free movement of persons between the
	// Union and Switzerland, annex II.
	CH Basis = "CH"
	// UK: the Protocol on social security coordination of the Trade and
	// Cooperation Agreement. The FAQ does not name it.
	UK Basis = "UK"
)

// Note is what a traveller should know besides; its text is team.note.NOTE.
type Note string

// The notes.
const (
	// Home: here the health card counts, not the TEAM.
	Home Note = "home"
	// Nationals: whoever has no citizenship of the Union, the EEA or Switzerland
	// asks first, since Regulation (EU) 1231/2010 does not reach there.
	Nationals Note = "nationals"
	// Agreement: by an agreement outside the law of the Union, with its own terms.
	Agreement Note = "agreement"
)

// Country is a state that honours the card, by one law and in one period.
type Country struct {
	ISO    string // ISO 3166-1 alpha-2
	IT, EN string
	Basis  Basis
	// From and Until are the period; Until is zero while it lasts.
	From, Until civil.Date
	Note        Note
}

// Name is the country's in a language.
func (c Country) Name(lang words.Lang) string {
	if lang == words.English {
		return c.EN
	}
	return c.IT
}

// On tells whether the period holds the day.
func (c Country) On(day civil.Date) bool {
	return !day.Before(c.From) && (c.Until.IsZero() || !day.After(c.Until))
}

func since(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

// e111 is the day on which the card took the place of form E111 (Decisions 189
// to 191 of 18 June 2003); later members follow from their accession.
var e111 = since(2004, time.June, 1)

// countries is never written to.
var countries = []Country{
	{"AT", "Austria", "Austria", EU, e111, civil.Date{}, ""},
	{"BE", "Belgio", "Belgium", EU, e111, civil.Date{}, ""},
	{"BG", "Bulgaria", "Bulgaria", EU, since(2007, time.January, 1), civil.Date{}, ""},
	{"CY", "Cipro", "Cyprus", EU, e111, civil.Date{}, ""},
	{"HR", "Croazia", "Croatia", EU, since(2013, time.July, 1), civil.Date{}, ""},
	{"DK", "Danimarca", "Denmark", EU, e111, civil.Date{}, Nationals},
	{"EE", "Estonia", "Estonia", EU, e111, civil.Date{}, ""},
	{"FI", "Finlandia", "Finland", EU, e111, civil.Date{}, ""},
	{"FR", "Francia", "France", EU, e111, civil.Date{}, ""},
	{"DE", "Germania", "Germany", EU, e111, civil.Date{}, ""},
	{"GR", "Grecia", "Greece", EU, e111, civil.Date{}, ""},
	{"IE", "Irlanda", "Ireland", EU, e111, civil.Date{}, ""},
	{"IT", "Italia", "Italy", EU, e111, civil.Date{}, Home},
	{"LV", "Lettonia", "Latvia", EU, e111, civil.Date{}, ""},
	{"LT", "Lituania", "Lithuania", EU, e111, civil.Date{}, ""},
	{"LU", "Lussemburgo", "Luxembourg", EU, e111, civil.Date{}, ""},
	{"MT", "Malta", "Malta", EU, e111, civil.Date{}, ""},
	{"NL", "Paesi Bassi", "Netherlands", EU, e111, civil.Date{}, ""},
	{"PL", "Polonia", "Poland", EU, e111, civil.Date{}, ""},
	{"PT", "Portogallo", "Portugal", EU, e111, civil.Date{}, ""},
	{"CZ", "Repubblica Ceca", "Czechia", EU, e111, civil.Date{}, ""},
	{"RO", "Romania", "Romania", EU, since(2007, time.January, 1), civil.Date{}, ""},
	{"SK", "Slovacchia", "Slovakia", EU, e111, civil.Date{}, ""},
	{"SI", "Slovenia", "Slovenia", EU, e111, civil.Date{}, ""},
	{"ES", "Spagna", "Spain", EU, e111, civil.Date{}, ""},
	{"SE", "Svezia", "Sweden", EU, e111, civil.Date{}, ""},
	{"HU", "Ungheria", "Hungary", EU, e111, civil.Date{}, ""},
	{"IS", "Islanda", "Iceland", EEA, e111, civil.Date{}, Nationals},
	{"LI", "Liechtenstein", "Liechtenstein", EEA, e111, civil.Date{}, Nationals},
	{"NO", "Norvegia", "Norway", EEA, e111, civil.Date{}, Nationals},
	{"CH", "Svizzera", "Switzerland", CH, e111, civil.Date{}, Nationals},
	// A member until 31 January 2020, and treated as one until the year's end.
	{"GB", "Regno Unito", "United Kingdom", EU, e111, since(2020, time.December, 31), ""},
	{"GB", "Regno Unito", "United Kingdom", UK, since(2021, time.January, 1), civil.Date{}, Agreement},
}

// Countries lists every country and period: by law, then by Italian name. It is
// a copy.
func Countries() []Country { return slices.Clone(countries) }

// CountryOn is the country with an ISO code, capitals or not, as it stands on a
// day; ok is false when the card counts for nothing there.
func CountryOn(iso string, day civil.Date) (c Country, ok bool) {
	i := slices.IndexFunc(countries, func(c Country) bool { return strings.EqualFold(c.ISO, iso) && c.On(day) })
	if i < 0 {
		return Country{}, false
	}
	return countries[i], true
}
