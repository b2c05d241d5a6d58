// Package hsm keeps keys in a PKCS #11 token (OASIS, 2.40) behind crypto.Signer:
// ECDSA on P-256 and P-384, RSA by PKCS #1 v1.5 and, where asked, PSS. It needs
// cgo; a program built without refuses a configured token (CSE-915).
//
// Keys are made inside: sensitive, never extractable, good for signing only; the
// token is asked afterwards whether it took them so. Every signature is verified
// before it is handed out, for a token that errs in RSA gives its key away.
//
// Signatures share a few logged-in sessions. When the token was restarted, pulled
// out or reset by another user of its library (errors of session, device or
// login, see lost), the sessions are opened and logged in anew, the library is
// initialised anew if that does not help, and the call is made once more. A
// refused PIN is never tried twice: a token counts tries (CSE-917).
//
// The PIN comes from a file of one line that nobody else may read, read again at
// each login; it is not kept. Refused besides: a token that is not there or is
// there twice (CSE-916), a key that is not in it, is there twice, is not the one
// whose public half the *.key file has, or could leave (CSE-918).
package hsm

import "cse.example/cse/pki/keys"

// Config says which token.
type Config struct {
	// Module is the path of the token's PKCS #11 library.
	Module string
	// Token is the token's label; Serial, where it is not empty, is which of
	// several tokens of that label.
	Token, Serial string
	// PINFile has the user's PIN in one line, mode 0600.
	PINFile string
	// Sessions is how many signatures are made at a time; 0 means 8.
	Sessions int
}

// Token is an open token.
type Token interface {
	keys.Token
	// Close closes its sessions; its keys sign no more.
	Close() error
}
