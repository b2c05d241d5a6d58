package journey

import (
	"crypto/x509"
	"testing"

	"cse.example/cse/demo/browser"
	"cse.example/cse/test/journey/inspect"
)

// journey is one run: two demonstrations, the people met on the way.
type journey struct {
	dir  string // everything of the run
	live *demonstration
	once *demonstration
	// roots trusts the live demonstration's web authority.
	roots *x509.CertPool
	// middleware is the PKCS#11 module that other people's programs load: OpenSC's
	// where it is empty.
	middleware string
	// citizen is the live demonstration's second holder, whose card is active.
	citizen person
	// desk is the browser of the operator who came in by the one-click entrance.
	desk *browser.Browser
	// seen are the command lines and environments of all our programs.
	seen []string
	// codes are all whole codes that the run came to know.
	codes []inspect.Codes
}

// TestJourney is the order of things. Steps go on after another one's failure as
// far as they can: each says what it needs.
func TestJourney(t *testing.T) {
	j := &journey{dir: t.TempDir()}
	j.live = j.start(t, "live", "demo", "--json", "--listen", liveTLS, "--listen-plain", livePlain)
	j.live.waitForPort(t)
	j.once = j.start(t, "once", "demo", "--once", "--json") // the usual ports, which the live one holds

	for _, step := range []struct {
		name string
		do   func(*journey, *testing.T)
	}{
		// while the two are at work
		{"configuration", (*journey).configuration},
		{"folders and ports", (*journey).foldersAndPorts},
		// the one that is over
		{"once: result", (*journey).onceResult},
		{"once: papers and chip", (*journey).oncePapers},
		{"once: nothing left behind", (*journey).onceLeftovers},
		{"once: chain and lists", (*journey).onceChain},
		// the one that is up
		{"live: up", (*journey).liveUp},
		{"entrances", (*journey).entrances},
		{"services", (*journey).services},
		{"cse login", (*journey).cseLogin},
		{"the door refuses", (*journey).doorRefuses},
		{"card files", (*journey).cardFiles},
		{"counter refuses", (*journey).counterRefuses},
		{"activation, halves, revocation", (*journey).lifeOfACard},
		{"OCSP", (*journey).ocsp},
		{"card in the reader", (*journey).inserted},
		{"pages", (*journey).pages},
		{"six journeys", (*journey).sixJourneys},
		// the end
		{"stop, fsck", (*journey).stopAndCheck},
		{"live: nothing left behind", (*journey).liveLeftovers},
		{"command lines", (*journey).commandLines},
	} {
		t.Run(step.name, func(t *testing.T) { step.do(j, t) })
	}
}
