package api

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/portal/look"
)

// Desks is what the program at a counter's reader asks; a *desk.Room is one.
type Desks interface {
	Of(chain []*x509.Certificate) (desk.Desk, error)
	Take(ctx context.Context, d desk.Desk, reader []byte) (desk.Job, error)
	Taken(ctx context.Context, d desk.Desk, id string) (desk.Job, error)
	Finish(ctx context.Context, d desk.Desk, id string, x desk.Result) error
}

// DeskPrefix is where the interface of the counters' readers lives, on the host
// that asks for a client certificate.
const DeskPrefix = "/v1/desk/"

// The bodies of the interface (cse desk speaks it): next takes a job, pieces asks
// for the sealed halves, done tells what came of it. 204: nothing to do, not there
// yet, understood.
type (
	// DeskNext is the program's public key for one job.
	DeskNext struct {
		Reader []byte `json:"reader"`
	}
	// DeskJob is a job.
	DeskJob struct {
		Job  string `json:"job"`
		Kind string `json:"kind"`
		Card string `json:"card"`
	}
	// DeskPieces are both sealed halves.
	DeskPieces struct {
		First  []byte `json:"first"`
		Second []byte `json:"second"`
	}
	// DeskDone is the card that was read, or why not (CSE-nnn), and what a test found.
	DeskDone struct {
		Job   string         `json:"job"`
		Card  string         `json:"card"`
		Code  string         `json:"code"`
		Found *desk.Findings `json:"found"`
	}
)

// NewDesk makes the interface.
func NewDesk(d Desks, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	at := func(name string, do func(r *http.Request, who desk.Desk, body json.RawMessage) (any, error)) {
		mux.HandleFunc("POST "+DeskPrefix+name, func(w http.ResponseWriter, r *http.Request) {
			look.SecureHeaders(w.Header())
			w.Header().Set("Cache-Control", "no-store")
			r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
			answer, err := deskAnswer(d, r, do)
			switch {
			case errors.Is(err, desk.ErrNone):
				w.WriteHeader(http.StatusNoContent)
			case err != nil:
				f := words.FaultOf(err)
				status := http.StatusForbidden
				if f != nil {
					log.WarnContext(r.Context(), "a reader was refused", "route", r.Pattern, "code", f.Code)
				}
				if f == nil {
					log.ErrorContext(r.Context(), "a reader's request failed", "err", err)
					f, status = words.Refuse("CSE-001", "-"), http.StatusInternalServerError
				}
				p := problemOf(r.Header.Get("Accept-Language"), status, f)
				w.Header().Set("Content-Type", p.ContentType(""))
				w.WriteHeader(status)
				_ = json.NewEncoder(w).Encode(p) // the asker may be gone
			case answer == nil:
				w.WriteHeader(http.StatusNoContent)
			default:
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(answer)
			}
		})
	}
	at("next", func(r *http.Request, who desk.Desk, body json.RawMessage) (any, error) {
		var b DeskNext
		if err := json.Unmarshal(body, &b); err != nil {
			return nil, words.Refuse("CSE-357").Because(err)
		}
		j, err := d.Take(r.Context(), who, b.Reader)
		return DeskJob{j.ID, string(j.Kind), j.Card}, err
	})
	at("pieces", func(r *http.Request, who desk.Desk, body json.RawMessage) (any, error) {
		var b DeskDone
		if err := json.Unmarshal(body, &b); err != nil {
			return nil, words.Refuse("CSE-357").Because(err)
		}
		j, err := d.Taken(r.Context(), who, b.Job)
		if err != nil {
			return nil, words.Refuse("CSE-472").Because(err)
		}
		if len(j.First) == 0 || len(j.Second) == 0 {
			return nil, nil
		}
		return DeskPieces{j.First, j.Second}, nil
	})
	at("done", func(r *http.Request, who desk.Desk, body json.RawMessage) (any, error) {
		var b DeskDone
		if err := json.Unmarshal(body, &b); err != nil {
			return nil, words.Refuse("CSE-357").Because(err)
		}
		err := d.Finish(r.Context(), who, b.Job, desk.Result{Card: b.Card, Code: b.Code, Found: b.Found})
		if errors.Is(err, desk.ErrNone) {
			err = words.Refuse("CSE-472").Because(err)
		}
		return nil, err
	})
	return mux
}

func deskAnswer(d Desks, r *http.Request, do func(r *http.Request, who desk.Desk, body json.RawMessage) (any, error)) (any, error) {
	var chain []*x509.Certificate
	if r.TLS != nil {
		chain = r.TLS.PeerCertificates
	}
	who, err := d.Of(chain)
	if err != nil {
		return nil, err
	}
	var body json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, words.Refuse("CSE-357").Because(err)
	}
	return do(r, who, body)
}
