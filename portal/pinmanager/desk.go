package pinmanager

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature"
)

// maxDocument is the largest document that is signed or verified here, in bytes:
// it lies in memory. cse sign and cse verify take larger ones.
const maxDocument = 50 << 20

// desk is what lies in memory between two pages: one document to sign, one signed,
// one report. Each takes the place of the one before.
type desk struct {
	waiting *waiting
	signed  *signed
	report  *reported
}

// document is a file that was brought.
type document struct {
	name string
	data []byte
}

// upload is a form with files.
type upload struct {
	url.Values
	files map[string]document
}

// put lays something on the desk.
func (m *Manager) put(change func(d *desk)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ended {
		change(&m.desk)
	}
}

// onDesk is what lies there.
func (m *Manager) onDesk() desk {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.desk
}

// upload takes a form with files: part by part, each with its bound, into memory
// and nowhere else. The token comes first, so that nothing is read without it; one
// upload at a time.
func (c *call) upload(files ...string) (upload, error) {
	u := upload{url.Values{}, map[string]document{}}
	if !c.m.loading.TryLock() {
		return u, words.Refuse("CSE-869")
	}
	defer c.m.loading.Unlock()
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, int64(len(files))*maxDocument+(64<<10))
	parts, err := c.r.MultipartReader()
	if err != nil {
		return u, words.Refuse("CSE-866").Because(err)
	}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return u, nil
		case err != nil || n > 12:
			return u, tooLarge(err, files[0])
		case n == 0 && part.FormName() != "gettone":
			return u, words.Refuse("CSE-866")
		}
		if err := u.add(part, files); err != nil {
			return u, err
		}
		if n == 0 {
			if err := c.m.spend(u.Get("gettone")); err != nil {
				return u, err
			}
		}
	}
}

// maxText is the longest field that is no file, in bytes.
const maxText = 1000

func (u upload) add(part *multipart.Part, files []string) error {
	field, limit := part.FormName(), int64(maxText)
	isFile := false
	for _, f := range files {
		isFile = isFile || f == field
	}
	if isFile {
		limit = maxDocument
	}
	b, err := io.ReadAll(io.LimitReader(part, limit+1))
	switch {
	case err != nil || isFile && int64(len(b)) > limit:
		return tooLarge(err, field)
	case int64(len(b)) > limit:
		return words.Refuse("CSE-866")
	case !isFile:
		u.Set(field, string(b))
	case len(b) > 0 || part.FileName() != "":
		name := filepath.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
		u.files[field] = document{name, b}
	}
	return nil
}

// tooLarge is what a body past its bound, or cut short, comes to.
func tooLarge(err error, field string) error {
	var past *http.MaxBytesError
	if err != nil && !errors.As(err, &past) {
		return words.Refuse("CSE-866").Because(err)
	}
	return words.Refuse("CSE-864", maxDocument>>20).At(field)
}

// send answers with a file.
func (c *call) send(kind, name string, body []byte) error {
	h := c.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = c.Write(body) // the asker may be gone
	return nil
}

// size is a length as people read it.
func size(n int) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d byte", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

// formats are the choices of a signature; auto is by the file.
var formats = append([]string{"auto"}, names(signature.Formats)...)

// names are the words of a vocabulary as plain text.
func names[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = string(x)
	}
	return out
}

// status of a form that was refused: the fault's own, or 422.
func status(f *words.Fault) int {
	if s := statuses[f.Code]; s != 0 {
		return s
	}
	return http.StatusUnprocessableEntity
}
