package paper

import (
	"bytes"
	"compress/zlib"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"cse.example/cse/ground/words"
)

var (
	stream = regexp.MustCompile(`(?s)stream\n(.*?)\nendstream`)
	shown  = regexp.MustCompile(`\(((?:\\.|[^\\()])*)\)\s*Tj`)
)

// extract reads the text of a PDF of ours without foreign help: the strings
// shown by each page's stream, in the order in which they were written, one a
// line. TestPdftotext does the same with a program nobody here wrote.
func extract(t *testing.T, pdf []byte) string {
	t.Helper()
	var out strings.Builder
	for _, m := range stream.FindAllSubmatch(pdf, -1) {
		z, err := zlib.NewReader(bytes.NewReader(m[1]))
		if err != nil {
			continue // not compressed: not a page
		}
		page, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range shown.FindAllSubmatch(page, -1) {
			raw := regexp.MustCompile(`\\(.)`).ReplaceAll(s[1], []byte("$1"))
			text, err := charmap.Windows1252.NewDecoder().Bytes(raw)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(text)
			out.WriteByte('\n')
		}
	}
	if out.Len() == 0 {
		t.Fatal("no text in the PDF")
	}
	return out.String()
}

// TestPdftotext reads the forms with poppler, as a holder's program would.
func TestPdftotext(t *testing.T) {
	if os.Getenv("CSE_FOREIGN") != "1" {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	if _, err := exec.LookPath("pdftotext"); err != nil {
		t.Fatal("pdftotext is missing: install the package poppler-utils")
	}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		docs := documents(t, lang)
		for name, check := range map[string]func(*testing.T, string){"codes": checkCodes, "papers": checkPapers} {
			path := filepath.Join(t.TempDir(), "form.pdf")
			if err := os.WriteFile(path, docs[name], 0o600); err != nil {
				t.Fatal(err)
			}
			for _, mode := range [][]string{{}, {"-raw"}, {"-layout"}} {
				text := pdftotext(t, path, mode...)
				t.Run(string(lang)+strings.Join(mode, "")+name, func(t *testing.T) { check(t, text) })
			}
		}
	}
}

func pdftotext(t *testing.T, path string, mode ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "pdftotext", append(mode, "-enc", "UTF-8", path, "-")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// -layout keeps columns by leading spaces; a line is still a line.
	return regexp.MustCompile(`(?m)^ +`).ReplaceAllString(string(out), "")
}
