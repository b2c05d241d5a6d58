package inbox

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Letter is one message, decoded.
type Letter struct {
	// File is its name in the folder.
	File string
	// ID is the Message-ID without angle brackets.
	ID       string
	Date     time.Time
	From, To string
	Subject  string
	// Text is the plain part, HTML the other; either may be empty.
	Text, HTML string
}

// fileName is the only shape of name that is opened.
var fileName = regexp.MustCompile(`^[0-9]{4,}-[A-Za-z0-9._@-]+\.eml$`)

// Dir is the folder.
func (in *Inbox) Dir() string { return in.dir }

func (in *Inbox) names() ([]string, error) {
	entries, err := os.ReadDir(in.dir)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	var names []string
	for _, e := range entries {
		if fileName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { // 9999 before 10000
		if len(a[:strings.IndexByte(a, '-')]) != len(b[:strings.IndexByte(b, '-')]) {
			return len(a[:strings.IndexByte(a, '-')]) - len(b[:strings.IndexByte(b, '-')])
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

// List opens all letters, newest first.
func (in *Inbox) List() ([]Letter, error) {
	names, err := in.names()
	if err != nil {
		return nil, err
	}
	slices.Reverse(names)
	letters := make([]Letter, 0, len(names))
	for _, name := range names {
		l, err := in.Read(name)
		if err != nil {
			return nil, err
		}
		letters = append(letters, l)
	}
	return letters, nil
}

// ErrUnknown is returned for a file name that is not a letter's.
var ErrUnknown = errors.New("inbox: no such letter")

// Read opens one letter by its file name. Names with a path are refused.
func (in *Inbox) Read(name string) (Letter, error) {
	if !fileName.MatchString(name) {
		return Letter{}, ErrUnknown
	}
	raw, err := os.ReadFile(filepath.Join(in.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return Letter{}, ErrUnknown
	}
	if err != nil {
		return Letter{}, fmt.Errorf("inbox: %w", err)
	}
	l, err := Parse(raw)
	if err != nil {
		return Letter{}, fmt.Errorf("inbox: %s: %w", name, err)
	}
	l.File = name
	return l, nil
}

// Parse decodes a message: header fields, and the first plain and HTML part.
func Parse(raw []byte) (Letter, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Letter{}, err
	}
	var words mime.WordDecoder
	field := func(name string) string {
		s, err := words.DecodeHeader(m.Header.Get(name))
		if err != nil {
			return m.Header.Get(name)
		}
		return s
	}
	l := Letter{ID: strings.Trim(m.Header.Get("Message-Id"), "<> "), From: bare(field("From")), To: bare(field("To")), Subject: field("Subject")}
	if date, err := m.Header.Date(); err == nil {
		l.Date = date.UTC()
	}
	err = l.take(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, 0)
	return l, err
}

// bare takes the brackets off an address that has no name before it.
func bare(s string) string {
	if a, err := mail.ParseAddress(s); err == nil && a.Name == "" {
		return a.Address
	}
	return s
}

// take adds one MIME entity (RFC 2045), and those inside it down to five levels.
func (l *Letter) take(contentType, encoding string, body io.Reader, depth int) error {
	if depth > 5 {
		return errors.New("parts nested too deeply")
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "text/plain" // RFC 2045 section 5.2
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := l.take(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, depth+1); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, err := io.ReadAll(io.LimitReader(body, maxMessage))
	if err != nil {
		return err
	}
	text := strings.ToValidUTF8(strings.ReplaceAll(string(b), "\r\n", "\n"), "�")
	switch {
	case kind == "text/plain" && l.Text == "":
		l.Text = text
	case kind == "text/html" && l.HTML == "":
		l.HTML = text
	}
	return nil
}
