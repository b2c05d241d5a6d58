package main

import (
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/hsm"
)

// openVault is where the authority's keys are: sealed files, and the token if
// one is configured. Close the token when the keys are used no more.
func (c *Config) openVault() (v keys.Vault, done func() error, err error) {
	done = func() error { return nil }
	pass, err := passphrase(c.under(c.Keys.CA))
	if err != nil {
		return v, done, err
	}
	v = keys.Vault{Passphrase: pass, Inside: c.HSM.Inside}
	if c.HSM.Module == "" {
		return v, done, nil
	}
	t, err := hsm.Open(hsm.Config{Module: c.HSM.Module, Token: c.HSM.Token, Serial: c.HSM.Serial, PINFile: c.under(c.HSM.PINFile)})
	if err != nil {
		return v, done, err
	}
	v.Token = t
	return v, t.Close, nil
}

// vault is the platform's own, open as long as the platform is.
func (p *Platform) vault() (keys.Vault, error) {
	if p.keysDone != nil {
		return p.keys, nil
	}
	v, done, err := p.Config.openVault()
	if err != nil {
		return v, err
	}
	p.keys, p.keysDone = v, done
	return v, nil
}
