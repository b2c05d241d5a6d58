package chip

import (
	"bytes"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
)

// split takes a path apart in directory and last identifier.
func split(p cns.Path) (dir, last cns.Path) {
	if len(p) < 4 {
		return cns.MF, p
	}
	return p[:len(p)-4], p[len(p)-4:]
}

func fidPath(hi, lo byte) cns.Path { return cns.Path(fmt.Sprintf("%02X%02X", hi, lo)) }

// selectFile is SELECT (ISO/IEC 7816-4 clause 11.2.2) in the forms of P1: 00
// by identifier, 01 child DF, 02 child EF, 03 parent, 04 by name, 08 path from
// the MF, 09 path from the current DF. P2 is 00 (FCI) or 0C (nothing). A
// failed SELECT leaves the selection as it was.
func (c *Chip) selectFile(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if cmd.P2 != 0x00 && cmd.P2 != 0x0C {
		return nil, iso7816.WrongP1P2
	}
	path, sw := c.find(cmd)
	if !sw.OK() {
		return nil, sw
	}
	f := c.st.files[path]
	if f.directory {
		c.ses.current, c.ses.ef, c.ses.hasEF = path, "", false
	} else {
		c.ses.current, _ = split(path)
		c.ses.ef, c.ses.hasEF = path, true
	}
	if f.deactivated {
		sw = iso7816.FileDeactivated
	}
	if cmd.P2 == 0x0C {
		return nil, sw
	}
	return upTo(c.fci(path), cmd.Le), sw
}

func (c *Chip) find(cmd iso7816.Command) (cns.Path, iso7816.SW) {
	switch cmd.P1 {
	case 0x00:
		return c.findByFID(cmd.Data)
	case 0x01, 0x02:
		if len(cmd.Data) != 2 {
			return "", iso7816.WrongLength
		}
		path := c.ses.current + fidPath(cmd.Data[0], cmd.Data[1])
		if f, ok := c.st.files[path]; !ok || f.directory != (cmd.P1 == 0x01) {
			return "", iso7816.FileNotFound
		}
		return path, iso7816.OK
	case 0x03:
		if len(cmd.Data) != 0 {
			return "", iso7816.WrongLength
		}
		if c.ses.current == cns.MF {
			return "", iso7816.FileNotFound
		}
		parent, _ := split(c.ses.current)
		return parent, iso7816.OK
	case 0x04:
		if aid := c.profile.AID; len(aid) > 0 && bytes.Equal(aid, cmd.Data) {
			return cns.MF, iso7816.OK
		}
		return "", iso7816.FileNotFound
	case 0x08:
		return c.findByPath(cns.MF, cmd.Data)
	case 0x09:
		return c.findByPath(c.ses.current, cmd.Data)
	}
	return "", iso7816.WrongP1P2
}

// findByFID looks where ISO/IEC 7816-4 says: the MF, a child of the current
// DF, the current DF itself, its parent, a sibling. No data means the MF.
func (c *Chip) findByFID(data []byte) (cns.Path, iso7816.SW) {
	if len(data) == 0 || len(data) == 2 && data[0] == 0x3F && data[1] == 0x00 {
		return cns.MF, iso7816.OK
	}
	if len(data) != 2 {
		return "", iso7816.WrongLength
	}
	fid, current := fidPath(data[0], data[1]), c.ses.current
	if _, ok := c.st.files[current+fid]; ok {
		return current + fid, iso7816.OK
	}
	if current == cns.MF {
		return "", iso7816.FileNotFound
	}
	parent, own := split(current)
	if own == fid {
		return current, iso7816.OK
	}
	if _, name := split(parent); parent != cns.MF && name == fid {
		return parent, iso7816.OK
	}
	if _, ok := c.st.files[parent+fid]; ok {
		return parent + fid, iso7816.OK
	}
	return "", iso7816.FileNotFound
}

func (c *Chip) findByPath(from cns.Path, data []byte) (cns.Path, iso7816.SW) {
	if len(data) == 0 || len(data)%2 != 0 {
		return "", iso7816.WrongLength
	}
	path := from
	for i := 0; i < len(data); i += 2 {
		path += fidPath(data[i], data[i+1])
	}
	if _, ok := c.st.files[path]; !ok {
		return "", iso7816.FileNotFound
	}
	return path, iso7816.OK
}

