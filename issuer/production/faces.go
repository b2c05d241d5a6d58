package production

import (
	"encoding/json"
	"fmt"
	"strings"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
)

// Faces is the data set of the two faces of a card: what is printed, coded in
// bars and written on the stripe, as text ready to be printed. It carries no
// photo (R40), no price (R6) and no code.
type Faces struct {
	Front Front     `json:"front"`
	Back  team.Back `json:"back"`
	// Code39 is the content of the bar code on the back; Stripe that of the
	// magnetic stripe's first track. Both are the codice fiscale (R13). The rest
	// of the stripe's layout (decree of 11 March 2004, annex A) is not known.
	Code39 string `json:"code39"`
	Stripe string `json:"stripe"`
}

// Front is the front face (decree of 14 March 2022).
type Front struct {
	CF      string `json:"codice_fiscale"`
	Expires string `json:"expires"` // DD/MM/YYYY, top right
	Surname string `json:"surname"`
	Name    string `json:"name"`
	Sex     string `json:"sex"`
	// BirthPlace is the municipality or the foreign state, by its name; Province
	// as at birth, EE abroad.
	BirthPlace string `json:"birth_place"`
	Province   string `json:"province"`
	Born       string `json:"born"` // DD/MM/YYYY
	// Braille are three characters beside the birth date; none for a provisional code.
	Braille string `json:"braille"`
	Chip    bool   `json:"chip"`
}

// FacesOf makes the data set of card c for its holder, or refuses with the field
// that is missing: CSE-174 for the front, CSE-167 for the back.
func FacesOf(who registry.Person, c lifecycle.Card) (Faces, error) {
	if who.CF != c.CF {
		return Faces{}, fmt.Errorf("production: card %s is not of the person given", c.ID)
	}
	back, err := team.New(who, team.Number(c.TEAM), c.Expires)
	if err != nil {
		return Faces{}, err
	}
	place, _ := codicefiscale.Belfiore(who.BirthPlace, civil.Date{})
	f := Faces{
		Front: Front{
			CF: string(c.CF), Expires: c.Expires.Italian(), Surname: strings.ToUpper(who.Surname), Name: strings.ToUpper(who.Name),
			Sex: who.Sex, BirthPlace: strings.ToUpper(place.Name), Province: province(who, place), Born: who.Born.Italian(),
			Braille: c.CF.Braille(), Chip: c.HasChip(),
		},
		Back: back, Code39: string(c.CF), Stripe: string(c.CF),
	}
	return f, f.Check()
}

func province(who registry.Person, place codicefiscale.Place) string {
	switch {
	case who.BirthProvince != "":
		return who.BirthProvince // as at birth, even if it changed since
	case place.Foreign:
		return "EE"
	}
	return place.Province
}

// Check refuses a data set that may not be printed (R13, R46, R49).
func (f Faces) Check() error {
	for _, x := range []struct{ field, text string }{
		{"codice_fiscale", f.Front.CF},
		{"data_scadenza", f.Front.Expires},
		{"cognome", f.Front.Surname},
		{"nome", f.Front.Name},
		{"sesso", f.Front.Sex},
		{"luogo_nascita", f.Front.BirthPlace},
		{"provincia_nascita", f.Front.Province},
		{"data_nascita", f.Front.Born},
	} {
		if x.text == "" {
			return words.Refuse("CSE-174", x.field).At(x.field)
		}
	}
	if f.Code39 != f.Front.CF || f.Stripe != f.Front.CF || !f.Back.Asterisks && f.Back.PersonalID != f.Front.CF {
		return words.Refuse("CSE-174", "codice_fiscale").At("codice_fiscale")
	}
	if f.Front.Expires != f.Back.Expires {
		return words.Refuse("CSE-174", "data_scadenza").At("data_scadenza")
	}
	return f.Back.Check()
}

// ParseFaces reads a data set as the bureau receives it.
func ParseFaces(b []byte) (Faces, error) {
	var f Faces
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("production: data set: %w", err)
	}
	return f, f.Check()
}

// personalData is the content of EF.Dati_Personali of card c.
func personalData(issuer string, who registry.Person, c lifecycle.Card) ([]byte, error) {
	d := cns.PersonalData{
		Issuer: issuer, Issued: c.Issued, Expires: c.Expires, Surname: who.Surname, Name: who.Name, Born: who.Born, Sex: who.Sex,
		CF: string(c.CF), BirthPlace: who.BirthPlace, Residence: who.Residence,
	}
	if strings.HasPrefix(who.BirthPlace, "Z") {
		d.BirthPlace, d.BirthCountry = "", who.BirthPlace
	}
	b, err := d.Encode()
	if err != nil {
		return nil, words.Refuse("CSE-174", "cognome").At("cognome").Because(err)
	}
	return b, nil
}
