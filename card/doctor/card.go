package doctor

import (
	"errors"
	"fmt"
	"strings"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// card looks at service, readers and card and opens the card. done lets go of
// what is open and is never nil; the holder is nil when there is no CNS.
func (r *run) card() (h *holder.Holder, done func()) {
	done = func() {}
	if r.Card != nil {
		r.unknown(diagnosis.Service, "file")
		r.unknown(diagnosis.Reader, "file")
		c, err := r.Card()
		if err != nil {
			r.bad(diagnosis.Card, err)
			return nil, done
		}
		r.report.Reader = r.Name
		return r.recognise(c), func() { _ = c.Close() }
	}
	if r.Open == nil {
		return nil, done
	}
	service, err := r.Open()
	if err != nil {
		r.bad(diagnosis.Service, r.Host.whyNoService(err))
		return nil, done
	}
	done = func() { _ = service.Close() }
	slots, err := service.Slots()
	if err != nil {
		r.bad(diagnosis.Service, err)
		return nil, done
	}
	r.good(diagnosis.Service, "service")
	best := r.readers(slots)
	if best == nil {
		return nil, done
	}
	c, err := service.Connect(*best)
	if err != nil {
		r.bad(diagnosis.Card, err)
		return nil, done
	}
	return r.recognise(c), func() { _ = reader.Part(c, false); _ = service.Close() }
}

// readers writes a line for each reader and one for the card, and gives the
// reader to use; nil when none has a card that can be used.
func (r *run) readers(slots []reader.Slot) *reader.Slot {
	var best *reader.Slot
	for i := range slots {
		s := &slots[i]
		if !strings.Contains(strings.ToLower(s.Name), strings.ToLower(r.Reader)) {
			continue
		}
		if best == nil || rank(*s) > rank(*best) {
			best = s
		}
	}
	if best == nil {
		if seen := r.Host.USBReaders(); len(seen) > 0 && len(slots) == 0 {
			r.bad(diagnosis.Reader, words.Refuse("CSE-802", seen[0]))
			return nil
		}
		r.bad(diagnosis.Reader, words.Refuse(reader.CodeNoReader))
		return nil
	}
	r.report.Reader = best.Name
	for i := range slots {
		r.reader(&slots[i], best)
	}
	switch f := WhyUnusable(*best); {
	case best.Away:
		return nil // the reader's line says it
	case f != nil:
		r.bad(diagnosis.Card, f)
		return nil
	}
	return best
}

// reader is the line of one reader. Another reader than the one in use does not
// matter; why it would not do is said all the same.
func (r *run) reader(s, best *reader.Slot) {
	f := WhyUnusable(*s)
	line := diagnosis.Check{Part: diagnosis.Reader, State: diagnosis.OK, Note: "reader", Args: []any{s.Name}, Detail: s.Name}
	switch {
	case s == best && s.Away:
		line.State, line.Fault = diagnosis.Fault, f
	case s == best:
	case f != nil && (f.Code != reader.CodeNoCard):
		line.State, line.Fault = diagnosis.Attention, f
	case f != nil:
		line.Note = "reader.empty"
	default:
		line.Note = "reader.other"
	}
	r.add(line)
}

// WhyUnusable tells why a reader cannot be used now, nil when it can: it is away
// (CSE-803), its card is another program's (CSE-217), mute (CSE-219) or missing
// (CSE-203).
func WhyUnusable(s reader.Slot) *words.Fault {
	switch {
	case s.Away:
		return words.Refuse("CSE-803", s.Name)
	case s.Busy:
		return words.Refuse(reader.CodeInUse, s.Name)
	case s.Mute:
		return words.Refuse(reader.CodeMute)
	case !s.Present:
		return words.Refuse(reader.CodeNoCard)
	}
	return nil
}

// rank prefers a CNS to another card, a card that answers to one that does not,
// and a reader that is there to one that is away.
func rank(s reader.Slot) int {
	switch {
	case s.Away:
		return 0
	case s.Present && !s.Mute && !s.Busy && holder.IsCNS(s.ATR):
		return 5
	case s.Present && !s.Mute && !s.Busy:
		return 4
	case s.Busy:
		return 3
	case s.Present:
		return 2
	}
	return 1
}

// recognise tells which card it is; nil when it is no CNS.
func (r *run) recognise(c reader.Card) *holder.Holder {
	atr := c.ATR()
	r.report.ATR = fmt.Sprintf("%X", atr)
	h, err := holder.New(c)
	if err != nil {
		r.bad(diagnosis.Card, stranger(c, err))
		return nil
	}
	id := h.Identify()
	r.report.Family, r.report.Tested = id.Family, string(id.Tested)
	switch {
	case id.Professional:
		r.attention(diagnosis.Card, words.Refuse("CSE-805"), id.Family)
	case id.Tested == holder.Unknown:
		r.attention(diagnosis.Card, words.Refuse("CSE-807", r.report.ATR), id.Family)
	default:
		r.good(diagnosis.Card, "card."+string(id.Tested), id.Family)
	}
	return h
}

// stranger tells what a card is whose answer to reset is no CNS's: the TS-CNS
// itself without contacts (CSE-806), a CNS of a model nobody knows, since it has
// a CNS's files (CSE-204), or another card (CSE-804).
func stranger(c reader.Card, err error) error {
	if holder.Contactless(c.ATR()) {
		return words.Refuse("CSE-806").Because(err)
	}
	if holder.HasCNSFiles(c) {
		return err
	}
	return words.Refuse("CSE-804").Because(err)
}

// files reads what every CNS has: the card's number and the personal data.
func (r *run) files(h *holder.Holder) {
	_, err := h.CardID()
	if err != nil {
		r.bad(diagnosis.Files, fileFault(err, "ID_Carta"))
		return
	}
	data, _, err := h.ReadPersonalData()
	if err != nil {
		r.bad(diagnosis.Files, fileFault(err, "DatiPersonali"))
		return
	}
	r.born = data.Issued
	r.good(diagnosis.Files, "files")
}

// fileFault names the file that is missing (CSE-808) or does not read (CSE-225).
func fileFault(err error, name string) error {
	var sw iso7816.SW
	switch {
	case errors.Is(err, iso7816.FileNotFound):
		return words.Refuse("CSE-808", name).Because(err)
	case words.FaultOf(err) == nil && errors.As(err, &sw):
		return words.Refuse("CSE-225").Because(err)
	}
	return err
}

// certificate reads the certificate and compares it with the files.
func (r *run) certificate(h *holder.Holder) {
	leaf, err := h.Certificate()
	if err != nil {
		r.bad(diagnosis.Certificate, fileFault(err, "C_Carta"))
		return
	}
	r.leaf = leaf
	if r.report.State(diagnosis.Files) == diagnosis.OK {
		if err := ofThisCard(h, leaf.Subject.CommonName); err != nil {
			r.bad(diagnosis.Certificate, words.Refuse("CSE-809").Because(err))
			return
		}
	}
	r.good(diagnosis.Certificate, "certificate")
}

// ofThisCard compares the certificate's name with number and data of the card
// (card.md section 6).
func ofThisCard(h *holder.Holder, commonName string) error {
	name, err := cns.ParseCommonName(commonName)
	if err != nil {
		return err
	}
	id, err := h.CardID()
	if err != nil {
		return err
	}
	data, raw, err := h.ReadPersonalData()
	if err != nil {
		return err
	}
	switch {
	case name.ID != id:
		return errors.New("the certificate names another card")
	case name.CF != data.CF:
		return errors.New("the certificate names another person")
	case name.Hash != cns.Neutral().HashPersonalData(raw) && name.Hash != (cns.Profile{HashWithoutPadding: true}).HashPersonalData(raw):
		return errors.New("the certificate's hash is of other data")
	}
	return nil
}
