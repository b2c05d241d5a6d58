package holder

import (
	"encoding/binary"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
)

// longest is more than any file of a CNS holds.
const longest = 0x4000

// send transmits one command. 61xx is followed by GET RESPONSE and 6Cxx by the
// same command with the right Le, as T=0 wants (ISO/IEC 7816-4 clause 5.1.3);
// neither happens to a command that carries a code.
func (h *Holder) send(c iso7816.Command) (iso7816.Response, error) {
	r, err := h.exchange(c)
	if err != nil {
		return r, err
	}
	if r.SW>>8 == 0x6C && c.Le > 0 {
		c.Le = int(r.SW & 0xFF)
		if r, err = h.exchange(c); err != nil {
			return r, err
		}
	}
	if r.SW>>8 == 0x61 {
		return h.rest(c.CLA&^iso7816.ClassChaining, r)
	}
	return r, nil
}

// rest fetches what a T=0 card holds back, until it has no more.
func (h *Holder) rest(cla byte, r iso7816.Response) (iso7816.Response, error) {
	data := r.Data
	for r.SW>>8 == 0x61 && len(data) < longest {
		le := int(r.SW & 0xFF)
		if le == 0 {
			le = iso7816.MaxShortLe
		}
		var err error
		r, err = h.exchange(iso7816.Command{CLA: cla, INS: iso7816.InsGetResponse, Le: le})
		if err != nil {
			return r, err
		}
		data = append(data, r.Data...)
	}
	r.Data = data
	return r, nil
}

func (h *Holder) exchange(c iso7816.Command) (iso7816.Response, error) {
	b, err := c.Bytes()
	if err != nil {
		return iso7816.Response{}, err
	}
	answer, err := h.card.Transmit(b)
	if err != nil {
		return iso7816.Response{}, fmt.Errorf("%s: %w", c, err)
	}
	return iso7816.ParseResponse(answer)
}

// do is send for commands that must answer 9000.
func (h *Holder) do(c iso7816.Command) ([]byte, error) {
	r, err := h.send(c)
	if err != nil {
		return nil, err
	}
	if !r.SW.OK() {
		return nil, fmt.Errorf("%s: %w", c, r.SW)
	}
	return r.Data, nil
}

// selectFile selects an EF by its path from the MF, asking for no FCI.
func (h *Holder) selectFile(path cns.Path) error {
	_, err := h.do(iso7816.Command{INS: iso7816.InsSelect, P1: 0x08, P2: 0x0C, Data: path.Bytes()})
	return err
}

// readFile reads the first n bytes of the EF at path; fewer are an error.
func (h *Holder) readFile(path cns.Path, n int) ([]byte, error) {
	if err := h.selectFile(path); err != nil {
		return nil, err
	}
	b, err := h.read(0, n)
	if err == nil && len(b) < n {
		err = unreadable(fmt.Errorf("EF %s: %d bytes, %d wanted", path, len(b), n))
	}
	return b, err
}

// readDER reads the DER element at the start of the EF at path: one command
// where the mask takes extended length, else the first 256 bytes, whose header
// tells how many more to ask for. A file of zeros gives nothing.
func (h *Holder) readDER(path cns.Path) ([]byte, error) {
	if err := h.selectFile(path); err != nil {
		return nil, err
	}
	first := iso7816.MaxShortLe
	if h.longReads() {
		first = cns.SizeCertificate
	}
	b, err := h.read(0, first)
	if err != nil {
		return nil, err
	}
	n, err := lengthOfDER(b)
	if err != nil || n == 0 {
		return nil, err
	}
	if n > len(b) {
		more, err := h.read(len(b), n-len(b))
		if err != nil {
			return nil, err
		}
		b = append(b, more...)
	}
	if n > len(b) {
		return nil, unreadable(fmt.Errorf("EF %s: DER of %d bytes in a file of %d", path, n, len(b)))
	}
	return b[:n], nil
}

// read reads up to n bytes of the selected EF from offset.
func (h *Holder) read(offset, n int) ([]byte, error) {
	var out []byte
	for len(out) < n {
		at := offset + len(out)
		piece := n - len(out)
		if !h.longReads() {
			piece = min(piece, iso7816.MaxShortLe)
		}
		r, err := h.send(iso7816.Command{INS: iso7816.InsReadBinary, P1: byte(at >> 8), P2: byte(at), Le: piece})
		if err != nil {
			return nil, err
		}
		switch {
		case h.mask.Extended && piece > iso7816.MaxShortLe && (r.SW == iso7816.WrongLength || r.SW == iso7816.ClassNotSupported):
			h.mask.Extended = false // the reader in between takes short APDUs only
			continue
		case r.SW == iso7816.WrongOffset && len(out) > 0:
			return out, nil
		case !r.SW.OK() && r.SW != 0x6282:
			return nil, fmt.Errorf("READ BINARY at %d: %w", at, r.SW)
		case len(r.Data) == 0:
			return out, nil
		}
		out = append(out, r.Data...)
		if len(r.Data) < piece {
			return out, nil
		}
	}
	return out, nil
}

// longReads tells whether one READ BINARY may ask for more than 256 bytes: the
// mask takes extended length, and the way to the card takes the answer at once.
func (h *Holder) longReads() bool {
	most := reader.MaxAnswer(h.card)
	return h.mask.Extended && (most == 0 || most >= cns.SizeCertificate+2)
}

// lengthOfDER is the whole length of the SEQUENCE at the start of b; 0 when b
// starts with zeros (nothing written yet).
func lengthOfDER(b []byte) (int, error) {
	if len(b) < 4 || b[0] == 0 {
		return 0, nil
	}
	if b[0] != 0x30 {
		return 0, unreadable(fmt.Errorf("not a DER SEQUENCE: starts with %02X", b[0]))
	}
	switch {
	case b[1] < 0x80:
		return 2 + int(b[1]), nil
	case b[1] == 0x81:
		return 3 + int(b[2]), nil
	case b[1] == 0x82:
		return 4 + int(binary.BigEndian.Uint16(b[2:])), nil
	}
	return 0, unreadable(fmt.Errorf("DER length octet %02X", b[1]))
}
