package cse_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "cse.example/cse/"

// rule says: packages below from (a path prefix) may not import anything that
// begins with one of the prefixes of ban, save what allow lists.
type rule struct {
	from  string
	ban   []string
	allow []string
	why   string
}

func own(paths ...string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = module + p
	}
	return out
}

var (
	databases = []string{"database/sql", "github.com/jackc/pgx", "modernc.org/sqlite", "github.com/pressly/goose"}
	html      = []string{"html/template", "text/template"}
	web       = []string{"net/http"}
)

func all(lists ...[]string) []string {
	var out []string
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// rules are the house rules 1, 2 and 5 of docs/house.md.
var rules = []rule{
	{"ground", all(own(""), databases, html, web), own("ground"), "the ground carries everybody and knows nobody"},
	{"person", all(own(""), databases, html, web), own("ground", "person"), "a person is facts, not storage or pages"},
	{"card", all(own(""), databases, html, web), own("ground", "person", "card"), "the card has no listener, no HTTP, no database"},
	{"card/iso7816", own("card"), own("card/iso7816"), "the standard knows no card"},
	{"card/cns", own("card"), own("card/iso7816", "card/cns"), "card downwards"},
	{"card/chip", own("card"), own("card/iso7816", "card/cns", "card/secmsg", "card/chip"), "card downwards"},
	{"card/secmsg", own("card"), own("card/iso7816", "card/secmsg"), "the one package that a real mask's cryptogram replaces"},
	{"card/reader", own("card"), own("card/iso7816", "card/cns", "card/chip", "card/reader"), "card downwards"},
	{"card/holder", own("card"), own("card/iso7816", "card/cns", "card/secmsg", "card/chip", "card/reader", "card/holder"), "card downwards"},
	{"card/diagnosis", own("card"), own("card/diagnosis"), "what a diagnosis says is read where no card is"},
	{"card/doctor", own("person", "card/cryptoki"), nil, "the doctor reads the card as its holder does, and asks others through interfaces"},
	{"card/cryptoki", own("person"), nil, "the module knows the card and not its holder's data"},
	{"cmd/cse-pkcs11", own(""), own("ground", "card/cryptoki"), "the module is small: it lives in other people's programs"},
	{"pki", all(own(""), databases, html), own("ground", "person", "card", "pki"), "floors"},
	{"pki/keys", web, nil, "only status owns a protocol"},
	{"pki/keys/hsm", own(""), own("ground", "pki/keys"), "a token knows keys, and not what they sign"},
	{"pki/ceremony", all(web, own("pki/trust")), nil, "a ceremony is held off line"},
	{"pki/keys/keystest", own(""), own("pki/internal/kdf"), "cheap key files are for tests"},
	{"pki/profile", web, nil, "only status owns a protocol"},
	{"pki/ca", web, nil, "only status owns a protocol"},
	{"pki/status/presigned", own("pki/ca", "pki/keys", "pki/trust"), nil, "who gives what was signed before has no key"},
	{"pki/trust", web, nil, "only status owns a protocol"},
	{"pki/trust", own("pki/ca", "pki/profile/lint"), nil, "who checks does not carry the authority"},
	{"pki/trust/path", own(""), own("pki/trust/path"), "RFC 5280 knows no card"},
	{"pki/crl", all(own(""), web), own("pki/crl"), "who reads a list needs nothing else of ours"},
	{"pki/trust/trusttest", own("pki"), own("pki/trust"), "what a verifier is held against knows no authority of ours"},
	{"issuer", all(own(""), databases, html, web), own("ground", "person", "card", "pki", "issuer"), "floors"},
	{"issuer/lifecycle", own("issuer"), own("issuer/lifecycle"), "issuer downwards"},
	{"issuer/codes", own("issuer"), own("issuer/lifecycle", "issuer/codes"), "issuer downwards"},
	{"issuer/throttle", own("issuer"), own("issuer/throttle"), "issuer downwards"},
	{"issuer/staff", own("issuer"), own("issuer/throttle", "issuer/staff"), "issuer downwards"},
	{"issuer/production", own("issuer/counter"), nil, "issuer downwards"},
	{"issuer/entitlement", own("issuer"), own("issuer/throttle", "issuer/lifecycle", "issuer/entitlement"), "issuer downwards"},
	{"issuer/contacts", own("issuer"), own("issuer/throttle", "issuer/lifecycle", "issuer/contacts"), "issuer downwards"},
	{"issuer/helpdesk", own("issuer"), own("issuer/lifecycle", "issuer/throttle", "issuer/staff", "issuer/helpdesk"), "issuer downwards"},
	{"issuer/desk", own("issuer"), own("issuer/throttle", "issuer/staff", "issuer/desk"), "issuer downwards"},
	{"issuer/eligibility", own("issuer"), own("issuer/lifecycle", "issuer/eligibility"), "issuer downwards"},
	{"issuer/privacy", own("issuer"), own("issuer/privacy"), "issuer downwards"},
	{"issuer/approval", own("issuer"), own("issuer/throttle", "issuer/staff", "issuer/approval"), "issuer downwards"},
	{"issuer/trustlist", own("issuer"), own("issuer/throttle", "issuer/staff", "issuer/approval", "issuer/trustlist"), "issuer downwards"},
	{"issuer/declarations", own("issuer"), own("issuer/throttle", "issuer/staff", "issuer/declarations"), "issuer downwards"},
	{"issuer/archive", own("issuer"), own("issuer/throttle", "issuer/staff", "issuer/archive"), "issuer downwards"},
	{"issuer/roster", own("issuer"), own("issuer/throttle", "issuer/staff", "issuer/approval", "issuer/roster"), "issuer downwards"},
	{"issuer/parameters", own("issuer"), own("issuer/throttle", "issuer/staff", "issuer/approval", "issuer/parameters"), "issuer downwards"},
	{"issuer/extension", own("issuer"), own("issuer/lifecycle", "issuer/throttle", "issuer/extension"), "issuer downwards"},
	{"issuer/campaign", own("issuer"), own("issuer/lifecycle", "issuer/codes", "issuer/throttle", "issuer/staff", "issuer/approval", "issuer/production", "issuer/campaign"), "issuer downwards"},
	{"issuer/cardbase", own("issuer"), own("issuer/lifecycle", "issuer/cardbase"), "issuer downwards"},
	{"issuer/operations", own("issuer"), own("issuer/lifecycle", "issuer/codes", "issuer/staff", "issuer/production", "issuer/operations"), "issuer downwards"},
	{"login", all(own(""), databases, html), own("ground", "person", "card", "pki", "login"), "login knows no issuer, portal or engine"},
	{"signature", all(own(""), databases, html, web), own("ground", "person", "card", "pki", "signature"), "a signature knows no issuer, portal or engine; who asks others is passed in"},
	{"signature/cades", own("signature"), own("signature/cades"), "the forms stand on the CMS, and the CMS on nothing"},
	{"signature/pades", own("signature"), own("signature/cades", "signature/pades"), "the forms do not know each other"},
	{"signature/xades", own("signature"), own("signature/cades", "signature/xades"), "the forms do not know each other"},
	{"portal", all(own("engine", "demo", "cmd"), databases), nil, "portal and engine do not know each other"},
	{"portal/signed", own("issuer", "login", "fse", "portal"), own("portal/look", "portal/signed"), "a report is shown by the portal and by the holder's own pages"},
	{"portal/pinmanager", own("issuer", "login", "fse", "person", "portal"), own("portal/look", "portal/signed", "portal/pinmanager"), "the holder's own pages carry nothing of the platform"},
	{"portal/content", own(""), own("ground", "portal/content"), "texts know words and days, nothing else of ours"},
	{"engine", own("portal", "demo", "cmd"), nil, "portal and engine do not know each other"},
	{"engine/store", own("engine"), own("engine/store"), "engines do not know each other"},
	{"engine/queue", own("engine"), own("engine/queue"), "engines do not know each other"},
	{"engine/audit", own("engine"), own("engine/audit"), "engines do not know each other"},
	{"engine/mail", own("engine"), own("engine/mail"), "engines do not know each other"},
	{"engine/paper", own("engine"), own("engine/paper"), "engines do not know each other"},
	{"engine/backup", all(own("engine"), databases), own("engine/backup"), "archives know no database; what goes in is handed over"},
	{"engine/listen", own("engine"), own("engine/listen"), "engines do not know each other"},
	{"demo", own("cmd"), nil, "the demo is below the programs"},
}

type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func under(path, prefix string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func anyUnder(path string, prefixes []string) bool {
	for _, p := range prefixes {
		if under(path, p) {
			return true
		}
	}
	return false
}

// engine's own tests may bring up a store; nothing else is excused.
func TestTheHouse(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range goList(t, "./...") {
		for _, r := range rules {
			if !under(p.ImportPath, module+r.from) {
				continue
			}
			seen[r.from] = true
			for _, imp := range p.Imports {
				if anyUnder(imp, r.ban) && !anyUnder(imp, r.allow) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, r.why)
				}
			}
		}
	}
	for _, r := range rules {
		if !seen[r.from] {
			t.Errorf("no package under %s: the rule checks nothing", r.from)
		}
	}
}

