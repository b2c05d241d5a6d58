// Package extend extends the certificate of the card in the reader (R108, R109):
// the holder's side of issuer/extension, for "cse certificate extend" and the
// local page of "cse app".
//
// Run does all of it and can be run again after anything: a card taken out, a
// reader unplugged, a network or a machine that stopped. It finds out where the
// last run ended from the card and the service alone; nothing is kept on this
// computer. The card's PIN is asked for by the holder package, when the card must
// sign.
//
// It guarantees that the certificate is offered to the service only, that the chip
// is written with what the issuer closed for it and nothing else, and that Run says
// it is done only when the chip's file was read back and the service has confirmed.
// Errors are words.Fault; CSE-898 means "interrupted, run again".
package extend

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Step is where Run is, for a progress line; the words are "extend.step.<step>".
type Step string

// The steps, in their order. Resuming stands in for Entering when the last run
// ended midway.
const (
	Reading    Step = "reading"    // what the card holds, and whether it can be written
	Entering   Step = "entering"   // the old certificate proves itself to the service
	Resuming   Step = "resuming"   // the card's key proves itself: a run ended midway
	Proving    Step = "proving"    // the card signs, the new certificate is issued
	Writing    Step = "writing"    // the issuer writes it into the chip
	Comparing  Step = "comparing"  // what the chip now holds is read back
	Confirming Step = "confirming" // the new certificate becomes good
)

// Steps lists them.
func Steps() []Step {
	return []Step{Reading, Entering, Resuming, Proving, Writing, Comparing, Confirming}
}

// Terms are what the holder is asked to agree to.
type Terms struct {
	Card string
	// From is the last day of the certificate that is good now, Until that of the new.
	From, Until civil.Date
}

// Result is how it ended.
type Result struct {
	Terms
	// Serial is the new certificate's, lower-case hexadecimal.
	Serial string
	// Already: nothing was done, the card's certificate is an extended one and
	// cannot be extended further.
	Already bool
	// Resumed: an earlier run had ended midway.
	Resumed bool
}

// Options are what Run needs besides the card.
type Options struct {
	// Service is the address of the card's host: https://cns.HOST[:PORT].
	Service string
	// Roots are the authorities of the service; nil means the system's.
	Roots *x509.CertPool
	// PIN gives the card's PIN when the card must sign, once as a rule.
	PIN holder.AskPIN
	// Agree is asked before anything is issued; an error stops Run and comes back.
	// nil agrees. It is not asked again when a run resumes.
	Agree func(ctx context.Context, t Terms) error
	// Progress is told each step; may be nil.
	Progress func(Step)
	// Name is sent as User-Agent.
	Name string
}

// Run extends the certificate of h's card.
func Run(ctx context.Context, h *holder.Holder, o Options) (Result, error) {
	if o.Progress == nil {
		o.Progress = func(Step) {}
	}
	s, err := dial(o)
	if err != nil {
		return Result{}, err
	}
	r := &run{h: h, o: o, service: s}
	return r.all(ctx)
}

// run is one Run.
type run struct {
	h       *holder.Holder
	o       Options
	service *service
	session session
	file    []byte // what EF.C_Carta held at the beginning
	resumed bool
}

func (r *run) all(ctx context.Context) (Result, error) {
	r.o.Progress(Reading)
	id, err := r.h.CardID()
	if err != nil {
		return Result{}, err
	}
	room, err := r.h.Updatable()
	if err != nil {
		return Result{}, err
	}
	if r.file, err = r.h.CertificateFile(); err != nil && words.FaultOf(err) == nil {
		return Result{}, interrupted(err)
	}
	if err := r.enter(ctx, string(id), room); err != nil {
		return Result{}, err
	}
	out := Result{Terms: r.session.terms(), Serial: r.session.Serial, Resumed: r.resumed}
	if r.session.State == "confirmed" {
		out.Already = true
		return out, nil
	}
	if err := r.prove(ctx, out.Terms); err != nil {
		return Result{}, err
	}
	if err := r.write(ctx); err != nil {
		return Result{}, interrupted(err)
	}
	out.Terms.Until, out.Serial = r.session.until(), r.session.Serial
	return out, nil
}

// interrupted keeps what the service refused, and what the PIN did; everything else
// that happens after the certificate was issued is to be resumed.
func interrupted(err error) error {
	var told *refusal
	if f := words.FaultOf(err); errors.As(err, &told) || f != nil && (f.Field == "pin" || f.Code == "CSE-891" || f.Code == "CSE-896" || f.Code == "CSE-897") {
		return err
	}
	return words.Refuse("CSE-898").Because(err)
}

// torn are the refusals of a card whose file may hold what an earlier run left: a
// certificate on hold, or bytes that nobody signed.
var torn = map[string]bool{"CSE-303": true, "CSE-307": true, "CSE-308": true, "CSE-309": true, "CSE-310": true, "CSE-311": true, "CSE-312": true, "CSE-316": true}

