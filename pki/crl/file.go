package crl

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
)

// File is a list in a file of its own. Close it.
type File struct {
	*List
	f    *os.File
	temp bool
}

// pemHead is what a list in PEM (RFC 7468) begins with.
const pemHead = "-----BEGIN X509 CRL-----"

// OpenFile opens a list in DER or, copied to a temporary file, in PEM. A list that
// is put in the same place by renaming does not disturb one that is open.
func OpenFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("crl: %w", err)
	}
	out := &File{f: f}
	head := make([]byte, 4<<10)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("crl: %w", err), out.Close())
	}
	if i := bytes.Index(head[:n], []byte(pemHead)); i >= 0 && n > 0 && head[0] != 0x30 {
		if err := out.decode(int64(i + len(pemHead))); err != nil {
			return nil, errors.Join(err, out.Close())
		}
	}
	st, err := out.f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("crl: %w", err), out.Close())
	}
	if out.List, err = Open(out.f, st.Size()); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// decode puts the DER of a PEM file in a temporary file, in the file's place.
func (x *File) decode(from int64) error {
	tmp, err := os.CreateTemp("", "crl-*")
	if err != nil {
		return fmt.Errorf("crl: %w", err)
	}
	pem := x.f
	x.f, x.temp = tmp, true
	w := bufio.NewWriterSize(tmp, window)
	body := &untilDash{r: bufio.NewReaderSize(io.NewSectionReader(pem, from, 1<<62), window)}
	_, err = io.Copy(w, base64.NewDecoder(base64.StdEncoding, body))
	if err == nil && !body.ended {
		err = errors.New("no end line")
	}
	if err != nil {
		err = malformed("PEM: %v", err)
	}
	return errors.Join(err, w.Flush(), pem.Close())
}

// untilDash reads up to the end line.
type untilDash struct {
	r     io.Reader
	ended bool
}

func (u *untilDash) Read(p []byte) (int, error) {
	if u.ended {
		return 0, io.EOF
	}
	n, err := u.r.Read(p)
	if i := bytes.IndexByte(p[:n], '-'); i >= 0 {
		u.ended = true
		return i, io.EOF
	}
	return n, err
}

// Close closes the file.
func (x *File) Close() error {
	err := x.f.Close()
	if x.temp {
		err = errors.Join(err, os.Remove(x.f.Name()))
	}
	return err
}
