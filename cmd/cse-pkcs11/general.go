//go:build cgo

package main

/*
#include "cryptoki.h"
*/
import "C"

import (
	"unsafe"

	"cse.example/cse/card/cryptoki"
	"cse.example/cse/ground/secret"
)

// answer makes a CK_RV, also of a panic: whatever goes wrong here, the program
// around us lives on.
func answer(rv *C.CK_RV) {
	if recover() != nil {
		*rv = C.CKR_GENERAL_ERROR
	}
}

// text fills a fixed field of C with UTF-8, blanks behind, without cutting a
// character in two.
func text(field []C.CK_UTF8CHAR, s string) {
	b := cryptoki.Padded(s, len(field))
	for i := range field {
		field[i] = C.CK_UTF8CHAR(b[i])
	}
}

func version(v cryptoki.Version) C.CK_VERSION {
	return C.CK_VERSION{major: C.CK_BYTE(v.Major), minor: C.CK_BYTE(v.Minor)}
}

// memory is n bytes of C memory at p, for the length of one call.
func memory(p unsafe.Pointer, n C.CK_ULONG) []byte {
	if p == nil || n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(p), int(n))
}

// code copies a PIN or PUK; nil when the caller gave none.
func code(p *C.CK_UTF8CHAR, n C.CK_ULONG) *secret.Text {
	if p == nil {
		return nil
	}
	if n > 64 { // longer than any code: not copied
		n = 64
	}
	t := secret.New(memory(unsafe.Pointer(p), n))
	return &t
}

func wipe(t *secret.Text) {
	if t != nil {
		t.Wipe()
	}
}

// list carries a list of numbers out by the standard's two-call convention.
func list[N ~uint](values []N, out *C.CK_ULONG, count *C.CK_ULONG) C.CK_RV {
	room := *count
	*count = C.CK_ULONG(len(values))
	if out == nil {
		return C.CKR_OK
	}
	if room < C.CK_ULONG(len(values)) {
		return C.CK_RV(cryptoki.BufferTooSmall)
	}
	for i, v := range values {
		unsafe.Slice(out, len(values))[i] = C.CK_ULONG(v)
	}
	return C.CKR_OK
}

//export goInitialize
func goInitialize() (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.Initialize())
}

//export goFinalize
func goFinalize() (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.Finalize())
}

//export goGetInfo
func goGetInfo(out *C.CK_INFO) (rv C.CK_RV) {
	defer answer(&rv)
	i, r := module.Info()
	if r != cryptoki.OK {
		return C.CK_RV(r)
	}
	out.cryptokiVersion, out.libraryVersion = version(i.Cryptoki), version(i.Library)
	C.set_info_flags(out, 0)
	text(out.manufacturerID[:], i.Manufacturer)
	text(out.libraryDescription[:], i.Description)
	return C.CKR_OK
}

//export goGetSlotList
func goGetSlotList(present C.CK_BBOOL, out, count *C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	ids, r := module.SlotList(present != 0, out == nil)
	if r != cryptoki.OK {
		return C.CK_RV(r)
	}
	return list(ids, out, count)
}

//export goGetSlotInfo
func goGetSlotInfo(slot C.CK_SLOT_ID, out *C.CK_SLOT_INFO) (rv C.CK_RV) {
	defer answer(&rv)
	i, r := module.SlotInfo(cryptoki.SlotID(slot))
	if r != cryptoki.OK {
		return C.CK_RV(r)
	}
	text(out.slotDescription[:], i.Description)
	text(out.manufacturerID[:], i.Manufacturer)
	out.flags = C.CK_FLAGS(i.Flags)
	out.hardwareVersion, out.firmwareVersion = C.CK_VERSION{}, C.CK_VERSION{}
	return C.CKR_OK
}

//export goGetTokenInfo
func goGetTokenInfo(slot C.CK_SLOT_ID, out *C.CK_TOKEN_INFO) (rv C.CK_RV) {
	defer answer(&rv)
	i, r := module.TokenInfo(cryptoki.SlotID(slot))
	if r != cryptoki.OK {
		return C.CK_RV(r)
	}
	unknown := ^C.CK_ULONG(0)
	text(out.label[:], i.Label)
	text(out.manufacturerID[:], i.Manufacturer)
	text(out.model[:], i.Model)
	text(out.serialNumber[:], i.Serial)
	text(out.utcTime[:], "")
	out.flags = C.CK_FLAGS(i.Flags)
	out.ulMaxSessionCount, out.ulMaxRwSessionCount = 0, 0 // no limit
	out.ulSessionCount, out.ulRwSessionCount = C.CK_ULONG(i.Sessions), C.CK_ULONG(i.ReadWrite)
	out.ulMaxPinLen, out.ulMinPinLen = C.CK_ULONG(i.MaxPIN), C.CK_ULONG(i.MinPIN)
	out.ulTotalPublicMemory, out.ulFreePublicMemory = unknown, unknown
	out.ulTotalPrivateMemory, out.ulFreePrivateMemory = unknown, unknown
	out.hardwareVersion, out.firmwareVersion = C.CK_VERSION{}, C.CK_VERSION{}
	return C.CKR_OK
}

//export goGetMechanismList
func goGetMechanismList(slot C.CK_SLOT_ID, out, count *C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	types, r := module.MechanismList(cryptoki.SlotID(slot))
	if r != cryptoki.OK {
		return C.CK_RV(r)
	}
	return list(types, out, count)
}

//export goGetMechanismInfo
func goGetMechanismInfo(slot C.CK_SLOT_ID, kind C.CK_MECHANISM_TYPE, out *C.CK_MECHANISM_INFO) (rv C.CK_RV) {
	defer answer(&rv)
	i, r := module.MechanismInfo(cryptoki.SlotID(slot), cryptoki.MechanismType(kind))
	if r == cryptoki.OK {
		out.ulMinKeySize, out.ulMaxKeySize, out.flags = C.CK_ULONG(i.MinBits), C.CK_ULONG(i.MaxBits), C.CK_FLAGS(i.Flags)
	}
	return C.CK_RV(r)
}

//export goWaitForSlotEvent
func goWaitForSlotEvent(flags C.CK_FLAGS, out *C.CK_SLOT_ID) (rv C.CK_RV) {
	defer answer(&rv)
	id, r := module.WaitForSlotEvent(flags&cryptoki.FlagDontBlock == 0)
	if r == cryptoki.OK {
		*out = C.CK_SLOT_ID(id)
	}
	return C.CK_RV(r)
}
