package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// said runs a command in this process.
func said(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"--lang", "en"}, args...), env, &out, &errs)
	return code, out.String(), errs.String()
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "csed.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Every bad value is named with its key, and `check-config` says what `serve`
// says.
func TestConfigurationIsRefusedByName(t *testing.T) {
	t.Parallel()
	data := "data: " + filepath.Join(t.TempDir(), "d") + "\n"
	for name, c := range map[string]struct {
		yaml string
		env  []string
		want []string // in the message
	}{
		"unknown key":        {yaml: "lisen: 127.0.0.1:1\n", want: []string{"CSE-381", "lisen", "line"}},
		"unknown inner key":  {yaml: "mail: {sever: a}\n", want: []string{"CSE-381", "sever"}},
		"wrong type":         {yaml: "issue: {crl_hours: often}\n", want: []string{"CSE-381", "often"}},
		"no YAML":            {yaml: "\t: [", want: []string{"CSE-381"}},
		"listen":             {yaml: "listen: nowhere\n", want: []string{"CSE-383", "listen", "nowhere"}},
		"hsm without a PIN":  {yaml: "hsm: {module: /x.so, token: a}\n", want: []string{"CSE-383", "hsm", "pin_file"}},
		"hsm, no module":     {yaml: "hsm: {token: a}\n", want: []string{"CSE-383", "hsm"}},
		"listen_plain":       {yaml: "listen_plain: \"8080\"\n", want: []string{"CSE-383", "listen_plain", "8080"}},
		"mail.server":        {yaml: "mail: {server: mail}\n", want: []string{"CSE-383", "mail.server"}},
		"mail in clear":      {yaml: "mail: {server: \"mx.example.it:25\"}\n", want: []string{"CSE-383", "mail.starttls", "true"}},
		"mail.resend":        {yaml: "mail: {resend_seconds: 0}\n", want: []string{"CSE-383", "mail.resend_seconds"}},
		"public.portal":      {yaml: "public: {portal: \"http://p.it\"}\n", want: []string{"CSE-383", "public.portal", "http://p.it"}},
		"public.login":       {yaml: "public: {login: \"https://l.it/x\"}\n", want: []string{"CSE-383", "public.login"}},
		"public.cns":         {yaml: "public: {cns: cns}\n", want: []string{"CSE-383", "public.cns"}},
		"public.pki":         {yaml: "public: {pki: \"https://p.it\"}\n", want: []string{"CSE-383", "public.pki"}},
		"data":               {yaml: "data: \"\"\n", want: []string{"CSE-383", "data"}},
		"region.issuer":      {yaml: "region: {issuer: \"609\"}\n", want: []string{"CSE-383", "region.issuer", "609"}},
		"unknown role":       {yaml: "roles: [web, fax]\n", want: []string{"CSE-383", "roles", "fax"}},
		"role twice":         {yaml: "roles: [web, web]\n", want: []string{"CSE-383", "roles", "web"}},
		"no role":            {yaml: "roles: []\n", want: []string{"CSE-383", "roles"}},
		"issue.atr":          {yaml: "issue: {atr: gold}\n", want: []string{"CSE-383", "issue.atr", "gold"}},
		"issue.crl_hours":    {yaml: "issue: {crl_hours: 48}\n", want: []string{"CSE-383", "issue.crl_hours", "48"}},
		"issue.crl_minutes":  {yaml: "issue: {crl_minutes: 10}\n", want: []string{"CSE-383", "issue.crl_minutes", "10"}},
		"issue.crl_shards":   {yaml: "issue: {crl_shards: 257}\n", want: []string{"CSE-383", "issue.crl_shards", "257"}},
		"issue.crl_shards 0": {yaml: "issue: {crl_shards: 0}\n", want: []string{"CSE-383", "issue.crl_shards", "0"}},
		"services.level":     {yaml: "services: [{id: a, level: cosmic}]\n", want: []string{"CSE-383", "services.level", "cosmic"}},
		"operator's counter": {yaml: "operators: [{account: anna, codice_fiscale: RSSMRA85T10A562S, roles: [operator], offices: [x]}]\n", want: []string{"CSE-381", "anna", "\"x\""}},
		"operator's hash": {
			yaml: "counters: [{id: x, type: COMUNE, name: n}]\noperators: [{account: anna, codice_fiscale: RSSMRA85T10A562S, roles: [operator], offices: [x], password_hash: plain, totp: a}]\n",
			want: []string{"CSE-381", "anna", "csed operator hash"},
		},
		"two at once":     {yaml: "listen: nowhere\nissue: {atr: gold}\n", want: []string{"nowhere", "gold"}},
		"environment":     {env: []string{"CSE_ISSUE_CRL_HOURS=often"}, want: []string{"CSE-382", "CSE_ISSUE_CRL_HOURS", "often"}},
		"environment bad": {env: []string{"CSE_ISSUE_ATR=gold"}, want: []string{"CSE-383", "issue.atr", "gold"}},
	} {
		t.Run(name, func(t *testing.T) {
			yaml := c.yaml
			if !strings.HasPrefix(yaml, "data:") {
				yaml = data + yaml
			}
			file := written(t, yaml)
			code, out, check := said(t, c.env, "check-config", "--config", file)
			if code != 2 || out != "" {
				t.Errorf("check-config: exit %d, output %q", code, out)
			}
			for _, w := range c.want {
				if !strings.Contains(check, w) {
					t.Errorf("%q is not in:\n%s", w, check)
				}
			}
			if code, _, serve := said(t, c.env, "serve", "--config", file); code != 2 || serve != check {
				t.Errorf("serve exits with %d and says:\n%s\ncheck-config says:\n%s", code, serve, check)
			}
		})
	}
}

