package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/engine/mail"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/login"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/page"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
	"cse.example/cse/portal"
	"cse.example/cse/portal/api"
	"cse.example/cse/portal/look"
)

// The joints between rooms that do not know each other: each is a few lines
// that turn one room's word into another's.

// certificates moves certificates for the counter; an end also ends, in the
// same act, every session that the card opened (R5).
type certificates struct{ p *Platform }

func (c certificates) Activate(ctx context.Context, serial string) error {
	if card, err := c.foreign(ctx, serial); err != nil || card.ID != "" {
		return err // no authority of ours to tell
	}
	return c.p.authority.Activate(ctx, serial)
}

func (c certificates) Release(ctx context.Context, serial string) error {
	if card, err := c.foreign(ctx, serial); err != nil || card.ID != "" {
		return errors.Join(err, c.ask(ctx, card, "release", 0))
	}
	return c.p.authority.Release(ctx, serial)
}

func (c certificates) Hold(ctx context.Context, serial string) error {
	if card, err := c.foreign(ctx, serial); err != nil || card.ID != "" {
		return errors.Join(err, c.ask(ctx, card, "hold", onHold))
	}
	if err := c.p.authority.Hold(ctx, serial); err != nil {
		return err
	}
	return c.endSessions(ctx, serial)
}

func (c certificates) Revoke(ctx context.Context, serial string, reason int) error {
	if card, err := c.foreign(ctx, serial); err != nil || card.ID != "" {
		return errors.Join(err, c.ask(ctx, card, "revoke", reason))
	}
	if err := c.p.authority.Revoke(ctx, serial, reason); err != nil {
		return err
	}
	if err := c.abandon(ctx, serial); err != nil {
		return err
	}
	return c.endSessions(ctx, serial)
}

// endSessions ends what the card opened (R5).
func (c certificates) endSessions(ctx context.Context, serial string) error {
	if c.p.login == nil {
		return nil // no sessions without listeners; tokens ask the card at each use anyway
	}
	r, err := c.p.authority.Get(ctx, serial)
	if err != nil {
		return err
	}
	_, err = c.p.login.EndFor(ctx, r.Card)
	return err
}

// operators proves operators for login.
type operators struct{ p *Platform }

func (o operators) Authenticate(ctx context.Context, y login.OperatorTry) (login.OperatorIdentity, error) {
	if err := o.p.roster.Fresh(ctx); err != nil {
		return login.OperatorIdentity{}, err
	}
	op, err := o.p.proofs.Authenticate(ctx, staff.Try{Account: y.Account, Password: y.Password, Code: y.TOTP, Source: y.Source, Device: y.Device}, o.p.Clock.Now())
	if err != nil {
		return login.OperatorIdentity{}, err
	}
	return login.OperatorIdentity{Account: op.Account, CF: string(op.CF), Name: op.Name}, nil
}

func (p *Platform) operatorLive(_ context.Context, account string) error {
	_, err := working{p}.OperatorByAccount(account)
	return err
}

// revocation asks the records themselves, where a revocation counts from its act
// on; other issuers' lists for their cards.
func (p *Platform) revocation(ctx context.Context, ref identity.CardRef) (door.CertStatus, error) {
	if !ref.Own {
		st, err := p.neighbour.revocation(ctx, ref, p.Clock.Now())
		if err != nil || st.State != door.Good {
			return st, err
		}
		return p.baseStanding(ctx, ref)
	}
	r, err := p.authority.Get(ctx, profile.SerialText(ref.SerialNumber()))
	if errors.Is(err, ca.ErrUnknown) {
		return door.CertStatus{State: door.NeverIssued}, nil
	}
	if err != nil {
		return door.CertStatus{}, err
	}
	if !p.certifiedBy(r, ref) {
		return door.CertStatus{State: door.NeverIssued}, nil
	}
	by, err := p.db.PKI().Authority(ctx, r.Issuer)
	if err != nil && !errors.Is(err, ca.ErrNoAuthority) {
		return door.CertStatus{}, err
	}
	switch {
	case r.State != ca.Revoked && by.Revoked():
		return door.CertStatus{State: door.Revoked, At: by.RevokedAt, Reason: ca.CACompromise}, nil
	case r.State == ca.Good:
		return door.CertStatus{State: door.Good}, nil
	case r.State == ca.Pending || r.State == ca.Held:
		return door.CertStatus{State: door.Held, At: r.ChangedAt}, nil
	case r.State == ca.Revoked:
		return door.CertStatus{State: door.Revoked, At: r.ChangedAt, Reason: r.Reason}, nil
	}
	return door.CertStatus{State: door.NeverIssued}, nil
}

