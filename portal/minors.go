package portal

// codesToChange tells the holder of a card to ask for new codes: who stood for him
// has had the ones it has.
func (c *call) codesToChange(card Card) (bool, error) {
	if c.p.Area == nil || c.p.Area.CodesToChange == nil {
		return false, nil
	}
	return c.p.Area.CodesToChange(c.r.Context(), card.Card)
}
