package portal

import (
	"time"

	"cse.example/cse/issuer/operations"
	"cse.example/cse/pki/ca"
	"cse.example/cse/portal/look"
)

// authorityText is what a second person approves of an authority: its name, and the
// fingerprint of its certificate, which he compares with the ceremony's transcript.
func (c *call) authorityText(a ca.Asking) string {
	switch {
	case a.Act == ca.AskRotation:
		return c.say("portal.approval.authority.rotate", a.Label, a.Fingerprint)
	case a.Next != "":
		return c.say("portal.approval.authority.revoke.next", a.Label, a.Fingerprint, a.Next, a.NextFingerprint)
	}
	return c.say("portal.approval.authority.revoke", a.Label, a.Fingerprint)
}

// authorityBadge is what is odd about one of our authorities, or the clock; ok is
// false when nothing is.
func (c *call) authorityBadge(k operations.Key, now time.Time) (b look.Badge, ok bool) {
	switch {
	case k.Fault != nil:
		return look.Badge{Tone: look.Bad, Word: c.say("portal.ops.key.stopped", k.Fault.Code)}, true
	case k.Revoked:
		return look.Badge{Tone: look.Bad, Word: c.say("portal.ops.key.revoked")}, true
	case !k.Needed.IsZero() && now.After(k.Needed):
		return look.Badge{Tone: look.Wait, Word: c.say("portal.ops.key.next")}, true
	}
	return b, false
}