// doorCard is what the door and the portal ask about a card, at every use.
func (p *Platform) doorCard(ctx context.Context, id string) (door.Card, error) {
	c, err := p.db.Cards().Get(ctx, id)
	if errors.Is(err, lifecycle.ErrUnknown) {
		return door.Card{}, door.ErrNoCard
	}
	if err != nil {
		return door.Card{}, err
	}
	person, err := p.db.People().Get(ctx, c.CF)
	if err != nil {
		return door.Card{}, err
	}
	cards, err := p.db.Cards().ByPerson(ctx, c.CF)
	if err != nil {
		return door.Card{}, err
	}
	now := p.Clock.Now()
	today := civil.DayOf(now)
	fn := lifecycle.Functions(c, lifecycle.FactsOf(person, c, cards), now)[3]
	state, err := p.waiting(ctx, c, doorState(c, fn))
	if err != nil {
		return door.Card{}, err
	}
	return door.Card{
		State: state, Since: fn.Since, CF: string(person.CF), Surname: person.Surname, Name: person.Name,
		Born: person.Born, Sex: person.Sex, Birthplace: person.BirthPlace, Province: person.BirthProvince,
		Deceased: !person.AliveOn(today), NotAssisted: !person.AssistedOn(today),
	}, nil
}

func doorState(c lifecycle.Card, fn lifecycle.Function) door.State {
	switch {
	case fn.State == lifecycle.Valid:
		return door.Active
	case fn.State == lifecycle.NotActivated || fn.State == lifecycle.Pending:
		return door.NotActivated
	case fn.State == lifecycle.OnHold && c.Reason == lifecycle.RepresentationEnded:
		return door.Waiting
	case fn.State == lifecycle.OnHold:
		return door.Suspended
	case fn.State == lifecycle.FunctionOver:
		return door.Expired
	case c.State == lifecycle.Replaced || fn.Reason == "lifecycle.why.replaced":
		return door.Replaced
	}
	return door.Ended
}

// cardAlive answers the portal as the door answers at the door.
func (p *Platform) cardAlive(ctx context.Context, id, issuer string) *words.Fault {
	err := p.alive(ctx, id, issuer)
	if err == nil {
		return nil
	}
	if f := words.FaultOf(err); f != nil {
		return f
	}
	return words.Refuse("CSE-306").Because(err)
}

// alive asks for a card of ours, or of another issuer's that came to the door: a
// number alone may be both.
func (p *Platform) alive(ctx context.Context, id, issuer string) error {
	c, err := p.db.Cards().Get(ctx, id)
	if err == nil && issuer != "" && !p.neighbour.same(c.Issuer, issuer) {
		err = lifecycle.ErrUnknown // ours, or a third issuer's, with the same number
	}
	if ref, ok := p.neighbour.card(issuer, id); ok && errors.Is(err, lifecycle.ErrUnknown) {
		return p.login.Live(ctx, identity.Identity{Method: identity.Card, Card: ref})
	}
	if err != nil {
		return err
	}
	if c.Foreign() {
		return p.login.Live(ctx, identity.Identity{Method: identity.Card, CF: string(c.CF), Card: baseRef(c)})
	}
	r, err := p.authority.Get(ctx, c.CertSerial)
	if err != nil {
		return err
	}
	cert, err := r.Certificate()
	if err != nil {
		return err
	}
	return p.login.Live(ctx, identity.Identity{
		Method: identity.Card, CF: string(c.CF),
		Card: identity.CardRef{
			ID: id, Issuer: issuerID(cert.RawIssuer, cert.AuthorityKeyId), Serial: cert.SerialNumber.Text(16), Own: true,
			NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		},
	})
}

// worklist is what waits at the counters.
func (p *Platform) worklist() (*counter.Worklist, error) {
	return counter.NewWorklist(counter.WorklistParts{
		Directory: p.directory, Cards: p.db.Cards(), Find: p.db.Acts().Find, Open: p.db.Acts().Open, Of: p.db.Acts().Of, ByCard: p.db.Acts().ByCard,
		Undelivered: p.undelivered, Unit: p.unitOf,
	})
}

