package main

import (
	"cse.example/cse/card/secmsg"
	"cse.example/cse/ground/secret"
)

// The joints of the extension of certificates (R106-R109).

// chipKey is the key by which we update one chip after it was handed out: of
// that card alone, from a master key of its own purpose.
func (p *Platform) chipKey(card string) (secret.Text, error) {
	master, err := p.derived("cse.chip-issuer/1")
	if err != nil {
		return secret.Text{}, err
	}
	defer master.Wipe()
	k, err := secmsg.Diversify(master.Reveal(), card)
	return secret.New(k), err
}
