package portal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// The programs that the portal gives out (R87): the files of one folder that its
// list SHA256SUMS names, as scripts/packages.sh makes them. What is not in the
// list, or is not what the list says, is not offered and not served; neither is
// anything outside the folder (fs.FS has no way up).

// sumsName is the list; its signature, if there is one, lies beside it.
const (
	sumsName      = "SHA256SUMS"
	signatureName = "SHA256SUMS.asc"
	sumsLimit     = 64 << 10
)

// downloadName is what a file to be given out may be called.
var downloadName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~+-]{0,127}$`)

// errSums is returned for a list that is not one.
var errSums = errors.New("not a list of SHA-256 sums")

// parseSums reads "HEX  NAME" lines, as sha256sum writes and checks them, in
// their order. Every line must be right: a list half read is no list.
func parseSums(text []byte) (names []string, sums map[string]string, err error) {
	if len(text) > sumsLimit {
		return nil, nil, fmt.Errorf("%w: %d bytes", errSums, len(text))
	}
	sums = map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		b, err := hex.DecodeString(sum)
		if !ok || err != nil || len(b) != sha256.Size || sum != strings.ToLower(sum) || !downloadName.MatchString(name) || sums[name] != "" {
			return nil, nil, fmt.Errorf("%w: line %d", errSums, len(names)+1)
		}
		names, sums[name] = append(names, name), sum
	}
	return names, sums, lines.Err()
}

// download is one file to be given out.
type download struct {
	Name, Sum string
	// System is linux, windows, macos, or empty: a bill of materials.
	System  string
	Kind    string // deb, rpm, tar, zip, sbom
	Arch    string // amd64, arm64
	Version string
	Server  bool // the platform, for who runs it
	Size    int64
	changed time.Time
}

// shape takes a package's name apart: nfpm's and our own.
var shape = regexp.MustCompile(`^(cse|csed)[_-]([0-9][A-Za-z0-9.~+]*)(?:-[0-9]+)?[_.](?:(linux|darwin|windows)_)?(amd64|x86_64|arm64|aarch64)\.(deb|rpm|tar\.gz|zip)$`)

func describe(name string) (d download, ok bool) {
	d.Name = name
	if strings.HasSuffix(name, ".cdx.json") {
		d.Kind = "sbom"
		return d, true
	}
	m := shape.FindStringSubmatch(name)
	if m == nil {
		return d, false
	}
	d.Server, d.Version = m[1] == "csed", m[2]
	d.System = map[string]string{"": "linux", "linux": "linux", "darwin": "macos", "windows": "windows"}[m[3]]
	d.Arch = map[string]string{"amd64": "amd64", "x86_64": "amd64", "arm64": "arm64", "aarch64": "arm64"}[m[4]]
	d.Kind = strings.TrimSuffix(m[5], ".gz")
	return d, true
}

// shelf remembers which files were found to be what the list says, so that each
// is read once and not for every visitor.
type shelf struct {
	mu   sync.Mutex
	good map[string]bool // name, sum, size and time of change
}

// sound tells whether the file is what the list says.
func (s *shelf) sound(fsys fs.FS, d download) bool {
	key := fmt.Sprint(d.Name, d.Sum, d.Size, d.changed.UnixNano())
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.good[key]; ok {
		return known
	}
	f, err := fsys.Open(d.Name)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return false // another time, perhaps
	}
	if s.good == nil || len(s.good) > 1000 {
		s.good = map[string]bool{}
	}
	s.good[key] = hex.EncodeToString(h.Sum(nil)) == d.Sum
	return s.good[key]
}

// downloads are the files as they are now; wrong counts those left out. An error
// says that there is no folder, or no list.
func (p *Portal) downloads() (list []download, wrong int, err error) {
	if p.Downloads == nil {
		return nil, 0, fs.ErrNotExist
	}
	text, err := fs.ReadFile(p.Downloads, sumsName)
	if err != nil {
		return nil, 0, err
	}
	names, sums, err := parseSums(text)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		d, ok := describe(name)
		if !ok {
			continue
		}
		info, err := fs.Stat(p.Downloads, name)
		if err != nil || !info.Mode().IsRegular() {
			wrong++
			continue
		}
		d.Sum, d.Size, d.changed = sums[name], info.Size(), info.ModTime()
		if !p.shelf.sound(p.Downloads, d) {
			wrong++
			continue
		}
		list = append(list, d)
	}
	return list, wrong, nil
}

// downloadView is one file on the page.
type downloadView struct {
	download
	// Path is the address, Weight the size in words, Install the command.
	Path, Weight, Install string
}

type systemView struct {
	ID    string
	Files []downloadView
}

// softwareView is the list below the text of /software.
type softwareView struct {
	// State is none (no folder or no list), damaged (a list that is none), there.
	State   string
	Wrong   int
	Systems []systemView
	Server  []downloadView
	Bills   []downloadView
	Signed  bool
}

// software lists the programs by system (R87).
func (c *call) software() any {
	list, wrong, err := c.p.downloads()
	v := softwareView{State: "there", Wrong: wrong}
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(list) == 0 && wrong == 0:
		v.State = "none"
	case err != nil:
		v.State = "damaged"
	}
	if err != nil && c.p.Downloads != nil || wrong > 0 {
		c.p.Log.WarnContext(c.r.Context(), "downloads are not in order", "left out", wrong, "err", err)
	}
	systems := map[string][]downloadView{}
	for _, d := range list {
		x := downloadView{download: d, Weight: c.weight(d.Size), Path: c.tongue.prefix + "/software/" + d.Name}
		switch {
		case d.Kind == "sbom":
			v.Bills = append(v.Bills, x)
		case d.Server:
			x.Install = installs(d)
			v.Server = append(v.Server, x)
		default:
			x.Install = installs(d)
			systems[d.System] = append(systems[d.System], x)
		}
	}
	for _, id := range []string{"linux", "windows", "macos"} {
		v.Systems = append(v.Systems, systemView{id, systems[id]})
	}
	if v.State == "there" {
		_, err := fs.Stat(c.p.Downloads, signatureName)
		v.Signed = err == nil
	}
	return v
}

// installs is the command that installs a file.
func installs(d download) string {
	switch d.Kind {
	case "deb":
		return "sudo apt install ./" + d.Name
	case "rpm":
		return "sudo dnf install ./" + d.Name
	case "zip":
		return "Expand-Archive " + d.Name
	}
	return "tar xzf " + d.Name
}

// weight is a size in megabytes, as people of that language write it.
func (c *call) weight(n int64) string {
	s := fmt.Sprintf("%.1f MB", float64(n)/1e6)
	if n < 100_000 {
		s = fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	if c.tongue.lang == words.Italian {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// hasDownloads tells whether the holder's program for a system is there.
func (c *call) hasDownloads(system string) bool {
	list, _, err := c.p.downloads()
	for _, d := range list {
		if err == nil && d.System == system && !d.Server {
			return true
		}
	}
	return false
}

// downloadTime is how long a file may take on a slow line.
const downloadTime = 20 * time.Minute

// download gives one file: whole or a part of it (Range), with its sum as ETag.
func (c *call) download() error {
	name := c.r.PathValue("file")
	if c.p.Downloads == nil || !downloadName.MatchString(name) {
		return words.Refuse("CSE-002")
	}
	tag := ""
	if name != sumsName && name != signatureName {
		list, _, err := c.p.downloads()
		if err != nil {
			return words.Refuse("CSE-002").Because(err)
		}
		for _, d := range list {
			if d.Name == name {
				tag = `"` + d.Sum + `"`
			}
		}
		if tag == "" {
			return words.Refuse("CSE-002")
		}
	}
	f, err := c.p.Downloads.Open(name)
	if err != nil {
		return words.Refuse("CSE-002").Because(err)
	}
	defer f.Close()
	info, err := f.Stat()
	seeker, ok := f.(io.ReadSeeker)
	if err != nil || !ok || !info.Mode().IsRegular() {
		return words.Refuse("CSE-002").Because(err)
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", "application/octet-stream")
	if tag == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	} else {
		h.Set("ETag", tag)
	}
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-cache")
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(downloadTime)) // where the listener can
	http.ServeContent(c.w, c.r, name, info.ModTime(), seeker)
	return nil
}
