package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// openPrivacy is the room of data subjects' requests, alerts and retention.
func (p *Platform) openPrivacy() (*privacy.Room, error) {
	seal, err := p.web.aead(aeadDesk)
	if err != nil {
		return nil, err
	}
	key, err := p.web.raw(rawSubject)
	if err != nil {
		return nil, err
	}
	terms := privacy.Terms{AnswerDays: p.Config.Privacy.AnswerDays, LooksADay: p.Config.Privacy.LooksADay}
	if err := privacy.CheckKeepers(p.keepers()); err != nil {
		return nil, words.Refuse("CSE-383", "privacy", err.Error(), "requests_days: 730")
	}
	return privacy.New(privacy.Deps{
		Requests: p.db.Privacy(), Looks: p.db.Privacy(), Reports: p.db.Privacy(), Export: p.held, Person: p.db.People().Get,
		Operator: func(_ context.Context, account string) (codicefiscale.Code, bool) {
			op, err := p.directory.OperatorByAccount(account)
			return op.CF, err == nil
		},
		Colleague: func(_ context.Context, cf codicefiscale.Code) bool { return p.directory.Works(cf) },
		Pseudonym: pseudonym("cse.privacy/1", key),
		Seal:      seal, Clock: p.Clock, Rand: rand.Reader, Atomically: p.db.Atomically, Record: p.trail.Record, Terms: terms,
	})
}

// held is everything that the platform holds about a person, for him.
func (p *Platform) held(ctx context.Context, cf codicefiscale.Code) ([]privacy.Section, error) {
	var out []privacy.Section
	who, err := p.db.People().Get(ctx, cf)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return nil, err
	}
	if err == nil {
		out = append(out, privacy.Section{Key: "registry", Rows: [][]privacy.Field{{
			{Name: "surname", Value: who.Surname},
			{Name: "name", Value: who.Name},
			{Name: "born", Value: who.Born.String()},
			{Name: "sex", Value: who.Sex},
			{Name: "birth_place", Value: who.BirthPlace},
			{Name: "citizenship", Value: who.Citizenship},
			{Name: "residence", Value: who.Residence},
			{Name: "address", Value: strings.TrimSpace(who.Address + " " + who.PostCode)},
			{Name: "asl", Value: who.ASL},
			{Name: "assisted_from", Value: day(who.AssistedFrom)},
			{Name: "assisted_until", Value: day(who.AssistedUntil)},
			{Name: "permit_until", Value: day(who.Permit.Until)},
			{Name: "email", Value: who.Email},
		}}})
	}
	cards, err := p.db.Cards().ByPerson(ctx, cf)
	if err != nil {
		return nil, err
	}
	var rows, acts [][]privacy.Field
	for _, c := range cards {
		row := []privacy.Field{
			{Name: "card", Value: c.ID},
			{Name: "team", Value: c.TEAM},
			{Name: "model", Value: string(c.Model)},
			{Name: "state", Value: string(c.State)},
			{Name: "issued", Value: day(c.Issued)},
			{Name: "expires", Value: day(c.Expires)},
			{Name: "certificate", Value: c.CertSerial},
		}
		for _, f := range lifecycle.Functions(c, lifecycle.FactsOf(who, c, cards), p.Clock.Now()) {
			row = append(row, privacy.Field{Name: "function_" + string(f.Name), Value: string(f.State)})
		}
		rows = append(rows, row)
		done, err := p.counter.KeptOf(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range done {
			acts = append(acts, actFields(a))
		}
	}
	more, err := p.heldAbout(ctx, cf)
	if err != nil {
		return nil, err
	}
	out = append(out, privacy.Section{Key: "cards", Rows: rows}, privacy.Section{Key: "acts", Rows: acts})
	papers, err := p.heldPapers(ctx, cf)
	if err != nil {
		return nil, err
	}
	out = append(append(out, more...), papers)
	recs, err := p.trail.LastByPerson(ctx, string(cf), 1000)
	if err != nil {
		return nil, err
	}
	var seen [][]privacy.Field
	for _, r := range recs {
		seen = append(seen, []privacy.Field{
			{Name: "at", Value: r.At.In(civil.Rome).Format("2006-01-02 15:04")},
			{Name: "act", Value: r.Act},
			{Name: "office", Value: r.Office},
			{Name: "motive", Value: r.Detail["motive"]},
		})
	}
	return append(out, privacy.Section{Key: "activity", Rows: seen}), nil
}

func day(d civil.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

// printExport is the export for reading.
func (p *Platform) printExport(ctx context.Context, e privacy.Export, lang words.Lang) ([]byte, error) {
	if p.press == nil {
		return nil, words.Refuse("CSE-392")
	}
	x := paper.Extract{Reference: e.At.UTC().Format("20060102150405"), At: e.At}
	who, err := p.db.People().Get(ctx, codicefiscale.Code(e.CF))
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return nil, err
	}
	x.Holder = paper.Person{Surname: who.Surname, Name: who.Name, CF: e.CF, Born: who.Born, BirthPlace: who.BirthPlace}
	for _, s := range e.Sections {
		part := paper.ExtractSection{Title: words.Say(lang, "privacy.section."+s.Key)}
		for _, row := range s.Rows {
			var r []string
			for _, f := range row {
				r = append(r, words.Say(lang, "privacy.field."+f.Name), fieldText(lang, f))
			}
			part.Records = append(part.Records, r)
		}
		x.Sections = append(x.Sections, part)
	}
	return p.press.Papers(lang, x)
}

// pseudonym is keyed, the same for the same person, and another in each room.
func pseudonym(room string, key secret.Text) func(cf codicefiscale.Code) string {
	return func(cf codicefiscale.Code) string {
		m := hmac.New(sha256.New, key.Reveal())
		m.Write([]byte(room + "|" + string(cf.Base())))
		return hex.EncodeToString(m.Sum(nil)[:16])
	}
}
