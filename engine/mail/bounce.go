package mail

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
)

// A letter that our server took may come back: the other side's server writes a
// message, a delivery status notification (RFC 3464; RFC 6533 for addresses
// beyond ASCII) inside a multipart/report (RFC 6522). What comes in by mail may
// have been written by anybody: it is read within limits, and what is kept of it
// is a word, a number and Message-IDs.

// Bounce is what such a message says.
type Bounce struct {
	// Action is the gravest among the recipients: "failed", "delayed", or another
	// of RFC 3464 section 2.3.3.
	Action string
	// Status is the code of that recipient, such as 5.1.1 (RFC 3463), or empty.
	Status string
	// IDs are Message-IDs that the message names as the letter's, without angle
	// brackets, the likeliest first.
	IDs []string
}

// Failed tells that the letter did not arrive and will not be tried again.
func (b Bounce) Failed() bool { return b.Action == "failed" }

// ErrNoReport: the message is no delivery status notification.
var ErrNoReport = errors.New("mail: not a delivery status notification")

// The limits of what is read, in bytes and pieces.
const (
	maxReport     = 1 << 20
	maxReportPart = 128 << 10
	maxParts      = 8
	maxRecipients = 64
	maxIDs        = 8
)

// ReadBounce reads a message. ErrNoReport: it is something else, or larger than
// 1 MiB; other errors are r's own.
func ReadBounce(r io.Reader) (Bounce, error) {
	limited := &io.LimitedReader{R: r, N: maxReport + 1}
	source := &keeping{r: limited}
	b, err := readReport(source)
	switch {
	case source.err != nil:
		return Bounce{}, fmt.Errorf("mail: read a message: %w", source.err)
	case limited.N <= 0:
		return Bounce{}, fmt.Errorf("%w: it is larger than %d bytes", ErrNoReport, maxReport)
	case err != nil:
		return Bounce{}, fmt.Errorf("%w: %w", ErrNoReport, err)
	}
	return b, nil
}

// keeping remembers a reader's own failure, apart from a message that ends early.
type keeping struct {
	r   io.Reader
	err error
}

func (k *keeping) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		k.err = err
	}
	return n, err
}

func readReport(r io.Reader) (Bounce, error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return Bounce{}, err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return Bounce{}, err
	}
	if kind != "multipart/report" || !strings.EqualFold(params["report-type"], "delivery-status") || params["boundary"] == "" {
		return Bounce{}, fmt.Errorf("its content is %s", kind)
	}
	var b Bounce
	var letter []string
	parts := multipart.NewReader(m.Body, params["boundary"])
	for range maxParts {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Bounce{}, err
		}
		fields := blocks(part)
		switch kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind {
		case "message/delivery-status", "message/global-delivery-status":
			b.read(fields)
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			if h, ok := fields(); ok {
				letter = append(letter, h.Get("Message-Id"))
			}
		}
	}
	if b.Action == "" {
		return Bounce{}, errors.New("no recipient has an action")
	}
	// Some servers leave the letter out, and answer to it instead.
	letter = append(letter, m.Header.Get("In-Reply-To"), m.Header.Get("References"))
	b.IDs = ids(letter)
	return b, nil
}

// blocks reads groups of header fields that empty lines part.
func blocks(part *multipart.Part) func() (textproto.MIMEHeader, bool) {
	var r io.Reader = io.LimitReader(part, maxReportPart)
	if strings.EqualFold(strings.TrimSpace(part.Header.Get("Content-Transfer-Encoding")), "base64") {
		r = base64.NewDecoder(base64.StdEncoding, r)
	}
	t := textproto.NewReader(bufio.NewReader(r))
	return func() (textproto.MIMEHeader, bool) {
		h, err := t.ReadMIMEHeader()
		return h, err == nil || len(h) > 0 && errors.Is(err, io.EOF)
	}
}

// statusCode is class, subject and detail (RFC 3463 section 2).
var statusCode = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}$`)

// actions of RFC 3464, from the least to the gravest.
var actions = []string{"expanded", "relayed", "delivered", "delayed", "failed"}

// read takes the groups of one recipient each; the first group, of the message
// itself, has no action.
func (b *Bounce) read(next func() (textproto.MIMEHeader, bool)) {
	for range maxRecipients {
		h, ok := next()
		if !ok {
			return
		}
		word := strings.ToLower(strings.TrimSpace(h.Get("Action")))
		if i := slices.Index(actions, word); i < 0 || i <= slices.Index(actions, b.Action) {
			continue
		}
		b.Action, b.Status = word, ""
		code, _, _ := strings.Cut(strings.TrimSpace(h.Get("Status")), " ") // a comment may follow
		if statusCode.MatchString(code) {
			b.Status = code
		}
	}
}

// messageID is what stands between angle brackets, of a decent length and
// without anything that could not stand in a log.
var messageID = regexp.MustCompile(`<([!-;=?-~]{1,200}@[!-;=?-~]{1,200})>`)

func ids(texts []string) []string {
	var out []string
	for _, text := range texts {
		for _, m := range messageID.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(out, m[1]) && len(out) < maxIDs {
				out = append(out, m[1])
			}
		}
	}
	return out
}
