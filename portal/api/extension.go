package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/login/page"
	"cse.example/cse/portal/look"
)

// ExtensionPrefix is where the extension of certificates lives, on the card's host.
const ExtensionPrefix = "/v1/extension/"

// The bodies of the interface (cse certificate extend speaks it). All are POST and
// JSON; binary fields are Base64. The token is the session of one program.
type (
	// ExtensionAsk is the body of every request; each uses its own fields: begin
	// room; challenge card; prove and resume token and signature; authorise token,
	// script and challenge; confirm token and answers.
	ExtensionAsk struct {
		Token     string   `json:"token,omitempty"`
		Card      string   `json:"card,omitempty"`
		Room      int      `json:"room,omitempty"`
		Signature []byte   `json:"signature,omitempty"`
		Script    string   `json:"script,omitempty"`
		Challenge []byte   `json:"challenge,omitempty"`
		Answers   [][]byte `json:"answers,omitempty"`
	}
	// ExtensionSession answers all but authorise. Days are ISO.
	ExtensionSession struct {
		Token  string `json:"token,omitempty"`
		Nonce  []byte `json:"nonce,omitempty"`
		State  string `json:"state,omitempty"`
		Card   string `json:"card,omitempty"`
		From   string `json:"from,omitempty"`
		Until  string `json:"until,omitempty"`
		Serial string `json:"serial,omitempty"`
	}
	// ExtensionScript answers authorise.
	ExtensionScript struct {
		Cryptogram []byte   `json:"cryptogram"`
		Commands   [][]byte `json:"commands"`
	}
)

// Handshake tells whose good certificate a finished handshake proved; its refusals
// are faults.
type Handshake func(ctx context.Context, cs tls.ConnectionState) (extension.Proof, error)

// NewExtension makes the interface. Only begin looks at the handshake: the other
// steps prove themselves by the token, and resume by the card's key.
func NewExtension(room *extension.Room, prove Handshake, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	at := func(name string, do func(r *http.Request, ask ExtensionAsk) (any, error)) {
		mux.HandleFunc("POST "+ExtensionPrefix+name, func(w http.ResponseWriter, r *http.Request) {
			look.SecureHeaders(w.Header())
			w.Header().Set("Cache-Control", "no-store")
			var ask ExtensionAsk
			d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
			d.DisallowUnknownFields()
			var answer any
			err := d.Decode(&ask)
			if err != nil {
				err = words.Refuse("CSE-357").Because(err)
			} else {
				answer, err = do(r, ask)
			}
			if err != nil {
				refuseExtension(w, r, err, log)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer) // the asker may be gone
		})
	}
	at("begin", func(r *http.Request, ask ExtensionAsk) (any, error) {
		if r.TLS == nil {
			return nil, errors.New("the card's host must be served over TLS, by this process")
		}
		p, err := prove(r.Context(), *r.TLS)
		if err != nil {
			return nil, err
		}
		return sessionOf(room.Begin(r.Context(), p, ask.Room))
	})
	at("prove", func(r *http.Request, ask ExtensionAsk) (any, error) {
		return sessionOf(room.Prove(r.Context(), secret.FromString(ask.Token), ask.Signature))
	})
	at("challenge", func(r *http.Request, ask ExtensionAsk) (any, error) {
		return sessionOf(room.Challenge(r.Context(), ask.Card))
	})
	at("resume", func(r *http.Request, ask ExtensionAsk) (any, error) {
		return sessionOf(room.Resume(r.Context(), secret.FromString(ask.Token), ask.Signature))
	})
	at("authorise", func(r *http.Request, ask ExtensionAsk) (any, error) {
		a, err := room.Authorise(r.Context(), secret.FromString(ask.Token), extension.Script(ask.Script), ask.Challenge)
		return ExtensionScript{a.Cryptogram, a.Commands}, err
	})
	at("confirm", func(r *http.Request, ask ExtensionAsk) (any, error) {
		return sessionOf(room.Confirm(r.Context(), secret.FromString(ask.Token), ask.Answers))
	})
	return mux
}

func sessionOf(s extension.Session, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	out := ExtensionSession{Token: string(s.Token.Reveal()), Nonce: s.Nonce, State: string(s.State), Card: s.Card, Serial: s.Serial}
	if !s.From.IsZero() {
		out.From = s.From.String()
	}
	if !s.Until.IsZero() {
		out.Until = s.Until.String()
	}
	return out, nil
}

// refuseExtension answers a problem, with the code and what fills its sentence in
// the headers too, as the card's door does.
func refuseExtension(w http.ResponseWriter, r *http.Request, err error, log *slog.Logger) {
	f, status := words.FaultOf(err), http.StatusForbidden
	switch {
	case f == nil:
		log.ErrorContext(r.Context(), "an extension's request failed", "err", err)
		f, status = words.Refuse("CSE-001", "-"), http.StatusInternalServerError
	case throttle.WaitOf(err) > 0:
		status = http.StatusTooManyRequests
	case f.Code == "CSE-357":
		status = http.StatusBadRequest
	}
	page.Tell(w.Header(), f)
	p := problemOf(r.Header.Get("Accept-Language"), status, f)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p) // the asker may be gone
}
