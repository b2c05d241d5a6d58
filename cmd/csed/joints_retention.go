package main

import (
	"cse.example/cse/issuer/privacy"
)

// keepers are the kinds of datum with a term of their own, in the order of the
// report. The trail is the last: what the others did is in it
// (docs/decisions/0594, docs/privacy/registro.md).
func (p *Platform) keepers() []privacy.Keeper {
	c := p.Config.Privacy
	list := []privacy.Keeper{
		{Kind: "requests", Days: c.RequestsDays, Least: 365, Purge: p.db.Privacy().PurgeRequests},
		{Kind: "alerts", Days: c.AlertsDays, Least: 30, Purge: p.db.Privacy().PurgeAlerts},
		{Kind: "looks", Days: c.LooksDays, Least: 1, Purge: p.db.Privacy().PurgeLooks},
		{Kind: "questions", Days: c.LooksDays, Least: 1, Purge: p.db.Privacy().PurgeQuestions},
		{Kind: "tickets", Days: c.TicketsDays, Least: 30, Purge: p.db.Tickets().Purge},
		{Kind: "diagnoses", Days: c.DiagnosesDays, Least: 1, Purge: p.db.Reports().Purge},
		{Kind: "addresses", Days: c.ReplacedDays, Least: 30, Purge: p.book.ForgetReplaced},
		{Kind: "notices", Days: c.NoticesDays, Least: 30, Purge: p.db.Contacts().PurgeNotices},
		{Kind: "team", Days: c.TEAMDays, Least: 548, Purge: p.db.TEAMCertificates().Purge},
		{Kind: "titles", Days: c.TitlesDays, Least: 365, Purge: p.db.Links().PurgeEnded},
		{Kind: "approvals", Days: c.ApprovalsDays, Least: 365, Purge: p.db.Approvals().Purge},
		{Kind: "declarations", Days: c.DeclarationsDays, Least: 365, Purge: p.db.Declarations().Purge},
		{Kind: "campaigns", Days: c.CampaignsDays, Least: 365, Purge: p.db.Campaigns().Purge},
		{Kind: "extensions", Days: c.ExtensionsDays, Least: 365, Purge: p.db.Extensions().Purge},
		{Kind: "evidence", Days: c.EvidenceDays, Least: 3653, Purge: p.db.Acts().PurgeEvidence},
	}
	list = append(list, p.paperKeepers()...)
	return append(list, privacy.Keeper{Kind: "trail", Days: c.TrailDays, Least: 3653, Purge: p.trail.Cut})
}
