// Package path validates certification paths as RFC 5280, 6 tells, and nothing
// but as it tells: signatures, validity, names, basic constraints, key usage,
// name constraints, policies (as the graph of RFC 9618, whose size is bounded),
// and revocation by lists (6.3: distribution points, reasons, indirect lists,
// delta lists, lists signed by a key of their own) or by OCSP answers.
//
// Build looks for a path from a leaf to an anchor among certificates at hand and
// validates what it finds; Validate judges one path. Nothing is ever fetched:
// what is not at hand is missing, and the answer says so.
//
// Guaranteed: every refusal is a *Refusal with one Reason and the index of the
// certificate that it concerns; the work is bounded (Options.MaxDepth,
// Options.MaxSignatures, and the number of names, constraints and policies of
// one certificate), whatever a stranger sends. Parsing is ours, strict DER, so
// that what Go's crypto/x509 does not read (inherited DSA parameters, indirect
// lists, relative names of distribution points) is judged and not dropped.
//
// Refused: what is not proved, above all silence of a list that does not speak
// of the certificate. SHA-1 and DSA are refused unless Options.Legacy allows
// them, and are then named in Result.Weak; MD5 and older always.
package path
