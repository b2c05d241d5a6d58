package counter

import "context"

// Kept is an act as the person whom it concerns may read it.
type Kept struct {
	ActRow
	// Document that was shown, who showed it, and the version of the privacy
	// notice; empty once retention has destroyed them.
	Document    Document
	Present     Present
	Informativa string
	// Email is the address that the act took, if it took one.
	Email string
}

// KeptOf lists what is kept of the acts on a card, newest first. It asks for no
// right: whoever calls it answers the holder.
func (c *Counter) KeptOf(ctx context.Context, card string) ([]Kept, error) {
	rows, err := c.d.Acts.ByCard(ctx, card)
	if err != nil {
		return nil, err
	}
	out := make([]Kept, len(rows))
	for i, r := range rows {
		e, err := c.evidence(r)
		if err != nil {
			return nil, err
		}
		out[i] = Kept{r, e.Identity.Document, e.Identity.Present, e.Form.Informativa, e.Contact.Email}
	}
	return out, nil
}
