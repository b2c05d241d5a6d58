package staff

// TakeProofs takes every place where passwords are compared; leave gives them back.
func (c *Authenticator) TakeProofs() (leave func()) {
	for range cap(c.proofs) {
		c.proofs <- struct{}{}
	}
	return func() {
		for range cap(c.proofs) {
			<-c.proofs
		}
	}
}
