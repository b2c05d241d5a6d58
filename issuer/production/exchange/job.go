package exchange

import (
	"encoding/json"
	"errors"
	"fmt"

	"cse.example/cse/ground/secret"
)

// Job is what the bureau needs to make one card. It exists in clear only while
// it is sealed and while the card is made.
type Job struct {
	Card string
	// Chip tells a TS-CNS from a TS.
	Chip bool
	// PersonalData and GDO are contents of files of the chip.
	PersonalData, GDO []byte
	// PIN and PUK go into the chip; the CIP does not concern the bureau.
	PIN, PUK secret.Text
	// IssuerKey goes into the chip too: by it the issuer updates files of the card
	// later (card/secmsg). Empty for chips that he leaves as they are.
	IssuerKey secret.Text
	// Faces is the data set of the two faces, JSON (production.Faces).
	Faces json.RawMessage
}

// wire is Job on the wire: secret.Text never marshals itself.
type wire struct {
	Card     string          `json:"card"`
	Chip     bool            `json:"chip"`
	Personal []byte          `json:"personal_data,omitempty"`
	GDO      []byte          `json:"gdo,omitempty"`
	PIN      []byte          `json:"pin,omitempty"`
	PUK      []byte          `json:"puk,omitempty"`
	Issuer   []byte          `json:"issuer_key,omitempty"`
	Faces    json.RawMessage `json:"faces"`
}

// Encode writes the job in clear: seal the result at once and wipe it.
func (j Job) Encode() ([]byte, error) {
	w := wire{j.Card, j.Chip, j.PersonalData, j.GDO, j.PIN.Reveal(), j.PUK.Reveal(), j.IssuerKey.Reveal(), j.Faces}
	defer clear(w.Issuer)
	defer clear(w.PIN)
	defer clear(w.PUK)
	b, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode job: %w", err) // names no content
	}
	return b, nil
}

// DecodeJob reads a job and refuses one with a part missing.
func DecodeJob(b []byte) (Job, error) {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return Job{}, errors.New("the order's record is not a job") // the cause may quote it
	}
	j := Job{w.Card, w.Chip, w.Personal, w.GDO, secret.New(w.PIN), secret.New(w.PUK), secret.New(w.Issuer), w.Faces}
	clear(w.Issuer)
	clear(w.PIN)
	clear(w.PUK)
	if j.Card == "" || len(j.Faces) == 0 || j.Chip && (len(j.PersonalData) == 0 || len(j.GDO) == 0 || j.PIN.Len() == 0 || j.PUK.Len() == 0) {
		return Job{}, errors.New("the order's record misses a part")
	}
	return j, nil
}

// Wipe overwrites the codes and the key.
func (j *Job) Wipe() { j.PIN.Wipe(); j.PUK.Wipe(); j.IssuerKey.Wipe() }
