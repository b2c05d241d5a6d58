package door

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/handover"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/page"
)

// The addresses of the card's host: Path brings in, ProofPath only proves that
// the card signed just now, though it is on hold (see Door.AdmitHeld).
const (
	Path      = "/cns/auth"
	ProofPath = "/cns/riattiva"
)

// ProofClient is the client of flows that prove a signature and bring nobody
// in; no service can be registered under it.
const ProofClient = "cse:proof"

// Handler serves the card's host: GET /cns/auth?flow=NAME. Whoever is let in
// receives 303 to the login host with a ticket; whoever is not, a page with the
// reason and the header CSE-Error. Every answer closes its connection, so that
// the next try is a new handshake: another card, or the same card with its PIN.
type Handler struct {
	Door *Door
	Desk *handover.Desk
	// LoginURL and Sources: see login.Config.
	LoginURL string
	// ProofURL is where a proved signature goes: a page of the portal.
	ProofURL string
	Sources  []string
	Journal  journal.Recorder
	Pages    page.Pages
	Log      *slog.Logger
	Random   identity.Random
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page.Harden(w.Header())
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Security-Policy", page.Policy(h.Sources, nil))
	proof := r.URL.Path == ProofPath && h.ProofURL != ""
	if r.URL.Path != Path && !proof || r.Method != http.MethodGet {
		h.refuse(w, r, &Refusal{Fault: words.Refuse("CSE-002")}, "")
		return
	}
	name := r.URL.Query().Get("flow")
	flow, err := h.Desk.Flow(r.Context(), name)
	if err == nil && (flow.Client == ProofClient) != proof {
		err = words.Refuse("CSE-323") // a flow of the one kind does not do for the other
	}
	if err != nil {
		h.fail(w, r, err, "")
		return
	}
	if r.TLS == nil {
		h.fail(w, r, errors.New("the card's host must be served over TLS, by this process"), name)
		return
	}
	admit, to, act := h.Door.Admit, h.LoginURL+"/return", "login.proved"
	if proof {
		admit, to, act, name = h.Door.AdmitHeld, h.ProofURL, "card.proved", ""
	}
	id, err := admit(r.Context(), *r.TLS)
	if err != nil {
		h.fail(w, r, err, name)
		return
	}
	ticket, err := h.enter(r.Context(), flow, id, act)
	if err != nil {
		h.fail(w, r, err, name)
		return
	}
	http.Redirect(w, r, to+"?ticket="+url.QueryEscape(ticket), http.StatusSeeOther)
}

func (h *Handler) enter(ctx context.Context, flow handover.Flow, id identity.Identity, act string) (ticket string, err error) {
	err = h.Desk.Atomically(ctx, func(ctx context.Context) error {
		if ticket, err = h.Desk.Issue(ctx, flow, id); err != nil {
			return err
		}
		return h.Journal(ctx, journal.Entry{
			Act: act, Actor: "holder", Card: id.Card.ID, Person: id.CF,
			Detail: map[string]string{"client": flow.Client, "acr": id.ACR},
		})
	})
	if err != nil {
		return "", fmt.Errorf("hand over: %w", err)
	}
	return ticket, nil
}

// fail answers err: a refusal as a page and, once somebody is known, in the
// journal; anything else as an internal error with a reference.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error, flow string) {
	var ref *Refusal
	switch {
	case errors.As(err, &ref):
	case words.FaultOf(err) != nil:
		ref = &Refusal{Fault: words.FaultOf(err)}
	default:
		id := h.Random.Text()[:8]
		h.Log.ErrorContext(r.Context(), "card door", "reference", id, "err", err)
		ref = &Refusal{Fault: words.Refuse("CSE-001", id).Because(err)}
	}
	if ref.Card != "" {
		h.record(r.Context(), ref)
	}
	h.refuse(w, r, ref, flow)
}

func (h *Handler) record(ctx context.Context, ref *Refusal) {
	err := h.Desk.Atomically(ctx, func(ctx context.Context) error {
		return h.Journal(ctx, journal.Entry{
			Act: "login.refused", Actor: "holder", Card: ref.Card, Person: ref.Person,
			Detail: map[string]string{"code": ref.Code},
		})
	})
	if err != nil { // the refusal stands all the same
		h.Log.ErrorContext(ctx, "card door: refusal not recorded", "code", ref.Code, "err", err)
	}
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, ref *Refusal, flow string) {
	p := page.Refusal{Fault: ref.Fault, Status: page.Status(ref.Code)}
	if ref.Code == "CSE-302" {
		p.ReasonKey = page.ReasonKey(ref.Reason)
	}
	if flow != "" {
		p.RetryURL = h.LoginURL + "/choose?flow=" + url.QueryEscape(flow)
	}
	if r.URL.Path == ProofPath {
		p.RetryURL = h.ProofURL
	}
	h.Log.InfoContext(r.Context(), "card door: refused", "code", ref.Code)
	page.Tell(w.Header(), ref.Fault)
	h.Pages.Refusal(w, r, p)
}
