// Package virtualcard makes test cards for integrators: a chip image with its
// certificate, the authority above it, the lists that say where the certificate
// stands, the codes, and a page that says what to do with them. Ten profiles,
// one for each answer that a login must know how to give.
//
// Everything follows from a seed and a day: the same two give the same bytes,
// keys included. All cards of one seed stand under one authority and in one
// revocation list, so that one anchor makes a whole set usable; the card of
// another Region has an authority of its own.
//
// The people are invented. Keys and codes lie in the folder in clear and come
// from a seed that anybody can try: test cards, never a secret, for no login
// that matters. The authority's own key is there as well, on purpose, so that
// OpenSSL can answer for it (ocsp -index).
//
// Refused: a profile that does not exist (CSE-835), a folder that holds
// something already (CSE-836).
package virtualcard

import (
	"fmt"
	"path/filepath"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// Standing is what the lists say of a certificate.
type Standing string

// The standings.
const (
	Good    Standing = "good"
	Held    Standing = "held" // certificateHold: suspended, or not activated yet
	Revoked Standing = "revoked"
	Ended   Standing = "expired"
)

// Profile is one kind of test card.
type Profile struct {
	Name     string
	Standing Standing
	// Blocked: three wrong PINs were tried; the PUK still works.
	Blocked bool
	// Issuer of the card number; Organisation on the certificate.
	Issuer string
	// Chipless: a sheet and no chip.
	Chipless bool
	who      kind
	// years between the card's issue and the day of creation.
	years int
}

const elsewhere = "6030" // another Region's card

// profiles in the order in which people read them. The order numbers the cards.
var profiles = []Profile{
	{Name: "adult", Standing: Good, who: adult, years: 1},
	{Name: "minor", Standing: Good, who: minor, years: 1},
	{Name: "ward", Standing: Good, who: ward, years: 1},
	{Name: "expired", Standing: Ended, who: adult, years: 7},
	{Name: "revoked", Standing: Revoked, who: adult, years: 2},
	{Name: "suspended", Standing: Held, who: adult, years: 2},
	{Name: "not-activated", Standing: Held, who: adult, years: 0},
	{Name: "pin-blocked", Standing: Good, Blocked: true, who: adult, years: 1},
	{Name: "other-region", Standing: Good, Issuer: elsewhere, who: adult, years: 1},
	{Name: "chipless", Chipless: true, who: adult, years: 0},
}

// Profiles lists the ten, and their names.
func Profiles() []Profile { return append([]Profile(nil), profiles...) }

// Find finds a profile; CSE-835 names those that exist.
func Find(name string) (Profile, error) {
	names := ""
	for _, p := range profiles {
		if p.Name == name {
			return p, nil
		}
		names += ", " + p.Name
	}
	return Profile{}, words.Refuse("CSE-835", name, names[2:]).At("profile")
}

func (p Profile) issuer() string {
	if p.Issuer == "" {
		return cns.IssuerToscana
	}
	return p.Issuer
}

// Plan is what a card is made from.
type Plan struct {
	Profile Profile
	Seed    string
	Day     civil.Date
	Model   cns.Profile
	// PowerCut is the write of the image at which start cuts the power; 0 never.
	PowerCut int
	Lang     words.Lang
	Program  string // for the documents: "cse 1.2"
}

// Card is a card that was made.
type Card struct {
	Profile, Dir string
	ID           cns.CardID
	Holder       Person
	Standing     Standing
	Issued, Ends civil.Date
	Serial       string // of the certificate, hexadecimal; empty without a chip
	Files        []string
	pin, puk     secret.Text
}

// dates of the card: printed issue and expiry.
func (p Plan) dates() (issued, expires civil.Date) {
	issued = p.Day.AddYears(-p.Profile.years)
	if p.Profile.years == 0 {
		issued = p.Day.AddDays(-10)
	}
	return issued, issued.AddYears(6)
}

// signed is the instant at which the certificate begins.
func (p Plan) signed() time.Time {
	issued, _ := p.dates()
	return issued.Start().Add(9 * time.Hour).UTC()
}

// index of the profile, which numbers its card.
func (p Profile) index() uint64 {
	for i, q := range profiles {
		if q.Name == p.Name {
			return uint64(i) //nolint:gosec // ten
		}
	}
	return 0
}

// cardID numbers the card: 999 says test to whoever reads it, then five digits
// of the seed, then the profile.
func (p Plan) cardID() (cns.CardID, error) {
	n := newStream(p.Seed, "numbers").below(100_000)
	return cns.NewCardID(p.Profile.issuer(), 999_000_000+n*10+p.Profile.index(), 0)
}

// Create makes the card's folder below dir, named after the profile.
func Create(dir string, p Plan) (Card, error) {
	p.Model.Name = firstOf(p.Model.Name, cns.Neutral().Name)
	who, err := person(p)
	if err != nil {
		return Card{}, err
	}
	id, err := p.cardID()
	if err != nil {
		return Card{}, err
	}
	issued, ends := p.dates()
	c := Card{
		Profile: p.Profile.Name, Dir: filepath.Join(dir, p.Profile.Name), ID: id, Holder: who,
		Standing: p.Profile.Standing, Issued: issued, Ends: ends,
	}
	f, err := newFolder(c.Dir)
	if err != nil {
		return Card{}, err
	}
	if p.Profile.Chipless {
		err = p.sheet(&c, f)
	} else {
		err = p.chip(&c, f)
	}
	if err == nil {
		err = p.describe(&c, f)
	}
	if err != nil {
		return Card{}, fmt.Errorf("make the test card %s: %w", p.Profile.Name, err)
	}
	c.Files = f.names
	return c, nil
}

// chip makes the image, the certificate and what proves where it stands.
func (p Plan) chip(c *Card, f *folder) error {
	authority, err := p.authority()
	if err != nil {
		return err
	}
	data, err := c.personal(p)
	if err != nil {
		return err
	}
	key, err := newStream(p.Seed, "key "+p.Profile.Name).rsa(p.Model.ModulusBits)
	if err != nil {
		return err
	}
	leaf, err := authority.issue(p, p.Model.CommonName(string(c.Holder.CF), c.ID, data), &key.PublicKey)
	if err != nil {
		return err
	}
	c.Serial = fmt.Sprintf("%x", leaf.SerialNumber)
	c.pin, c.puk = p.codes(c.Holder.Born)
	image, err := chip.Create(f.add("chip.cse"), p.Model)
	if err != nil {
		return err
	}
	for _, act := range []func() error{
		func() error { return image.ImportKey(key) },
		func() error { return image.WriteIdentity(c.ID, data, leaf.Raw) },
		func() error { return image.SetCodes(c.pin, c.puk) },
		image.Finish,
	} {
		if err := act(); err != nil {
			_ = image.Close()
			return err
		}
	}
	if p.Profile.Blocked {
		block(image, c.pin)
	}
	if err := image.Close(); err != nil {
		return err
	}
	return authority.write(p, f, leaf)
}

// personal is EF_DatiPersonali.
func (c Card) personal(p Plan) ([]byte, error) {
	w := c.Holder
	d := cns.PersonalData{
		Issuer: p.Profile.issuer(), Issued: c.Issued, Expires: c.Ends, Surname: w.Surname, Name: w.Name, Born: w.Born,
		Sex: w.Sex, CF: string(w.CF), Residence: w.Residence,
	}
	if w.Abroad() {
		d.BirthCountry = w.BirthPlace
	} else {
		d.BirthPlace = w.BirthPlace
	}
	return d.Encode()
}

// codes draws PIN and PUK that the rules accept.
func (p Plan) codes(born civil.Date) (pin, puk secret.Text) {
	s := newStream(p.Seed, "codes "+p.Profile.Name)
	for {
		if pin = s.digits(5); cns.CheckPIN(pin, born) == nil {
			break
		}
	}
	for {
		if puk = s.digits(cns.PUKLength); cns.CheckPUK(puk) == nil {
			return pin, puk
		}
	}
}

// block presents a wrong PIN until none is accepted.
func block(c *chip.Chip, pin secret.Text) {
	wrong, err := cns.PadCode(secret.FromString("00000"))
	if right, _ := cns.PadCode(pin); err != nil || string(right) == string(wrong) {
		return // a PIN of zeros is refused before it is set
	}
	verify := append([]byte{0x00, 0x20, 0x00, cns.RefPIN, cns.CodeBlock}, wrong...)
	for range c.Profile().PINTries {
		_, _ = c.Transmit(verify)
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