func TestConfigurationFileMissing(t *testing.T) {
	t.Parallel()
	code, _, msg := said(t, nil, "check-config", "--config", filepath.Join(t.TempDir(), "none.yaml"))
	if code != 2 || !strings.Contains(msg, "CSE-380") {
		t.Errorf("exit %d: %s", code, msg)
	}
}

func TestDataFolderNotWritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := written(t, "data: "+filepath.Join(file, "d")+"\n")
	code, _, check := said(t, nil, "check-config", "--config", config)
	_, _, serve := said(t, nil, "serve", "--config", config)
	if code != 2 || !strings.Contains(check, "CSE-384") || check != serve {
		t.Errorf("check-config exits with %d: %s\nserve: %s", code, check, serve)
	}
}

func TestServeBeforeThereIsAnAuthority(t *testing.T) {
	t.Parallel()
	config := written(t, "data: "+t.TempDir()+"\n")
	if code, _, msg := said(t, nil, "serve", "--config", config); code != 1 || !strings.Contains(msg, "CSE-388") {
		t.Errorf("exit %d: %s", code, msg)
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	t.Parallel()
	file := written(t, "listen: 127.0.0.1:1\nmail: {starttls: true}\n")
	c, err := LoadConfig(file, []string{
		"CSE_LISTEN=127.0.0.1:9443", "CSE_MAIL_STARTTLS=false", "CSE_ROLES=web,print", "CSE_ISSUE_CHIPLESS_EVERY=7",
		"CSE_MAINTENANCE_UNTIL=2027-01-02T03:04:05Z", "CSE_REGION_NAME=Regione di prova", "CSE_UNRELATED=1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:9443" || c.Mail.StartTLS || len(c.Roles) != 2 || c.Issue.ChiplessEvery != 7 ||
		c.Maintain.Until.Year() != 2027 || c.Region.Name != "Regione di prova" {
		t.Errorf("%+v", c)
	}
	if c.Public.Portal != "https://portal.cse.localhost:9443" {
		t.Errorf("the public address does not follow the port: %s", c.Public.Portal)
	}
	if _, err := LoadConfig("", []string{"CSE_COUNTERS=x"}); err == nil {
		t.Error("a list of counters was taken from the environment")
	}
}

func TestToolsNeedTheirRole(t *testing.T) {
	t.Parallel()
	config := written(t, "data: "+t.TempDir()+"\nroles: [mail]\n")
	for _, args := range [][]string{{"produce", "night"}, {"people", "import", os.DevNull}, {"ca", "publish"}} {
		if code, _, msg := said(t, nil, append(args, "--config", config)...); code != 1 || !strings.Contains(msg, "CSE-397") {
			t.Errorf("%v: exit %d: %s", args, code, msg)
		}
	}
}

// The two addresses may be given on the command line; they come before the
// environment, and are refused like it.
func TestServeTakesItsAddressesFromFlags(t *testing.T) {
	t.Parallel()
	file := written(t, "data: "+filepath.Join(t.TempDir(), "d")+"\n")
	for _, flag := range []string{"--listen", "--listen-plain"} {
		code, _, stderr := said(t, []string{"CSE_LISTEN=127.0.0.1:1", "CSE_LISTEN_PLAIN=127.0.0.1:2"}, "serve", "--config", file, flag, "nowhere-at-all")
		if code != 2 || !strings.Contains(stderr, "CSE-383") || !strings.Contains(stderr, "nowhere-at-all") {
			t.Errorf("%s: status %d, %s", flag, code, stderr)
		}
	}
}
