// Package pades signs PDF documents and checks their signatures.
//
// Standards: ISO 32000-1 (PDF 1.7: objects 7.3, cross-references 7.5, signature
// fields 12.7.4.5, signatures 12.8), ETSI EN 319 142-1 (PAdES baseline B and T).
//
// Signing appends an incremental update and leaves every octet that was there,
// so that earlier signatures hold. The kind of the cross-references (table or
// stream) stays that of the document.
//
// Checking guarantees that the range of octets has no hole but the signature
// itself, at the very place where the signature's dictionary has it; that what
// is signed ends where a revision of the document ends; that the signature was
// part of the form of that revision; and that between that revision and the
// file as it is now nothing changed but further signatures, their certificates
// and the metadata. So the known ways of passing off a changed document (a
// universal forgery, an incremental saving attack, wrapping, shadows that are
// hidden or replaced) are refused, each with a reason.
//
// Nothing is repaired: a document whose cross-references do not hold is refused
// (CSE-741), as programs repair each in its own way. Refused too: encryption
// (CSE-726), a key twice in a dictionary, streams that unpack without end, the
// old forms adbe.x509.rsa_sha1 and adbe.pkcs7.sha1 (CSE-736).
//
// This reader is ours because the kept libraries for PDF repair what they read
// and do not tell where an object stands (docs/decisions/0720).
package pades

import (
	"bytes"
	"crypto"
	"fmt"
	"strings"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature/cades"
)

// Signature is one signature of a document.
type Signature struct {
	// Field is the name of its form field.
	Field string
	// Time is the M of its dictionary: what the signer's program says.
	Time time.Time
	// Reason and Location are what the signer wrote.
	Reason, Location string
	// Visible tells that the signature shows something on a page.
	Visible bool
	// Stamp is a document time-stamp, not somebody's signature.
	Stamp bool
	// Whole tells that it covers the file to its end; else others signed later.
	Whole bool
	// Signer is the one of its CMS; nil when that cannot be read.
	Signer *cades.Signer
	// Certificates came with it.
	Message *cades.Message
	// Proof is the document time-stamp's token, when Stamp.
	Proof *cades.Stamp
	// Err tells why it is not valid; nil when it is intact. Whether its
	// certificate is believed is not asked here.
	Err error

	ref ref
	end int
}

// Check checks every signature of a document: CSE-721 when it has none.
func Check(pdf []byte) ([]*Signature, error) {
	f, err := open(pdf)
	if err != nil {
		return nil, err
	}
	fields, err := f.sigFields()
	if err != nil {
		return nil, err
	}
	var out []*Signature
	held := map[ref]bool{}
	for _, x := range fields {
		if x.value == nil {
			continue
		}
		s := &Signature{Field: x.name, Visible: f.visible(x.dict), ref: x.ref}
		s.Err = s.read(f, x)
		held[x.ref] = s.Err == nil
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, words.Refuse("CSE-721")
	}
	for _, s := range out {
		if s.Err == nil {
			s.Err = s.unchanged(f, held)
		}
	}
	return out, nil
}

// read checks the range, the digest and the CMS of one signature.
func (s *Signature) read(f *file, field sigField) error {
	d, ok := f.resolve(field.value).(dict)
	if !ok {
		return broken("a signature that is no dictionary")
	}
	if t, ok := f.resolve(d["M"]).(text); ok {
		s.Time = pdfTime(string(t.b))
	}
	s.Reason, s.Location = f.say(d["Reason"]), f.say(d["Location"])
	s.Stamp = d["SubFilter"] == name("ETSI.RFC3161")
	contents, ok := d["Contents"].(text)
	if !ok {
		return broken("a signature without contents")
	}
	ranges, err := f.byteRange(d["ByteRange"], contents)
	if err != nil {
		return err
	}
	s.end = ranges[2] + ranges[3]
	s.Whole = len(bytes.Trim(f.b[s.end:], "\r\n\t \x00")) == 0
	switch d["SubFilter"] {
	case name("ETSI.CAdES.detached"), name("adbe.pkcs7.detached"), name("ETSI.RFC3161"):
	default:
		return words.Refuse("CSE-736", fmt.Sprint(d["SubFilter"]))
	}
	cms, err := unpadded(contents.b)
	if err != nil {
		return err
	}
	signed := [][]byte{f.b[:ranges[1]], f.b[ranges[2]:s.end]}
	if s.Stamp {
		s.Proof, err = cades.ParseStamp(cms, bytes.Join(signed, nil))
		return err
	}
	if s.Message, err = cades.Parse(cms); err != nil {
		return err
	}
	if !s.Message.Detached || len(s.Message.Signers) != 1 {
		return words.Refuse("CSE-724").Because(fmt.Errorf("pdf: a signature with its own content, or of several signers"))
	}
	s.Signer = s.Message.Signers[0]
	return s.Signer.Check(digest(s.Signer.Hash, signed))
}

