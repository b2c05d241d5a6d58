// Package ceremony makes the keys and certificates above the cards, and the
// root's list, from one reviewed file (YAML, read strictly): root, key of an
// issuing authority, issuing authority, OCSP responder, root's list; one mode a
// file, so that a root that is kept off line signs on a machine of its own. The
// idea of one declarative file is that of Let's Encrypt's boulder (cmd/ceremony).
//
// Guaranteed:
//   - Nothing is made that the file does not say. Its passphrases and PIN are all
//     that comes from elsewhere.
//   - Four eyes: at least two approvers that the file lists have signed its SHA-256
//     (Ed25519 signed notes, x/mod/sumdb/note), each for at most 30 days.
//   - Every certificate and list is linted before it is signed; Rehearse does that
//     alone, with throw-away keys, and writes nothing.
//   - A transcript (file, approvals, witnesses, inputs, results, instant, program),
//     signed by the key that the mode signs with, which Verify checks off line.
//   - Killed anywhere, the ceremony goes on when it is held again with the same
//     file. Results appear one by one at the end, transcript first, and replace
//     nothing: a folder is whole when Verify says so.
//
// Refused, by name and with what to write: every field that will not do (CSE-919),
// missing, expired or strange approvals (CSE-920), a folder that another ceremony
// left half done (CSE-921), what is no ceremony file (CSE-922), a transcript that
// does not verify (CSE-923).
package ceremony
