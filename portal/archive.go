package portal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal/look"
)

// Archive keeps the papers of acts; an *archive.Room is one.
type Archive interface {
	Add(ctx context.Context, op staff.Operator, protocol string, k archive.Kind, file []byte) error
	Papers(ctx context.Context, op staff.Operator, protocol string) ([]archive.Paper, error)
	See(ctx context.Context, op staff.Operator, protocol, id, motive string) (archive.Paper, []byte, error)
	// Missing lists the papers of an act that wait to be scanned.
	Missing(ctx context.Context, op staff.Operator, protocol string) ([]archive.Kind, error)
}

// MaxBody is the largest request that a page of the portal takes: a scan, and
// the form around it.
const MaxBody = archive.MaxSize + 256<<10

// archiveRoutes are the papers on the page of an act.
func (p *Portal) archiveRoutes(at func(pattern string, a answer)) {
	at("POST /sportello/pratica/{anno}/{numero}/carte", atCounter((*call).addPaper))
	at("POST /sportello/pratica/{anno}/{numero}/carte/{carta}", atCounter((*call).seePaper))
}

// paperView is one paper on the page of its act.
type paperView struct{ ID, Kind, Type, Size, When, Path string }

// archiveView is what the page of an act shows of its papers.
type archiveView struct {
	Path   string
	Papers []paperView
	// Missing are the papers that the act still waits for, in words.
	Missing []string
	Kinds   []string
	Motives []string
	// Closed tells that these papers are not this operator's to see.
	Closed bool
}

// scanLabels name the fields of the page of an act, where the file is a scan.
var scanLabels = renamed(map[string]string{"file": "portal.archive.file"})

// renamed are the names of fields on a page where some have another.
func renamed(other map[string]string) map[string]string {
	out := maps.Clone(labels)
	maps.Copy(out, other)
	return out
}

func (c *call) archived(a counter.Act) (archiveView, error) {
	v := archiveView{Path: FilePath(a.Protocol) + "/carte"}
	list, err := c.p.Archive.Papers(c.r.Context(), *c.op, a.Protocol)
	if words.FaultOf(err) != nil {
		v.Closed = true
		return v, nil
	}
	if err != nil {
		return v, err
	}
	for _, x := range list {
		v.Papers = append(v.Papers, paperView{
			ID: x.ID, Kind: c.say("portal.archive.kind." + string(x.Kind)), Type: c.say("portal.archive.type" + x.Type.Extension()),
			Size: strconv.FormatInt((x.Size+1023)/1024, 10), When: when(x.At), Path: v.Path + "/" + x.ID,
		})
	}
	missing, err := c.p.Archive.Missing(c.r.Context(), *c.op, a.Protocol)
	if err != nil {
		return v, err
	}
	for _, k := range missing { // first in the menu, too
		v.Missing, v.Kinds = append(v.Missing, c.say("portal.archive.kind."+string(k))), append(v.Kinds, string(k))
	}
	for _, k := range archive.Kinds() {
		if !slices.Contains(missing, k) {
			v.Kinds = append(v.Kinds, string(k))
		}
	}
	for _, m := range counter.Motives() {
		v.Motives = append(v.Motives, string(m))
	}
	return v, nil
}

// addPaper keeps the posted scan; the act is asked for before the body is read.
func (c *call) addPaper() error {
	if _, err := c.p.Papers.Act(c.r.Context(), *c.op, c.protocol()); err != nil {
		return err
	}
	file, err := c.scan()
	if err == nil {
		err = c.p.Archive.Add(c.r.Context(), *c.op, c.protocol(), archive.Kind(c.value("foglio")), file)
	}
	if f := words.FaultOf(err); f != nil {
		return c.filePage(f)
	}
	if err != nil {
		return err
	}
	return c.leave(FilePath(c.protocol()))
}

// scan reads the posted file whole, without writing it anywhere in clear.
func (c *call) scan() ([]byte, error) {
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, MaxBody)
	if err := c.r.ParseMultipartForm(MaxBody); err != nil { // in memory, up to this size
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, words.Refuse("CSE-518").At("file").Because(err)
		}
		return nil, words.Refuse("CSE-357").Because(err)
	}
	c.r.PostForm = url.Values(c.r.MultipartForm.Value)
	f, _, err := c.r.FormFile("file")
	if err != nil {
		return nil, words.Refuse("CSE-517").At("file").Because(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, archive.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("portal: read a scan: %w", err)
	}
	return b, nil
}

// seePaper sends a paper to be opened elsewhere: a POST with the motive, so that
// no prefetch and no history is a look.
func (c *call) seePaper() error {
	if err := c.form(); err != nil {
		return err
	}
	motive := ""
	for _, m := range counter.Motives() {
		if c.value("motivo") == string(m) {
			motive = string(m)
		}
	}
	return c.sendPaper(motive, c.filePage)
}

// sendPaper sends the paper of the address to who may see it; refused shows a
// refusal.
func (c *call) sendPaper(motive string, refused func(faults ...*words.Fault) error) error {
	x, file, err := c.p.Archive.See(c.r.Context(), *c.op, c.protocol(), c.r.PathValue("carta"), motive)
	if f := words.FaultOf(err); f != nil {
		return refused(f)
	}
	if err != nil {
		return err
	}
	defer clear(file)
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", string(x.Type))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s%s"`, x.Kind, x.ID[:8], x.Type.Extension()))
	h.Set("Content-Length", strconv.Itoa(len(file)))
	_, _ = c.w.Write(file) // the asker may be gone; the look is written down
	return nil
}
