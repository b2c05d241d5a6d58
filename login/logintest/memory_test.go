package logintest

import "testing"

func TestMemory(t *testing.T) {
	m := NewMemory()
	Suite(t, m, m.Atomically)
}

func TestRedemptionsInMemory(t *testing.T) { Redemptions(t, New(t, Options{}), 50, 4) }
