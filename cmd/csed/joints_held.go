package main

import (
	"context"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
	"cse.example/cse/portal/content"
)

// What is held about a person beside registry, cards and trail: where he is
// written to, certificates, titles, requests. No code and no half of one is
// among it: the platform cannot read them (docs/decisions/0002).

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(civil.Rome).Format("2006-01-02 15:04")
}

func actFields(a counter.Kept) []privacy.Field {
	out := []privacy.Field{
		{Name: "protocol", Value: a.Protocol},
		{Name: "act", Value: string(a.Kind)},
		{Name: "card", Value: a.Card},
		{Name: "at", Value: moment(a.At)},
		{Name: "office", Value: a.Office},
	}
	if a.Destroyed() {
		return append(out, privacy.Field{Name: "destroyed", Value: "yes"})
	}
	return append(
		out,
		privacy.Field{Name: "present", Value: string(a.Present)},
		privacy.Field{Name: "document", Value: strings.TrimSpace(string(a.Document.Kind) + " " + a.Document.Number)},
		privacy.Field{Name: "email", Value: a.Email},
		privacy.Field{Name: "informativa", Value: a.Informativa},
	)
}

func (p *Platform) heldAbout(ctx context.Context, cf codicefiscale.Code) ([]privacy.Section, error) {
	contacts, err := p.heldContacts(ctx, cf)
	if err != nil {
		return nil, err
	}
	out := []privacy.Section{{Key: "contacts", Rows: contacts}}
	certificates, err := p.certificates.Of(ctx, cf)
	if err != nil {
		return nil, err
	}
	var rows [][]privacy.Field
	for _, x := range certificates {
		rows = append(rows, []privacy.Field{
			{Name: "number", Value: x.ID},
			{Name: "from", Value: day(x.From)},
			{Name: "to", Value: day(x.To)},
			{Name: "at", Value: moment(x.At)},
			{Name: "ended", Value: moment(x.EndedAt)},
		})
	}
	out = append(out, privacy.Section{Key: "team", Rows: rows})
	extended, err := p.heldExtensions(ctx, cf)
	if err != nil {
		return nil, err
	}
	out = append(out, privacy.Section{Key: "extensions", Rows: extended})
	titles, err := p.heldTitles(ctx, cf)
	if err != nil {
		return nil, err
	}
	out = append(out, privacy.Section{Key: "titles", Rows: titles})
	requests, err := p.privacy.Of(ctx, cf)
	if err != nil {
		return nil, err
	}
	rows = nil
	for _, q := range requests {
		rows = append(rows, []privacy.Field{
			{Name: "request", Value: string(q.Kind)},
			{Name: "state", Value: string(q.State)},
			{Name: "at", Value: moment(q.At)},
			{Name: "text", Value: q.Text},
			{Name: "answer", Value: q.Answer},
		})
	}
	return append(out, privacy.Section{Key: "requests", Rows: rows}), nil
}

// heldContacts is the address in force, the one before while it is remembered,
// and a change under way; the codes of a change are not shown.
func (p *Platform) heldContacts(ctx context.Context, cf codicefiscale.Code) ([][]privacy.Field, error) {
	c, err := p.book.Of(ctx, cf)
	if err != nil {
		return nil, err
	}
	notices := "no"
	if c.Notices {
		notices = "yes"
	}
	row := []privacy.Field{
		{Name: "email", Value: c.Email},
		{Name: "email_before", Value: c.Before},
		{Name: "language", Value: string(c.Lang)},
		{Name: "notices", Value: notices},
		{Name: "at", Value: moment(c.At)},
	}
	change, err := p.book.Pending(ctx, cf)
	if err != nil {
		return nil, err
	}
	if change != nil {
		row = append(row, privacy.Field{Name: "email_asked", Value: change.New})
	}
	return [][]privacy.Field{row}, nil
}

// heldTitles are the titles that were declared at counters, of whoever stands for
// the person and of those for whom he stands; the other one is not named.
func (p *Platform) heldTitles(ctx context.Context, cf codicefiscale.Code) ([][]privacy.Field, error) {
	var out [][]privacy.Field
	for _, x := range []struct {
		role string
		list func(context.Context, codicefiscale.Code) ([]counter.Link, error)
	}{{"represented", p.db.Links().LinksOf}, {"represents", p.db.Links().WardsOf}} {
		links, err := x.list(ctx, cf)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			row := []privacy.Field{
				{Name: "role", Value: x.role},
				{Name: "title", Value: string(l.Kind)},
				{Name: "protocol", Value: l.Protocol},
				{Name: "at", Value: moment(l.Since)},
				{Name: "until", Value: l.Until.Italian()},
				{Name: "ended", Value: moment(l.EndedAt)},
			}
			if l.Why != "" {
				row = append(row, privacy.Field{Name: "why", Value: l.Why})
			}
			out = append(out, row)
		}
	}
	return out, nil
}

// given are the privacy notices that somebody was handed, act by act.
func (p *Platform) given(ctx context.Context, cf codicefiscale.Code) ([]portal.GivenNotice, error) {
	cards, err := p.db.Cards().ByPerson(ctx, cf)
	if err != nil {
		return nil, err
	}
	var out []portal.GivenNotice
	for _, c := range cards {
		list, err := p.counter.KeptOf(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			if a.Informativa == "" {
				continue
			}
			g := portal.GivenNotice{At: a.At, Protocol: a.Protocol, Version: a.Informativa}
			if o, ok := p.directory.Office(a.Office); ok {
				g.Office = o.Name
			}
			out = append(out, g)
		}
	}
	return out, nil
}

// notice is the version of the privacy notice in force at an instant. The texts
// are built in, and Open has read them by then.
func (p *Platform) notice(at time.Time) string {
	texts, err := content.Open()
	if err != nil {
		p.Log.Error("privacy notices", "err", err)
		return ""
	}
	return texts.VersionAt(at)
}

// fieldText is a datum of the export for reading: words where the JSON has a
// name made for programs.
func fieldText(lang words.Lang, f privacy.Field) string {
	if key := "privacy.value." + f.Name + "." + f.Value; words.Has(lang, key) {
		return words.Say(lang, key)
	}
	return f.Value
}
