package portal

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
)

// An address names nobody: it stays in histories, in logs of proxies and on
// screens that others see. A holder is therefore addressed by the number of a
// card, and somebody without a card by a reference that opens in this session
// only.

// holderPath is the address of a holder's sheet; card may be empty.
func (c *call) holderPath(cf codicefiscale.Code, card string) (string, error) {
	if card != "" {
		return cardPath(card), nil
	}
	sealed, err := c.p.Seal.Encrypt([]byte(cf), holderName(c.session.Key))
	if err != nil {
		return "", err
	}
	return "/sportello/titolare/" + pieces(base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// SheetPath is the address of the sheet of a card's holder.
func SheetPath(card string) string { return cardPath(card) }

func cardPath(card string) string { return "/sportello/tessera/" + url.PathEscape(card) }

// pieces sets dots in a random text, so that chance never spells sixteen
// letters and digits that look like a codice fiscale.
func pieces(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && i%12 == 0 {
			b.WriteByte('.')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// holderName binds a reference to the session that was given it.
func holderName(key []byte) []byte { return append([]byte("cse.portal.holder/1|"), key...) }

// holderOf opens a reference; one of another session leads nowhere.
func (c *call) holderOf(ref string) (codicefiscale.Code, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(strings.ReplaceAll(ref, ".", ""))
	if err != nil {
		return "", words.Refuse("CSE-002").Because(err)
	}
	cf, err := c.p.Seal.Decrypt(sealed, holderName(c.session.Key))
	if err != nil {
		return "", words.Refuse("CSE-002").Because(err)
	}
	return codicefiscale.Code(cf), nil
}

// card finds a card by its number.
func (c *call) card(id string) (lifecycle.Card, error) {
	card, err := c.p.Cards.Get(c.r.Context(), id)
	if errors.Is(err, lifecycle.ErrUnknown) {
		return card, words.Refuse("CSE-139").Because(err)
	}
	return card, err
}

// sheetOfCard is the sheet of a card's holder.
func (c *call) sheetOfCard() error {
	card, err := c.card(c.r.PathValue("numero"))
	if err != nil {
		return err
	}
	return c.sheet(card.CF)
}

// sheetOfHolder is the sheet of somebody without a card.
func (c *call) sheetOfHolder() error {
	cf, err := c.holderOf(c.r.PathValue("riferimento"))
	if err != nil {
		return err
	}
	return c.sheet(cf)
}
