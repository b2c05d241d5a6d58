//go:build cgo

package main

/*
#include "cryptoki.h"
*/
import "C"

import (
	"unsafe"

	"cse.example/cse/card/cryptoki"
)

// mechanism copies a mechanism out of C memory.
func mechanism(m *C.CK_MECHANISM) cryptoki.Mechanism {
	n := min(m.ulParameterLen, 1024)
	return cryptoki.Mechanism{
		Type:      cryptoki.MechanismType(m.mechanism),
		Parameter: append([]byte(nil), memory(C.mechanism_parameter(m), n)...),
	}
}

// room is the caller's space for a result; -1 when it asks for the size only.
func room(out *C.CK_BYTE, size *C.CK_ULONG) int {
	if out == nil {
		return -1
	}
	return int(min(*size, 1<<20))
}

// result carries a result out by the standard's two-call convention.
func result(value []byte, n int, r cryptoki.RV, out *C.CK_BYTE, size *C.CK_ULONG) C.CK_RV {
	if r == cryptoki.OK || r == cryptoki.BufferTooSmall {
		*size = C.CK_ULONG(n)
	}
	if r == cryptoki.OK && out != nil {
		copy(memory(unsafe.Pointer(out), C.CK_ULONG(len(value))), value)
	}
	return C.CK_RV(r)
}

//export goSignInit
func goSignInit(s C.CK_SESSION_HANDLE, m *C.CK_MECHANISM, key C.CK_OBJECT_HANDLE) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.SignInit(cryptoki.Handle(s), mechanism(m), cryptoki.Handle(key)))
}

//export goSign
func goSign(s C.CK_SESSION_HANDLE, data *C.CK_BYTE, n C.CK_ULONG, out *C.CK_BYTE, size *C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	v, need, r := module.Sign(cryptoki.Handle(s), memory(unsafe.Pointer(data), n), room(out, size))
	return result(v, need, r, out, size)
}

//export goSignUpdate
func goSignUpdate(s C.CK_SESSION_HANDLE, data *C.CK_BYTE, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.SignUpdate(cryptoki.Handle(s), memory(unsafe.Pointer(data), n)))
}

//export goSignFinal
func goSignFinal(s C.CK_SESSION_HANDLE, out *C.CK_BYTE, size *C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	v, need, r := module.SignFinal(cryptoki.Handle(s), room(out, size))
	return result(v, need, r, out, size)
}

//export goDigestInit
func goDigestInit(s C.CK_SESSION_HANDLE, m *C.CK_MECHANISM) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.DigestInit(cryptoki.Handle(s), mechanism(m)))
}

//export goDigest
func goDigest(s C.CK_SESSION_HANDLE, data *C.CK_BYTE, n C.CK_ULONG, out *C.CK_BYTE, size *C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	v, need, r := module.Digest(cryptoki.Handle(s), memory(unsafe.Pointer(data), n), room(out, size))
	return result(v, need, r, out, size)
}

//export goDigestUpdate
func goDigestUpdate(s C.CK_SESSION_HANDLE, data *C.CK_BYTE, n C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	return C.CK_RV(module.DigestUpdate(cryptoki.Handle(s), memory(unsafe.Pointer(data), n)))
}

//export goDigestFinal
func goDigestFinal(s C.CK_SESSION_HANDLE, out *C.CK_BYTE, size *C.CK_ULONG) (rv C.CK_RV) {
	defer answer(&rv)
	v, need, r := module.DigestFinal(cryptoki.Handle(s), room(out, size))
	return result(v, need, r, out, size)
}