func digest(h crypto.Hash, parts [][]byte) []byte {
	d := h.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

// byteRange demands [0 a b c] whose hole is the contents' string, no more and
// no less.
func (f *file) byteRange(v any, contents text) ([4]int, error) {
	var out [4]int
	list, ok := v.(array)
	if !ok || len(list) != 4 {
		return out, words.Refuse("CSE-724").Because(fmt.Errorf("pdf: a byte range of %d numbers", len(list)))
	}
	for i, x := range list {
		n, ok := x.(int64)
		if !ok || n < 0 || n > int64(len(f.b)) {
			return out, words.Refuse("CSE-724").Because(fmt.Errorf("pdf: a byte range outside the file"))
		}
		out[i] = int(n)
	}
	if out[0] != 0 || out[2] < out[1] || out[2]+out[3] > len(f.b) {
		return out, words.Refuse("CSE-724").Because(fmt.Errorf("pdf: a byte range outside the file"))
	}
	if !contents.hex || contents.start != out[1] || contents.end != out[2] {
		return out, words.Refuse("CSE-724").Because(fmt.Errorf("pdf: the hole of the byte range is not the signature"))
	}
	return out, nil
}

// unpadded takes the zeros after the CMS away; anything else there is refused.
func unpadded(b []byte) ([]byte, error) {
	n, err := cades.Length(b)
	if err != nil {
		return nil, err
	}
	if len(bytes.Trim(b[n:], "\x00")) > 0 {
		return nil, words.Refuse("CSE-722").Because(fmt.Errorf("pdf: data after the CMS"))
	}
	return b[:n], nil
}

// unchanged compares the revision that was signed with the file as it is.
func (s *Signature) unchanged(f *file, held map[ref]bool) error {
	signed, err := openWithin(f.b[:s.end], f.budget)
	if err != nil {
		return words.Refuse("CSE-724").Because(fmt.Errorf("pdf: what is signed is no revision of the document: %w", err))
	}
	fields, err := signed.sigFields()
	if err != nil {
		return err
	}
	there := false
	for _, x := range fields {
		there = there || (x.ref == s.ref && x.value != nil)
	}
	if !there {
		return words.Refuse("CSE-724").Because(fmt.Errorf("pdf: the signature is not in the form of what it signs"))
	}
	if s.Whole {
		return nil
	}
	added, err := sameDocument(signed, f, held)
	if err != nil {
		return err // CSE-725, or why they cannot be compared
	}
	if added && signed.certified() == 1 {
		return later("certified without changes, and signed later")
	}
	return nil
}

// certified is the permission of a certified document (DocMDP, ISO 32000-1,
// 12.8.2.2): 1 no change, 2 forms, 3 annotations; 0 when it is not certified.
func (f *file) certified() int {
	cat, err := f.catalog()
	if err != nil {
		return 0
	}
	perms, _ := f.resolve(cat["Perms"]).(dict)
	sig, ok := f.resolve(perms["DocMDP"]).(dict)
	if !ok {
		return 0
	}
	refs, _ := f.resolve(sig["Reference"]).(array)
	for _, x := range refs {
		r, _ := f.resolve(x).(dict)
		if r["TransformMethod"] != name("DocMDP") {
			continue
		}
		params, _ := f.resolve(r["TransformParams"]).(dict)
		if p, ok := f.resolve(params["P"]).(int64); ok {
			return int(p)
		}
	}
	return 2
}

// say reads a text string: UTF-16 with its mark, else as Latin letters.
func (f *file) say(v any) string {
	t, ok := f.resolve(v).(text)
	if !ok {
		return ""
	}
	if b, ok := bytes.CutPrefix(t.b, []byte{0xFE, 0xFF}); ok {
		return fromUTF16(b)
	}
	var sb strings.Builder
	for _, c := range t.b {
		sb.WriteRune(rune(c))
	}
	return sb.String()
}

// pdfTime reads a date (ISO 32000-1, 7.9.4); zero when it is none.
func pdfTime(s string) time.Time {
	s = strings.ReplaceAll(strings.TrimPrefix(s, "D:"), "'", "")
	for _, layout := range []string{"20060102150405Z0700", "20060102150405Z", "20060102150405", "200601021504"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	if i := strings.IndexByte(s, 'Z'); i > 0 {
		if t, err := time.Parse("20060102150405", s[:i]); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
