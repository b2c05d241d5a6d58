package iso7816

import "fmt"

// Tags of the file control template and of what is inside it (ISO/IEC 7816-4
// clause 7.4, and CB as the CNS masks use it).
const (
	TagFCI             uint32 = 0x6F
	TagFCP             uint32 = 0x62
	TagSizeEF          uint32 = 0x80
	TagSizeDF          uint32 = 0x81
	TagDescriptor      uint32 = 0x82
	TagFID             uint32 = 0x83
	TagDFName          uint32 = 0x84
	TagProprietary     uint32 = 0x85
	TagAccess          uint32 = 0x86
	TagLifeCycle       uint32 = 0x8A
	TagSecureMessaging uint32 = 0xCB
)

// Life cycle status bytes (ISO/IEC 7816-4 table 14).
const (
	LifeCycleDeactivated byte = 0x04
	LifeCycleActivated   byte = 0x05
)

const (
	descriptorTransparent byte = 0x01
	descriptorDF          byte = 0x38
)

// FCP is what a CNS says of a file when it is selected, and what CREATE FILE
// takes (card.md section 2.1).
type FCP struct {
	// Directory tells a DF from a transparent EF.
	Directory bool
	// Size of the content of an EF, of the room of a DF; at most 65535 bytes.
	Size int
	FID  uint16
	// Name is the AID of a DF; empty when it has none.
	Name []byte
	// Access is one byte per operation: see cns.Access.
	Access [9]byte
	// LifeCycle is 05 for activated, 04 for deactivated.
	LifeCycle byte
}

// FCI encodes the template that answers SELECT, tag 6F.
func (f FCP) FCI() []byte { return AppendTLV(nil, TagFCI, f.body()) }

// Template encodes the template that CREATE FILE takes, tag 62.
func (f FCP) Template() []byte { return AppendTLV(nil, TagFCP, f.body()) }

func (f FCP) body() []byte {
	tag, descriptor := TagSizeEF, descriptorTransparent
	if f.Directory {
		tag, descriptor = TagSizeDF, descriptorDF
	}
	b := AppendTLV(nil, tag, []byte{byte(f.Size >> 8), byte(f.Size)})
	b = AppendTLV(b, TagDescriptor, []byte{descriptor, 0, 0})
	b = AppendTLV(b, TagFID, []byte{byte(f.FID >> 8), byte(f.FID)})
	if len(f.Name) > 0 {
		b = AppendTLV(b, TagDFName, f.Name)
	}
	b = AppendTLV(b, TagProprietary, []byte{0x01})
	b = AppendTLV(b, TagAccess, f.Access[:])
	b = AppendTLV(b, TagLifeCycle, []byte{f.LifeCycle})
	noSM := make([]byte, 24)
	for i := range noSM {
		noSM[i] = 0xFF
	}
	return AppendTLV(b, TagSecureMessaging, noSM)
}

// ParseFCP reads a template with tag 6F or 62. Size, descriptor and FID must
// be there; an absent access field means "never" for every operation, an absent
// life cycle means activated. Unknown objects are skipped.
func ParseFCP(b []byte) (FCP, error) {
	outer, err := ParseTLV(b)
	if err != nil {
		return FCP{}, err
	}
	if len(outer) != 1 || outer[0].Tag != TagFCI && outer[0].Tag != TagFCP {
		return FCP{}, fmt.Errorf("%w: not a file control template", ErrTLV)
	}
	list, err := outer[0].Children()
	if err != nil {
		return FCP{}, err
	}
	f := FCP{LifeCycle: LifeCycleActivated}
	for i := range f.Access {
		f.Access[i] = 0xFF
	}
	return f, f.read(list)
}

func (f *FCP) read(list []TLV) error {
	descriptor, ok := FindTLV(list, TagDescriptor)
	if !ok || len(descriptor) == 0 {
		return fmt.Errorf("%w: file descriptor missing", ErrTLV)
	}
	sizeTag := TagSizeEF
	switch descriptor[0] {
	case descriptorDF:
		f.Directory, sizeTag = true, TagSizeDF
	case descriptorTransparent:
	default:
		return fmt.Errorf("%w: file descriptor %02X", ErrTLV, descriptor[0])
	}
	size, ok := FindTLV(list, sizeTag)
	if !ok || len(size) != 2 {
		return fmt.Errorf("%w: file size missing", ErrTLV)
	}
	fid, ok := FindTLV(list, TagFID)
	if !ok || len(fid) != 2 {
		return fmt.Errorf("%w: file identifier missing", ErrTLV)
	}
	f.Size, f.FID = int(size[0])<<8|int(size[1]), uint16(fid[0])<<8|uint16(fid[1])
	if name, ok := FindTLV(list, TagDFName); ok {
		f.Name = clone(name)
	}
	if ac, ok := FindTLV(list, TagAccess); ok {
		copy(f.Access[:], ac)
	}
	if lc, ok := FindTLV(list, TagLifeCycle); ok && len(lc) == 1 {
		f.LifeCycle = lc[0]
	}
	return nil
}
