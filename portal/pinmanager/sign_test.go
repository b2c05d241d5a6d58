package pinmanager_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"codeberg.org/go-pdf/fpdf"

	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/portal/pinmanager/managertest"
)

func aPDF(t *testing.T) string {
	p := fpdf.New("P", "mm", "A4", "")
	p.SetFont("Helvetica", "", 12)
	p.AddPage()
	p.Cell(40, 10, "Chiedo il rimborso del ticket.")
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// A document of each form is signed and verified by the same pages; a wrong PIN
// counts, says so, and does not lose the document.
func TestR101_SignAndVerify(t *testing.T) {
	s := managertest.Entered(t, "mario")
	for _, x := range []struct{ name, text, format, out, form string }{
		{"istanza.pdf", aPDF(t), "auto", "istanza-signed.pdf", "PAdES-B"},
		{"dati.xml", "<a><b>1</b></a>", "auto", "dati-signed.xml", "XAdES-B"},
		{"nota.txt", "ciao", "auto", "nota.txt.p7m", "CAdES-B"},
		{`C:\Temp\perché.txt`, "ciao", "cades-detached", "perché.txt.p7s", "CAdES-B"},
	} {
		t.Run(x.out, func(t *testing.T) {
			s.T = t
			s.Get("/firma")
			s.Upload("/firma", map[string]string{"documento": x.name + "\n" + x.text}, "formato", x.format, "visibile", "si", "motivo", "Istanza", "luogo", "Firenze").
				Want(t, 200, "", x.out, "restano 3 tentativi", `name="pin"`)
			s.Post("/firma/pin", "pin", "99174").Want(t, 422, "CSE-210", "restano 2 tentativi", x.out, "!99174")
			s.Post("/firma/pin", "pin", "").Want(t, 422, "CSE-221", "restano 2 tentativi")
			s.Post("/firma/pin", "pin", holdertest.PIN).Want(t, 200, "", x.out, "le pubbliche amministrazioni", "restano 3 tentativi", "!"+holdertest.PIN)
			file := s.Do("GET", "/firma/file", nil, nil)
			if d := file.Header.Get("Content-Disposition"); file.Status != 200 || !strings.HasPrefix(d, "attachment") || file.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("status %d, %q", file.Status, d)
			}
			s.Get("/verifica")
			files := map[string]string{"firmato": x.out + "\n" + file.Text}
			if strings.HasSuffix(x.out, ".p7s") {
				s.Upload("/verifica", files, "per", "private").Want(t, 422, "CSE-727")
				files["documento"] = "x\n" + x.text
			}
			s.Upload("/verifica", files, "per", "public_administration").Want(t, 200, "CSE-747", holdertest.CF, x.form, "!"+holdertest.PIN)
			if pdf := s.Do("GET", "/verifica/rapporto/pdf", nil, nil); pdf.Header.Get("Content-Type") != "application/pdf" {
				t.Errorf("the report is %s", pdf.Header.Get("Content-Type"))
			}
			s.Do("GET", "/verifica/rapporto/json", nil, nil).Want(t, 200, "", `"schema": "cse.verification/1"`, holdertest.CF)
		})
	}
	s.T = t
	s.Get("/")
	s.Post("/chiudi")
	s.Do("GET", "/firma/file", nil, nil).Want(t, 403, "CSE-862")
}

// What cannot be signed, or verified, is refused before a PIN is typed.
func TestDocumentsAreRefused(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Get("/firma/pin").Want(t, 200, "", `name="documento"`) // nothing waits
	s.Get("/firma/fatto").Want(t, 200, "", `name="documento"`)
	s.Do("GET", "/firma/file", nil, nil).Want(t, 404, "CSE-865")
	s.Do("GET", "/verifica/rapporto/pdf", nil, nil).Want(t, 404, "CSE-865")
	s.Upload("/firma", nil, "formato", "auto").Want(t, 422, "CSE-868")
	s.Upload("/firma", map[string]string{"documento": "a.txt\nciao"}, "formato", "pades").Want(t, 422, "CSE-720")
	s.Upload("/firma", map[string]string{"documento": "a.pdf\n%PDF-1.4 no"}, "formato", "auto").Want(t, 200, "", `name="pin"`)
	s.Post("/firma/pin", "pin", holdertest.PIN).Want(t, 422, "CSE-741", `name="documento"`)
	s.Get("/verifica")
	s.Upload("/verifica", map[string]string{"firmato": "a.txt\nciao"}, "per", "private").Want(t, 422, "CSE-722")
	s.Get("/firma")
	token := s.Fill().Get("gettone")
	s.Upload("/firma", map[string]string{"documento": "a.txt\nciao"}, "gettone", token, "formato", "auto")
	s.Upload("/firma", map[string]string{"documento": "a.txt\nciao"}, "gettone", token, "formato", "auto").Want(t, 409, "CSE-857")
}

// zeros is n bytes of nothing.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n <= 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), z.n)]
	clear(p)
	z.n -= int64(len(p))
	return len(p), nil
}

// A document has its bound, and is not waited for without a token; one comes in at
// a time.
func TestUploadsAreBounded(t *testing.T) {
	s := managertest.Entered(t, "mario")
	body := func(token string, file io.Reader) (io.Reader, http.Header) {
		var head bytes.Buffer
		w := multipart.NewWriter(&head)
		if token != "" {
			if err := w.WriteField("gettone", token); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.CreateFormFile("documento", "zeri.bin"); err != nil {
			t.Fatal(err)
		}
		return io.MultiReader(&head, file, strings.NewReader("\r\n--"+w.Boundary()+"--\r\n")), http.Header{"Content-Type": {w.FormDataContentType()}}
	}
	s.Get("/firma")
	b, h := body(s.Fill().Get("gettone"), &zeros{50<<20 + 1})
	s.Follow(s.Do("POST", "/firma", b, h)).Want(t, 413, "CSE-864", "50 MB")
	b, h = body("", strings.NewReader("x"))
	s.Do("POST", "/firma", b, h).Want(t, 400, "CSE-866")
	b, h = body("invented", strings.NewReader("x"))
	s.Do("POST", "/firma", b, h).Want(t, 409, "CSE-857")
	s.Get("/firma")
	first, second := s.Fill().Get("gettone"), ""
	s.Get("/firma")
	second = s.Fill().Get("gettone")
	slow, more := io.Pipe()
	b, h = body(first, slow)
	done := make(chan managertest.Answer)
	go func() { done <- s.Do("POST", "/firma", b, h) }()
	if _, err := more.Write(make([]byte, 16<<20)); err != nil { // more than lies on the way: it is being read
		t.Fatal(err)
	}
	b, h = body(second, strings.NewReader("x"))
	s.Do("POST", "/firma", b, h).Want(t, 503, "CSE-869")
	if err := more.Close(); err != nil {
		t.Fatal(err)
	}
	(<-done).Want(t, 303, "")
}