// fci is the answer of SELECT. A DF says how many bytes its files hold.
func (c *Chip) fci(path cns.Path) []byte {
	f := c.st.files[path]
	p := iso7816.FCP{
		Directory: f.directory, Size: len(f.data), FID: cns.FIDMaster,
		Access: f.access, LifeCycle: iso7816.LifeCycleActivated,
	}
	if f.deactivated {
		p.LifeCycle = iso7816.LifeCycleDeactivated
	}
	if fids, err := path.FIDs(); err == nil && len(fids) > 0 {
		p.FID = fids[len(fids)-1]
	}
	if path == cns.MF {
		p.Name = c.profile.AID
	}
	if f.directory {
		for other, x := range c.st.files {
			if dir, _ := split(other); dir == path && other != path {
				p.Size += len(x.data)
			}
		}
	}
	return p.FCI()
}

// currentEF is the selected EF, when op is allowed on it.
func (c *Chip) currentEF(op cns.Operation) (file, iso7816.SW) {
	if !c.ses.hasEF {
		return file{}, iso7816.NoCurrentEF
	}
	f := c.st.files[c.ses.ef]
	switch {
	case !c.allowed(f.access, op), op == cns.EFUpdate && f.protected && c.st.operational && !c.ses.issuer.inside:
		return file{}, iso7816.SecurityNotSatisfied
	case f.deactivated && op != cns.EFActivate:
		return file{}, iso7816.FileDeactivated
	}
	return f, iso7816.OK
}

// offset is the 15-bit offset of P1-P2; short file identifiers (bit 8 of P1)
// do not exist on a CNS.
func offset(cmd iso7816.Command) (int, iso7816.SW) {
	if cmd.P1&0x80 != 0 {
		return 0, iso7816.WrongP1P2
	}
	return int(cmd.P1)<<8 | int(cmd.P2), iso7816.OK
}

// readBinary is READ BINARY: from the offset up to Le bytes, fewer at the end
// of the file, 6B00 at or behind it.
func (c *Chip) readBinary(cmd iso7816.Command) ([]byte, iso7816.SW) {
	at, sw := offset(cmd)
	if !sw.OK() {
		return nil, sw
	}
	f, sw := c.currentEF(cns.EFRead)
	switch {
	case !sw.OK():
		return nil, sw
	case len(cmd.Data) != 0 || cmd.Le == 0:
		return nil, iso7816.WrongLength
	case at >= len(f.data):
		return nil, iso7816.WrongOffset
	}
	return f.data[at:min(len(f.data), at+cmd.Le)], iso7816.OK
}

// updateBinary is UPDATE BINARY within the size of the file; 6A84 beyond it.
func (c *Chip) updateBinary(cmd iso7816.Command) ([]byte, iso7816.SW) {
	at, sw := offset(cmd)
	if !sw.OK() {
		return nil, sw
	}
	f, sw := c.currentEF(cns.EFUpdate)
	switch {
	case !sw.OK():
		return nil, sw
	case len(cmd.Data) == 0:
		return nil, iso7816.WrongLength
	case at >= len(f.data):
		return nil, iso7816.WrongOffset
	case at+len(cmd.Data) > len(f.data):
		return nil, iso7816.NotEnoughMemory
	}
	path := c.ses.ef
	return nil, written(c.change(func() { c.st.setData(path, at, cmd.Data) }))
}

// setActive is DEACTIVATE FILE and ACTIVATE FILE on the selected EF.
func (c *Chip) setActive(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, iso7816.WrongP1P2
	}
	if len(cmd.Data) != 0 {
		return nil, iso7816.WrongLength
	}
	op := cns.EFActivate
	if cmd.INS == iso7816.InsDeactivateFile {
		op = cns.EFDeactivate
	}
	f, sw := c.currentEF(op)
	if !sw.OK() {
		return nil, sw
	}
	path := c.ses.ef
	f.deactivated = op == cns.EFDeactivate
	return nil, written(c.change(func() { c.st.files[path] = f }))
}
