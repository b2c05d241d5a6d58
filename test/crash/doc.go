// Package crash kills the real csed (bin/csed, SIGKILL) at random instants of
// production, of activation, of publication, of holds and revocations, and of
// extensions, starts it again, and asks that nothing was lost and nothing done twice:
// `csed fsck` finds nothing after every kill, every person has one card, every chip
// carries the certificate on record, every activation happened once, its form was
// printed at most once, and its letters arrived under one Message-ID each.
//
// Of the authority it asks more: every list that lies there is whole and verifies,
// what was revoked before a list is in it, the first answers of the next csed are
// those of the records, a watcher who never stops asking never sees a certificate
// good again that was revoked, and an extended card has one good certificate.
//
// The bureau of production is a process of its own (this test binary, started
// again) and is killed as well. CSE_CRASH_KILLS is the number of kills of each test;
// without it the tests are skipped. CSE_CRASH_SEED repeats the choices of an earlier
// run, as far as the machine's own timing lets it. Key files are sealed again at the
// lowest cost (cheap_test.go), everything else is the installation as it is made.
package crash
