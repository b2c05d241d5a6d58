package main

import "cse.example/cse/pki/keys"

// openVault is where the authority's keys are; done lets go of it.
func (c *Config) openVault() (v keys.Vault, done func(), err error) {
	pass, err := passphrase(c.under(c.Keys.CA))
	return keys.Sealed(pass), func() {}, err
}

// vault is the platform's own, open as long as the platform is.
func (p *Platform) vault() (keys.Vault, error) {
	v, _, err := p.Config.openVault()
	return v, err
}