// The citizen's program stays small: house rule 5.
func TestTheCitizensProgramIsSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/cse").Output()
	if err != nil {
		t.Fatal(err)
	}
	ban := all(own("engine/store", "engine/queue", "engine/audit", "engine/mail", "engine/listen", "issuer", "login", "portal/api", "demo", "pki/ca", "pki/profile/lint"),
		databases, []string{"github.com/zmap/zlint", "github.com/luikyv/go-oidc"})
	n := 0
	for _, dep := range strings.Fields(string(out)) {
		n++
		if anyUnder(dep, ban) || dep == module+"portal" {
			t.Errorf("cmd/cse depends on %s", dep)
		}
	}
	if n < 50 {
		t.Fatalf("only %d dependencies were listed", n)
	}
}

// csed serve must not carry the demo: only the demo sub-command's file names it.
func TestOnlyTheDemoCommandNamesTheDemo(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.Dir}}{{range .GoFiles}} {{.}}{{end}}`, "./cmd/csed").Output()
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(out))
	users := 0
	for _, name := range f[1:] {
		src, err := exec.Command("go", "list", "-f", "{{range .Imports}}{{.}}\n{{end}}", f[0]+"/"+name).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range strings.Fields(string(src)) {
			if under(imp, module+"demo") {
				users++
				if name != "demo.go" {
					t.Errorf("cmd/csed/%s imports %s", name, imp)
				}
			}
		}
	}
	if users == 0 {
		t.Error("nobody imports the demo: the rule checks nothing")
	}
}