// enter proves the certificate in the card's file to the service, or the card's
// key when the file holds none that is good.
func (r *run) enter(ctx context.Context, card string, room int) error {
	var first error
	if leaf, err := x509.ParseCertificate(r.file); err == nil {
		r.o.Progress(Entering)
		first = r.begin(ctx, leaf, room)
		if f := words.FaultOf(first); f == nil || !torn[f.Code] && f.Code != "CSE-226" && f.Code != "CSE-225" {
			return first
		}
	}
	r.o.Progress(Resuming)
	err := r.resume(ctx, card)
	if f := words.FaultOf(err); f != nil && f.Code == "CSE-895" && first != nil {
		return first // nothing to resume: the card is what it seems
	}
	r.resumed = err == nil
	return err
}

func (r *run) begin(ctx context.Context, leaf *x509.Certificate, room int) error {
	if _, ok := leaf.PublicKey.(*rsa.PublicKey); !ok {
		return words.Refuse("CSE-225")
	}
	signer, err := r.h.Signer(r.o.PIN)
	if err != nil {
		return err
	}
	return r.service.enter(ctx, leaf, signer, ask{Room: room}, &r.session)
}

func (r *run) resume(ctx context.Context, card string) error {
	var c session
	if err := r.service.post(ctx, "challenge", ask{Card: card}, &c); err != nil {
		return err
	}
	signature, err := r.sign(card, c.Nonce)
	if err != nil {
		return err
	}
	return r.service.post(ctx, "resume", ask{Token: c.Token, Signature: signature}, &r.session)
}

// sign has the card's key sign a challenge of the service.
func (r *run) sign(card string, nonce []byte) ([]byte, error) {
	signer, err := r.h.KeySigner(r.o.PIN)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(message(card, nonce))
	return signer.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// message is what is signed (extension.Message).
func message(card string, nonce []byte) []byte {
	return append([]byte("cse.extension/1\n"+card+"\n"), nonce...)
}

// prove has the new certificate issued: after the holder agreed, save when that
// was done in an earlier run.
func (r *run) prove(ctx context.Context, t Terms) error {
	if len(r.session.Nonce) == 0 {
		return nil // resumed: the key is proved
	}
	if r.session.State == "issued" {
		r.resumed = true
	} else if r.o.Agree != nil {
		if err := r.o.Agree(ctx, t); err != nil {
			return err
		}
	}
	r.o.Progress(Proving)
	signature, err := r.sign(r.session.Card, r.session.Nonce)
	if err != nil {
		return err
	}
	return r.service.post(ctx, "prove", ask{Token: r.session.Token, Signature: signature}, &r.session)
}

// write has the issuer write the file, reads it back and has it confirmed. A file
// that holds the new certificate already is only looked at.
func (r *run) write(ctx context.Context) error {
	script := "write"
	if r.holdsNew(r.file) {
		script = "look"
	}
	for tries := 0; ; tries++ {
		answers, err := r.script(ctx, script)
		switch {
		case errors.Is(err, holder.ErrChallengeLost) && tries < 3:
			continue
		case errors.Is(err, holder.ErrWholeRefused) && script == "write":
			script = "pieces"
			continue
		case err != nil:
			return err
		}
		r.o.Progress(Comparing)
		if r.file, err = r.h.CertificateFile(); err != nil {
			return err
		}
		if !r.holdsNew(r.file) {
			return words.Refuse("CSE-897").Because(errors.New("read back, the file holds another certificate"))
		}
		r.o.Progress(Confirming)
		err = r.service.post(ctx, "confirm", ask{Token: r.session.Token, Answers: answers}, &r.session)
		if f := words.FaultOf(err); f != nil && f.Code == "CSE-897" && script == "look" {
			script = "write"
			continue
		}
		return err
	}
}

// script lets the issuer speak to the chip once.
func (r *run) script(ctx context.Context, script string) ([][]byte, error) {
	if script == "look" {
		r.o.Progress(Comparing)
	} else {
		r.o.Progress(Writing)
	}
	challenge, err := r.h.Challenge()
	if err != nil {
		return nil, err
	}
	var a authorised
	if err := r.service.post(ctx, "authorise", ask{Token: r.session.Token, Script: script, Challenge: challenge}, &a); err != nil {
		return nil, err
	}
	return r.h.UnderIssuer(a.Cryptogram, a.Commands)
}

// holdsNew tells whether a file's content is the new certificate, as far as its
// serial number says; the service compares every byte.
func (r *run) holdsNew(file []byte) bool {
	c, err := x509.ParseCertificate(file)
	return err == nil && r.session.Serial != "" && bytes.Equal([]byte(fmt.Sprintf("%032x", c.SerialNumber)), []byte(r.session.Serial))
}
