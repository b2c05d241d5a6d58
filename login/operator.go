package login

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/handover"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/page"
	"cse.example/cse/login/provider"
)

const maxForm = 8 << 10 // bytes

// operatorForm shows the form. It need not be the browser that began the flow:
// the ticket is what is bound to it (see the package comment).
func (s *Service) operatorForm(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("flow")
	_, c, err := s.flowOf(r, name, false)
	if err == nil && !c.Operators {
		err = words.Refuse("CSE-328")
	}
	if err != nil {
		s.refuse(w, r, err, "")
		return
	}
	s.showOperator(w, r, c, name, s.cookie(w, r), "", nil)
}

func (s *Service) showOperator(w http.ResponseWriter, r *http.Request, c provider.Client, flow, browser, account string, f *words.Fault) {
	p := page.Operator{
		Service: c.Name, Action: s.cfg.LoginURL + "/operator", Flow: flow, CSRF: s.csrf(browser, flow),
		BackURL: s.at("/choose", flow), Account: account, Fault: f, Status: http.StatusOK,
	}
	if f != nil {
		p.Status = http.StatusUnauthorized
		page.Tell(w.Header(), f)
	}
	w.Header().Set("Content-Security-Policy", page.Policy(s.cfg.Sources, c.Origins()))
	s.needs.Pages.Operator(w, r, p)
}

// csrf ties a form to the cookie of the browser that was shown it.
func (s *Service) csrf(browser, flow string) string {
	h := hmac.New(sha256.New, s.needs.SubjectKey.Reveal())
	h.Write([]byte("operator form\x00" + browser + "\x00" + flow))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// operatorEnter proves the operator and hands over by a ticket, like the card.
func (s *Service) operatorEnter(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, words.Refuse("CSE-327").Because(err), "")
		return
	}
	name, cookie := r.PostFormValue("flow"), held(r)
	if err := s.cross.Check(r); err != nil || cookie == "" || !identity.Same(r.PostFormValue("csrf"), s.csrf(cookie, name)) {
		s.refuse(w, r, words.Refuse("CSE-327").Because(err), "")
		return
	}
	f, c, err := s.flowOf(r, name, false)
	if err == nil && !c.Operators {
		err = words.Refuse("CSE-328")
	}
	if err != nil {
		s.refuse(w, r, err, "")
		return
	}
	account := r.PostFormValue("account")
	ticket, err := s.proveOperator(r, f)
	if fault := words.FaultOf(err); fault != nil {
		s.showOperator(w, r, c, name, cookie, account, fault)
		return
	}
	if err != nil {
		s.refuse(w, r, err, s.at("/choose", name))
		return
	}
	s.rememberDevice(w, r, account)
	w.Header().Set("Content-Security-Policy", page.Policy(s.cfg.Sources, c.Origins()))
	http.Redirect(w, r, s.cfg.LoginURL+"/return?ticket="+url.QueryEscape(ticket), http.StatusSeeOther)
}

func (s *Service) proveOperator(r *http.Request, f handover.Flow) (ticket string, err error) {
	ctx := r.Context()
	password, totp := secret.FromString(r.PostFormValue("password")), secret.FromString(r.PostFormValue("totp"))
	defer password.Wipe()
	defer totp.Wipe()
	op, err := s.needs.Operators.Authenticate(ctx, OperatorTry{
		Account: r.PostFormValue("account"), Password: password, TOTP: totp, Source: sourceOf(r), Device: s.device(r, r.PostFormValue("account")),
	})
	if err != nil {
		return "", fmt.Errorf("operator: %w", err)
	}
	if op.Account == "" || op.CF == "" {
		return "", errors.New("operator: an account without a codice fiscale")
	}
	now := s.needs.Clock.Now()
	id := identity.Identity{
		Method: identity.Operator, CF: op.CF, Name: op.Name, Account: op.Account,
		ACR: identity.ACROperator, AMR: identity.AMROperator, At: now,
	}
	if op.Surname != "" {
		id.Surname, id.GivenName, id.Name = op.Surname, op.Name, op.Name+" "+op.Surname
	}
	door.Derive(&id, civil.DayOf(now))
	err = s.needs.Atomically(ctx, func(ctx context.Context) error {
		if ticket, err = s.desk.Issue(ctx, f, id); err != nil {
			return err
		}
		return s.needs.Journal(ctx, journal.Entry{
			Act: "login.proved", Actor: op.Account, Person: op.CF,
			Detail: map[string]string{"client": f.Client, "acr": id.ACR},
		})
	})
	if err != nil {
		return "", fmt.Errorf("hand over: %w", err)
	}
	return ticket, nil
}
