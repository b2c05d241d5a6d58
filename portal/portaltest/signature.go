package portaltest

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/url"
	"strings"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal"
	"cse.example/cse/signature"
)

// playedSignatures plays the verifier: the file's words tell what is found.
func playedSignatures() *portal.Signatures {
	return &portal.Signatures{
		Verify: func(_ context.Context, file, content []byte) (signature.Report, error) {
			r := signature.Report{Schema: "cse.verification/1", At: Now, Format: "PAdES", SHA256: strings.Repeat("0f", 32), Verdict: signature.Valid}
			switch text := string(file); {
			case text == "":
				return r, words.Refuse("CSE-735")
			case strings.Contains(text, "separata") && content == nil:
				return r, words.Refuse("CSE-727")
			case strings.Contains(text, "senza firma"):
				return r, words.Refuse("CSE-721")
			case strings.Contains(text, "due"):
				r.Signatures = []signature.Finding{playedFinding(), playedFinding()}
				r.Signatures[0].Later = true
				r.Signatures[1].Verdict, r.Signatures[1].Err, r.Verdict = signature.Unproved, words.Refuse("CSE-749"), signature.Unproved
				r.Signatures[1].Now = &signature.At{Instant: Now, Standing: signature.Revoked, Since: r.Signatures[1].Claimed}
			case strings.Contains(text, "cambiata"):
				f := playedFinding()
				f.Intact, f.Verdict, f.Err, f.AtSigning, f.Now = false, signature.Invalid, words.Refuse("CSE-733"), nil, nil
				r.Signatures, r.Verdict = []signature.Finding{f}, signature.Invalid
			default:
				r.Signatures = []signature.Finding{playedFinding()}
			}
			return r, nil
		},
		Print: func(signature.Report, words.Lang) ([]byte, error) { return []byte("%PDF-1.3"), nil },
	}
}

func playedFinding() signature.Finding {
	at := Now.Add(-48 * time.Hour)
	good := &signature.At{Instant: at, Standing: signature.Good}
	return signature.Finding{
		Verdict: signature.Valid, Intact: true, Form: "PAdES-B", Level: signature.FEA, Claimed: &at, AtSigning: good, Now: good,
		Signer: &signature.Person{
			CF: "RSSMRA85T10A562S", CommonName: "RSSMRA85T10A562S/6000000900001001.x", Issuer: "Regione di prova - CA Cittadini", Serial: "0a1b",
			NotBefore: Now.AddDate(-1, 0, 0), NotAfter: Now.AddDate(5, 0, 0),
		},
	}
}

func signatureStates() []State {
	file := func(text string) map[string]string { return map[string]string{"firmato": text} }
	at := func(name string, upload map[string]string, values url.Values, status int, fault string) State {
		return State{Name: "firma-" + name, Host: "portal", Path: "/verifica-firma", Upload: upload, Form: values, Status: status, Fault: fault}
	}
	return []State{
		{Name: "firma", Host: "portal", Path: "/verifica-firma", Status: 200},
		at("valida", file("firma"), form("per", "public_administration"), 200, ""),
		at("due", file("due firme"), form("per", "public_administration"), 422, "CSE-749"),
		at("cambiata", file("cambiata"), nil, 422, "CSE-733"),
		at("privato", file("firma"), form("per", "private"), 422, "CSE-732"),
		at("atto", file("firma"), form("per", "legal_transaction"), 422, "CSE-732"),
		at("niente", file(""), nil, 422, "CSE-735"),
		at("senza", file("senza firma"), nil, 422, "CSE-721"),
		at("separata", file("separata"), nil, 422, "CSE-727"),
	}
}

// multipart is the body of an upload and its type.
func (st State) multipart() (body, kind string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for field, text := range st.Upload {
		part, err := w.CreateFormFile(field, "istanza.pdf")
		if err != nil {
			return "", "", err
		}
		if _, err := part.Write([]byte(text)); err != nil {
			return "", "", err
		}
	}
	for field, values := range st.Form {
		if err := w.WriteField(field, values[0]); err != nil {
			return "", "", err
		}
	}
	err = w.Close()
	return b.String(), w.FormDataContentType(), err
}
