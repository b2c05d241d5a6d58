// Package crash kills the real csed (bin/csed, SIGKILL) at random instants of
// production and of activation, starts it again, and asks that nothing was lost
// and nothing done twice: `csed fsck` finds nothing after every kill, every person
// has one card, every chip carries the certificate on record, every activation
// happened once, its form was printed at most once, and its letters arrived under
// one Message-ID each.
//
// The bureau of production is a process of its own (this test binary, started
// again) and is killed as well. CSE_CRASH_KILLS is the number of kills of each of the two; without it
// the tests are skipped. CSE_CRASH_SEED repeats the choices of an earlier run, as
// far as the machine's own timing lets it.
package crash