// undelivered are the mails and letters with second halves that the queue gave up,
// that came back, or of which nobody knows whether they left (R75).
func (p *Platform) undelivered(ctx context.Context) ([]counter.Undelivered, error) {
	var out []counter.Undelivered
	for _, state := range []string{queue.Failed, queue.Uncertain, queue.Bounced} {
		var err error
		for _, kind := range []string{counter.KindMailCodes, counter.KindPrintLetter} {
			if out, err = p.undeliveredIn(ctx, kind, state, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// tasks shows an operator what waits at his office.
func (p *Platform) tasks(ctx context.Context, op staff.Operator) ([]portal.Task, error) {
	w, err := p.worklist()
	if err != nil {
		return nil, err
	}
	list, err := w.Tasks(ctx, op)
	if err != nil {
		return nil, err
	}
	out := make([]portal.Task, len(list))
	for i, t := range list {
		out[i] = portal.Task{At: t.At, Kind: string(t.Kind), Card: t.Card, Path: taskPath(t)}
	}
	if out, err = p.withPapersDue(ctx, op, out); err != nil {
		return nil, err
	}
	return p.withChecksDue(ctx, op, out)
}

// shift is what an operator did on a day.
func (p *Platform) shift(ctx context.Context, op staff.Operator, day civil.Date) ([]counter.ShiftLine, error) {
	w, err := p.worklist()
	if err != nil {
		return nil, err
	}
	lines, err := w.Shift(ctx, op, day)
	if err != nil {
		return nil, err
	}
	return p.withPapersMissing(ctx, op, day, lines)
}

// dropPrint destroys what is left of a print: released if done, cancelled if not.
func (p *Platform) dropPrint(ctx context.Context, key string) error {
	err := p.queue.Release(ctx, key)
	var state *queue.StateError
	if errors.As(err, &state) {
		return p.queue.Drop(ctx, key)
	}
	return err
}

// mailCodes sends the second halves: the only place that opens them.
func (p *Platform) mailCodes(ctx context.Context, e effect.Effect, _ int) error {
	var m counter.CodesMail
	if err := json.Unmarshal(e.Body, &m); err != nil {
		return errors.Join(effect.ErrPermanent, err)
	}
	h, err := p.second.SecondHalves(ctx, m.Card)
	if errors.Is(err, codes.ErrNone) {
		return errors.Join(effect.ErrPermanent, err) // revoked meanwhile: there is nothing to send any more
	}
	if err != nil {
		return err
	}
	subject, text := m.Text(h)
	return p.send(ctx, e, m.To, subject, text)
}

func (p *Platform) mailNotice(ctx context.Context, e effect.Effect, _ int) error {
	var n counter.Notice
	if err := json.Unmarshal(e.Body, &n); err != nil {
		return errors.Join(effect.ErrPermanent, err)
	}
	subject, text := n.Text()
	return p.send(ctx, e, n.To, subject, text)
}

// send keeps identity and date of a letter the same at every attempt.
func (p *Platform) send(ctx context.Context, e effect.Effect, to, subject, text string) error {
	item, err := p.queue.Get(ctx, e.Key)
	if err != nil {
		return err
	}
	return p.mailer.Send(ctx, mail.Message{
		ID: p.messageID(e.Key), Date: item.Created, From: p.Config.Mail.From, To: to, Subject: subject, Text: text,
	})
}

// loginPages draws login's pages in the portal's look.
func (p *Platform) loginPages(o Options) (page.Pages, error) {
	assets, err := look.Assets()
	if err != nil {
		return nil, words.Refuse("CSE-387").Because(err)
	}
	l, err := portal.NewLook(p.theme(o), assets)
	if err != nil {
		return nil, err
	}
	pages := portal.NewLoginPages(l, p.Config.Public.Portal, p.Config.Public.Login, p.Log)
	p.loginAssets = pages.Assets()
	if o.Pages != nil {
		return o.Pages(pages), nil
	}
	return pages, nil
}

// withAssets serves the look beside login's own addresses.
func (p *Platform) withAssets(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, look.Prefix) {
			p.loginAssets.ServeHTTP(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// health answers /livez (the process runs) and /readyz (it can work).
func (p *Platform) health(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez":
			_, _ = w.Write([]byte("ok\n")) // the asker may be gone
		case "/readyz":
			ctx, stop := context.WithTimeout(r.Context(), 2*time.Second)
			defer stop()
			if err := p.db.Ping(ctx); err != nil {
				p.Log.Error("not ready", "err", err)
				http.Error(w, "not ready", http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write([]byte("ok\n" + p.listsReady() + p.clockReady(ctx)))
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// withAPI serves the JSON interface beside the portal's pages.
func (p *Platform) withAPI(pages http.Handler) (http.Handler, error) {
	h, err := api.New(api.Deps{
		URL: p.Config.Public.Portal, Body: p.Config.Region.Name, Ready: p.db.Ping, Clock: p.Clock, Log: p.Log, TEAMInUK: p.Config.Region.TEAMInUK,
		Diagnoses: p.inbox.Receive,
		Maintenance: func() (time.Time, bool) {
			m, closed := p.maintenance()
			return m.Until, closed
		},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(api.Root, h)
	mux.Handle("/", pages)
	return mux, nil
}

// httpClient reaches our own hosts: by the local authority, or by the machine's
// when the certificate was bought.
func (p *Platform) httpClient() *http.Client {
	roots := p.webCA.ClientConfig()
	if p.Config.Web.Certificate != "" {
		roots = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{
		DialContext: localhost.DialContext, TLSClientConfig: roots, ForceAttemptHTTP2: true,
	}}
}

// serverCertificate is the one that the configuration names, good for every
// public name, or those of the local authority.
func (p *Platform) serverCertificate() (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	c := &p.Config
	if c.Web.Certificate == "" {
		return p.webCA.GetCertificate, nil
	}
	pair, err := tls.LoadX509KeyPair(c.under(c.Web.Certificate), c.under(c.Web.Key))
	if err != nil {
		return nil, words.Refuse("CSE-383", "web.certificate", c.Web.Certificate, "server.pem").Because(err)
	}
	for _, u := range []string{c.Public.Portal, c.Public.Login, c.Public.CNS, c.Public.API} {
		if err := pair.Leaf.VerifyHostname(hostname(u)); err != nil {
			return nil, words.Refuse("CSE-383", "web.certificate", c.Web.Certificate, hostname(u)).Because(err)
		}
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }, nil
}

func (p *Platform) maintenance() (portal.Maintenance, bool) {
	m := p.Config.Maintain
	if m.Reason == "" || !p.Clock.Now().Before(m.Until) {
		return portal.Maintenance{}, false
	}
	return portal.Maintenance{Reason: map[words.Lang]string{words.Italian: m.Reason}, Until: m.Until}, true
}

// activities are the acts on somebody's cards, newest first.
func (p *Platform) activities(ctx context.Context, cf codicefiscale.Code) ([]portal.Activity, error) {
	recs, err := p.trail.LastByPerson(ctx, string(cf), 200)
	if err != nil {
		return nil, err
	}
	out := make([]portal.Activity, 0, len(recs))
	for _, r := range recs {
		a := portal.Activity{At: r.At, Act: r.Act, Motive: r.Detail["motive"], Purpose: r.Detail["purpose"], Index: r.Index}
		if o, ok := p.directory.Office(r.Office); ok {
			a.Office, a.Role = o.Name, "operator"
		}
		if name := p.provider(r.Actor); name != "" {
			a.Office, a.Role = name, "provider"
		}
		out = append(out, a)
	}
	return out, nil
}

func (c *Config) catalogue() []portal.Service {
	level := map[string]string{"centrale": "central", "regionale": "regional", "comunale": "municipal"}
	var out []portal.Service
	for _, s := range c.Services {
		out = append(out, portal.Service{
			ID: s.ID, Level: level[s.Level], URL: s.URL, Legal: s.Legal,
			Name: map[words.Lang]string{words.Italian: s.Name}, About: map[words.Lang]string{words.Italian: s.Text},
		})
	}
	return out
}

// parent is the domain above a host name.
func parent(host string) string {
	_, p, _ := strings.Cut(host, ".")
	return p
}

// clerk writes orders for the counter's acts.
func (p *Platform) clerk() *production.Clerk {
	return &production.Clerk{
		Config: p.Config.productionConfig(), Cards: p.db.Cards(), People: p.db.People(), Orders: p.db.Orders(), Record: p.trail.Record, Clock: p.Clock,
	}
}

// refused writes down what somebody was refused, in an act of its own.
func (p *Platform) refused(ctx context.Context, r portal.Refusal) error {
	detail := map[string]string{"route": r.Route, "code": r.Code}
	if r.Others > 0 {
		detail["others"] = strconv.Itoa(r.Others)
	}
	return p.db.Atomically(ctx, func(ctx context.Context) error {
		return p.trail.Record(ctx, journal.Entry{
			Act: "access.refused", Actor: r.Actor, Office: r.Office, Card: r.Card, Person: r.Person, Detail: detail,
		})
	})
}
