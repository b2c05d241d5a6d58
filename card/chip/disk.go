package chip

import (
	"errors"
	"os"
	"path/filepath"
)

// Cut says what a power cut at one write leaves on the disk.
type Cut int

// Power cuts.
const (
	CutNone   Cut = iota
	CutBefore     // nothing was written
	CutTorn       // half of the new image was written, beside the old one
	CutAfter      // the new image is there, the answer did not leave
)

// disk writes the image: beside it, fsync, rename over it, fsync of the
// folder. Whoever reads the path sees the old image or the new one, whole.
type disk struct {
	path   string
	cut    func(write int) Cut
	writes int
	dead   bool
}

func (d *disk) leftover() string { return d.path + ".new" }

// removeLeftover takes away what an interrupted write left: it holds secrets.
func (d *disk) removeLeftover() { _ = os.Remove(d.leftover()) }

func (d *disk) write(b []byte) error {
	if d.dead {
		return ErrPowerLost
	}
	d.writes++
	cut := CutNone
	if d.cut != nil {
		cut = d.cut(d.writes)
	}
	d.dead = cut != CutNone
	switch cut {
	case CutBefore:
		return ErrPowerLost
	case CutTorn:
		return errors.Join(ErrPowerLost, writeSynced(d.leftover(), b[:len(b)/2]))
	case CutNone, CutAfter:
	}
	if err := d.replace(b); err != nil {
		d.removeLeftover()
		return err
	}
	if cut == CutAfter {
		return ErrPowerLost
	}
	return nil
}

func (d *disk) replace(b []byte) error {
	if err := writeSynced(d.leftover(), b); err != nil {
		return err
	}
	if err := os.Rename(d.leftover(), d.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(d.path))
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
