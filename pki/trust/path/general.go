package path

import (
	"errors"
	"net"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

func uitoa(n uint64) string { return strconv.FormatUint(n, 10) }

// kind is the tag number of a GeneralName (RFC 5280, 4.2.1.6).
type kind uint8

const (
	kindOther     kind = 0
	kindEmail     kind = 1
	kindDNS       kind = 2
	kindX400      kind = 3
	kindDirectory kind = 4
	kindEDI       kind = 5
	kindURI       kind = 6
	kindIP        kind = 7
	kindID        kind = 8
)

// general is one GeneralName: text for e-mail, DNS and URI, name for a
// directory name, raw for the others.
type general struct {
	kind kind
	text string
	name Name
	raw  []byte
}

var errGeneral = errors.New("a general name that cannot be read")

// maxGenerals bounds the names of one certificate.
const maxGenerals = 4096

func readGenerals(s cryptobyte.String) ([]general, error) {
	var out []general
	for !s.Empty() {
		g, err := readGeneral(&s)
		if err != nil {
			return nil, err
		}
		if out = append(out, g); len(out) > maxGenerals {
			return nil, errors.New("too many names")
		}
	}
	return out, nil
}

func readGeneral(s *cryptobyte.String) (general, error) {
	var body cryptobyte.String
	var tag asn1.Tag
	if !s.ReadAnyASN1(&body, &tag) || tag&0xC0 != 0x80 || tag&0x1F > 8 {
		return general{}, errGeneral
	}
	g := general{kind: kind(tag & 0x1F), raw: body}
	constructed := tag&0x20 != 0
	switch g.kind {
	case kindEmail, kindDNS, kindURI:
		if constructed {
			return general{}, errGeneral
		}
		for _, c := range body {
			if c >= 0x80 { // IA5String
				return general{}, errGeneral
			}
		}
		g.text = string(body)
	case kindDirectory:
		n, err := readName(&body)
		if err != nil || !body.Empty() || !constructed {
			return general{}, errGeneral
		}
		g.name = n
	case kindIP, kindID:
		if constructed {
			return general{}, errGeneral
		}
	}
	return g, nil
}

// same compares two general names.
func (g general) same(o general) bool {
	if g.kind != o.kind {
		return false
	}
	switch g.kind {
	case kindDirectory:
		return g.name.Equal(o.name)
	case kindDNS, kindURI, kindEmail:
		return g.text == o.text
	}
	return string(g.raw) == string(o.raw)
}

func (g general) String() string {
	switch g.kind {
	case kindEmail, kindDNS, kindURI:
		return g.text
	case kindIP:
		return net.IP(g.raw).String()
	case kindDirectory:
		return "a directory name"
	}
	return "a name of type " + strconv.Itoa(int(g.kind))
}
