package cns

import (
	"crypto/sha1" //nolint:gosec // the standard fixes SHA-1 for the certificate name
	"errors"
	"fmt"
)

// Profile is one model of card. Everything card.md marks as unknown, or as
// known from memory only, is one field here, with its default said.
type Profile struct {
	// Name is how people choose the profile: neutral, st2021, …
	Name string
	// Model is what GET DATA 0180 answers.
	Model string
	// ATR is the answer to reset.
	ATR []byte
	// ModulusBits is the size of the RSA keys: 2048, or 1024 for CNS 1.0.
	ModulusBits int
	// PINTries and PUKTries are the wrong entries allowed. The PUK's number is
	// not in the standard; three is what a Region publishes (pki.md 1.4).
	PINTries, PUKTries int
	// PUKChangeable lets CHANGE REFERENCE DATA change the PUK. Unknown on real
	// cards; default no.
	PUKChangeable bool
	// MaxChallenge is the most bytes one GET CHALLENGE gives. Real masks differ
	// (IDEMIA 32); 256 by default.
	MaxChallenge int
	// RefuseChaining answers 6E00 to CLA 10, as a real ST 2021 did (OpenSC
	// #2370). Default no: the card takes chaining and extended length.
	RefuseChaining bool
	// RefuseExtended answers 6700 to extended APDUs. Default no.
	RefuseExtended bool
	// HashWithoutPadding makes the certificate name hash EF_DatiPersonali
	// without its 00 padding. Which of the two is right is not proved; the
	// default is the whole file as it is read.
	HashWithoutPadding bool
	// IssuerKeyRef is the reference of the key by which the issuer updates
	// files of an operational card; 0 for none. The number is ours.
	IssuerKeyRef byte
	// IssuerKeyTries is how often EXTERNAL AUTHENTICATE may fail. Ours.
	IssuerKeyTries int
	// ATRFile adds EF_ATR 2F01, which STIncard masks have.
	ATRFile bool
	// AdditionalData adds EF_DatiPersonaliAggiuntivi behind the PIN. Off:
	// OpenSC's dump stops at a file that answers 6982 (card.md section 9).
	AdditionalData bool
	// DigitalSignature adds the generic DS layout (DF 1400, key 10, PIN 1A).
	// Off: Tuscan cards have none (rule R101).
	DigitalSignature bool
	// HealthDF adds a directory of our own for TEAM and emergency data. It is
	// NOT DF_NETLINK, whose identifiers are unknown. Off.
	HealthDF bool
	// AID, when not empty, makes SELECT by name reach the MF. Off: old cards
	// have the MF implicitly selected, and vendors' identifiers are not ours.
	AID []byte
}

// ErrProfile is returned for a profile that does not exist or is not usable.
var ErrProfile = errors.New("unusable card profile")

// Neutral is the default profile: our own ATR with maker bytes 0, RSA-2048.
func Neutral() Profile {
	return Profile{
		Name: "neutral", Model: "CSE neutral", ATR: neutralATR().Bytes(), ModulusBits: 2048,
		PINTries: 3, PUKTries: 3, MaxChallenge: 256,
		IssuerKeyRef: RefIssuerKey, IssuerKeyTries: 3,
	}
}

// ST2021 carries the ATR of the lot "ST 2021" sent to Tuscan citizens, and so
// makes OpenSC address the PIN as 0x90.
func ST2021() Profile {
	p := Neutral()
	p.Name, p.Model, p.ATR, p.ATRFile = "st2021", "CSE st2021", st2021ATR().Bytes(), true
	return p
}

// CNS10 is an older card, version 1.0 with RSA-1024, for tests of clients.
func CNS10() Profile {
	p := Neutral()
	atr := neutralATR()
	atr.Historical[12] = 0x10
	p.Name, p.Model, p.ATR, p.ModulusBits = "cns10", "CSE cns10", atr.Bytes(), 1024
	p.RefuseExtended = true
	return p
}

// ParseProfile finds a profile by name; the empty name is neutral.
func ParseProfile(name string) (Profile, error) {
	switch name {
	case "", "neutral":
		return Neutral(), nil
	case "st2021":
		return ST2021(), nil
	case "cns10":
		return CNS10(), nil
	}
	return Profile{}, fmt.Errorf("%w: %q (neutral, st2021, cns10 exist)", ErrProfile, name)
}

// Validate tells whether a chip can be made after p.
func (p Profile) Validate() error {
	refuse := func(why string) error { return fmt.Errorf("%w %q: %s", ErrProfile, p.Name, why) }
	atr, err := ParseATR(p.ATR)
	switch {
	case err != nil:
		return fmt.Errorf("%w %q: %w", ErrProfile, p.Name, err)
	case !atr.IsCNS():
		return refuse("the ATR is not a CNS's")
	case p.Name == "" || len(p.Name) > 32 || len(p.Model) > 32:
		return refuse("name or model missing or too long")
	case p.ModulusBits != 1024 && p.ModulusBits != 2048:
		return refuse("RSA keys have 1024 or 2048 bits")
	case p.PINTries < 1 || p.PINTries > 15 || p.PUKTries < 1 || p.PUKTries > 15:
		return refuse("a code has 1 to 15 tries")
	case p.MaxChallenge < 8 || p.MaxChallenge > 65536:
		return refuse("challenges are of 8 to 65536 bytes")
	case p.IssuerKeyRef > 0x1F || p.IssuerKeyRef != 0 && (p.IssuerKeyTries < 1 || p.IssuerKeyTries > 15):
		return refuse("issuer key reference or tries")
	case len(p.AID) > 16 || len(p.AID) != 0 && len(p.AID) < 5:
		return refuse("an application identifier has 5 to 16 bytes")
	}
	return nil
}

// CommonName makes the certificate's name as this profile hashes the file.
func (p Profile) CommonName(cf string, id CardID, personalDataFile []byte) string {
	if p.HashWithoutPadding {
		personalDataFile = withoutPadding(personalDataFile)
	}
	return CommonName(cf, id, personalDataFile)
}

// HashPersonalData is the hash that stands in the certificate's name, taken as
// this profile does. A card whose file and certificate disagree is forged or
// wrongly made.
func (p Profile) HashPersonalData(file []byte) [sha1.Size]byte {
	if p.HashWithoutPadding {
		file = withoutPadding(file)
	}
	return sha1.Sum(file) //nolint:gosec // fixed by the standard
}
