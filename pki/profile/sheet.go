package profile

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
)

// Sheet is what two people agree on before an authority issues under a profile: all
// that its certificates say of their own accord. The addresses of OCSP and lists and
// the number of parts are left out: where a site is moves with the site.
type Sheet struct {
	Schema       string `json:"schema"` // "cse.profile/1"
	Authority    string `json:"authority"`
	Organisation string `json:"organisation"`
	Unit         string `json:"unit"`
	Policy       string `json:"policy"`
	Notice       string `json:"notice"`
	Years        int    `json:"years"`
	// Extra are the further extensions, each as "OID hexadecimal".
	Extra []string `json:"extra,omitempty"`
}

const sheetSchema = "cse.profile/1"

// Sheet is that of an authority by its label.
func (p CNS) Sheet(label string) Sheet {
	policy := p.Policy
	if policy == nil {
		policy = PolicyCNS
	}
	s := Sheet{
		Schema: sheetSchema, Authority: label, Organisation: p.Organisation, Unit: p.Unit,
		Policy: policy.String(), Notice: p.notice(), Years: Years,
	}
	for _, e := range p.Extra {
		s.Extra = append(s.Extra, e.Id.String()+" "+hex.EncodeToString(e.Value))
	}
	return s
}

// Content is the sheet in its one spelling.
func (s Sheet) Content() ([]byte, error) { return json.Marshal(s) }

// ParseSheet reads what Content wrote; ok is false for anything else.
func ParseSheet(content []byte) (s Sheet, ok bool) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil || s.Schema != sheetSchema {
		return Sheet{}, false
	}
	again, err := s.Content()
	return s, err == nil && bytes.Equal(again, content)
}
