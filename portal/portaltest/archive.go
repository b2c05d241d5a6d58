package portaltest

import (
	"context"
	"io"
	"net/http"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// papers is an archive with two papers in one case, and nothing in the others;
// those of one case are somebody else's to see.
type papers struct{ *desk }

const paperID = "00112233445566778899aabbccddeeff"

func (p papers) Add(ctx context.Context, op staff.Operator, protocol string, k archive.Kind, file []byte) error {
	_, err := p.Act(ctx, op, protocol)
	_, ok := archive.TypeOf(file)
	switch {
	case err != nil:
		return err
	case k == "":
		return words.Refuse("CSE-520").At("foglio")
	case !ok:
		return words.Refuse("CSE-519").At("file")
	}
	return nil
}

func (p papers) Papers(_ context.Context, _ staff.Operator, protocol string) ([]archive.Paper, error) {
	switch protocol {
	case "2026/0000003":
		return []archive.Paper{
			{ID: paperID, Kind: archive.Declaration, Type: archive.PDF, Size: 48_211, At: Now, By: "paola"},
			{ID: strings.Repeat("a", 32), Kind: archive.Document, Type: archive.JPEG, Size: 812_000, At: Now, By: "paola"},
		}, nil
	case "2026/0000005":
		return nil, words.Refuse("CSE-140")
	}
	return nil, nil
}

// Missing: one act waits for two more, another for one.
func (p papers) Missing(_ context.Context, _ staff.Operator, protocol string) ([]archive.Kind, error) {
	return map[string][]archive.Kind{"2026/0000003": {archive.Delegation, archive.HolderDocument}, "2026/0000004": {archive.Signed}}[protocol], nil
}

// dataCopies are three papers in two files.
type dataCopies struct{}

func (dataCopies) Parts(context.Context, codicefiscale.Code) (int, int, error) { return 2, 3, nil }

func (dataCopies) Write(_ context.Context, _ privacy.Export, _ int, _ words.Lang, w io.Writer) error {
	_, err := io.WriteString(w, "PK invented\n")
	return err
}

func (p papers) See(_ context.Context, _ staff.Operator, _, id, motive string) (archive.Paper, []byte, error) {
	switch {
	case motive == "":
		return archive.Paper{}, nil, words.Refuse("CSE-522")
	case id != paperID:
		return archive.Paper{}, nil, words.Refuse("CSE-521")
	}
	return archive.Paper{ID: id, Kind: archive.Declaration, Type: archive.PDF}, []byte("%PDF-1.4 invented\n"), nil
}

// archiveStates are the papers on the page of an act: none, some, refused, kept.
func archiveStates() []State {
	one, two := "/sportello/pratica/2026/0000003", "/sportello/pratica/2026/0000004"
	return []State{
		{Name: "dati-copia-cambiata", Host: "portal", Path: "/tessera/dati/copia", Who: "active", Form: form("parte", "3"), Status: http.StatusUnprocessableEntity, Fault: "CSE-781"},
		{Name: "carte", Host: "portal", Path: one, Who: "password", Status: http.StatusOK},
		{Name: "carte-senza-file", Host: "portal", Path: one + "/carte", Who: "password", File: "-", Form: form("foglio", "delegation"), Status: http.StatusUnprocessableEntity, Fault: "CSE-517"},
		{Name: "carte-senza-tipo", Host: "portal", Path: one + "/carte", Who: "password", File: "%PDF-1.4\n", Form: form(), Status: http.StatusUnprocessableEntity, Fault: "CSE-520"},
		{Name: "carte-file-errato", Host: "portal", Path: two + "/carte", Who: "password", File: "MZ", Form: form("foglio", "delegation"), Status: http.StatusUnprocessableEntity, Fault: "CSE-519"},
		{Name: "carte-archiviata", Host: "portal", Path: one + "/carte", Who: "password", File: "%PDF-1.4\n", Form: form("foglio", "delegation"), Status: http.StatusOK, Follow: true},
		{Name: "carte-senza-motivo", Host: "portal", Path: one + "/carte/" + paperID, Who: "password", Form: form("motivo", ""), Status: http.StatusUnprocessableEntity, Fault: "CSE-522"},
		{Name: "carte-ignota", Host: "portal", Path: one + "/carte/x", Who: "password", Form: form("motivo", "check"), Status: http.StatusUnprocessableEntity, Fault: "CSE-521"},
		{Name: "carte-altrui", Host: "portal", Path: one + "x/carte", Who: "password", File: "-", Form: form(), Status: http.StatusForbidden, Fault: "CSE-145"},
	}
}
